"""A page of pictures side by side, and which number lies under a pixel of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..rendering import pictures, plots
from ..rendering.axes import Axes
from ..rendering.palettes import CHART, DIVERGING
from ..rendering.pictures import Mosaic, Picture, Scale
from ..rendering.veil import Range, Veil, lit, veil_over
from .maps import Drawn
from .surface import Box, Sheet

SIDE = 560
OWN, SHARED = "per map", "per layer"
HEAT, LINES = "heat map", "lines"

_PAGE, _PAGE_OF_BARS = 64, 1024
# Small maps are enlarged, so that the gap between them stays narrow.
_LEAST = 24
_NARROWEST_BAR = 4


@dataclass(frozen=True)
class Grid:
    """A page of pictures.

    Attributes
    ----------
    array : (pictures, ...) ndarray
        The numbers of the page, as computed.
    drawn : Drawn
        The whole layer.
    fine : (pictures, height or 1, width or 1) ndarray
        The number that each pixel of a picture stands for.
    numbers : (n,) int ndarray
        Which picture of the layer each one on the page is.
    pages : int
        Number of pages.
    mosaic : Mosaic
        Where the pictures lie.
    size : tuple of int
        Height and width of the canvas that it fills.
    picture : Picture
        All of it.
    scale : Scale or None
        Values at both ends of the colours, or of the bars; None if each picture has its own.
    first : int
        Place of the first one on the page in the order of the layer's pictures.
    """

    array: np.ndarray
    drawn: Drawn
    fine: np.ndarray
    numbers: np.ndarray
    pages: int
    mosaic: Mosaic
    size: tuple[int, int]
    picture: Picture
    scale: Scale | None
    first: int

    @cached_property
    def sheet(self) -> Sheet:
        """The page, to be sent once."""
        return Sheet(self.picture.png())

    @cached_property
    def frames(self) -> dict[int, Box]:
        """Where each picture of the page lies, by its place in the order of the layer's."""
        boxes = map(self.box, self.numbers.tolist())
        return {place: box for place, box in enumerate(boxes, self.first) if box is not None}

    def box(self, picture: int) -> Box | None:
        """Return where a picture lies on the canvas, or None if it is not on the page."""
        place = np.flatnonzero(self.numbers == picture)
        if not place.size:
            return None
        down, across = self._zoom
        top, left = self.mosaic.corner(int(place[0]))
        return Box(left * across, top * down, self.mosaic.width * across, self.mosaic.height * down)

    def at(self, x: float, y: float) -> tuple[int, ...] | None:
        """Return which picture is under a canvas pixel, and the indices of the number there in it.

        Where several numbers share the pixel, it is the largest in size.
        """
        down, across = self._zoom
        hit = self.mosaic.tile_at(y / down, x / across)
        if hit is None or hit[0] >= len(self.array):
            return None
        values = self.array[hit[0]]
        along = slice(2 - values.ndim, None)  # a line has no rows, a number neither rows nor columns
        pixel, sides = [*hit[1:]][along], [self.mosaic.height, self.mosaic.width][along]
        return (int(self.numbers[hit[0]]), *pictures.largest_at(values, pixel, sides))

    def veil(self, chosen: Range, height: int, width: int) -> Veil:
        """Return what dims the numbers outside a range, for a drawing of the page of this size."""
        tile = len(self.array), self.mosaic.height, self.mosaic.width
        tiles = np.broadcast_to(~lit(self.fine, chosen), tile)
        return veil_over(self.picture, pictures.laid(tiles, self.mosaic) == 1, height, width)

    @property
    def _zoom(self) -> tuple[float, float]:
        height, width = self.mosaic.shape
        return self.size[0] / height, self.size[1] / width


def page_size(axes: Axes) -> int:
    """Return how many pictures are on a page."""
    return _PAGE if axes.plane else _PAGE_OF_BARS


def grid_of(drawn: Drawn, order: np.ndarray, page: int, scale: str, colours: str, sequences: str) -> Grid:
    """Return a page of a layer's pictures.

    Parameters
    ----------
    drawn : Drawn
        The layer.
    order : (n,) int ndarray
        The numbers of its pictures in the order in which they are shown.
    page : int
        Counted from 1; the last one if there are fewer.
    scale : str
        Whether each picture has a scale of its own.
    colours : str
        Colour map where no value is negative.
    sequences : str
        Whether sequences are a heat map or lines.
    """
    most = page_size(drawn.axes)
    pages = max(1, -(-len(order) // most))
    first = (min(page, pages) - 1) * most
    numbers = order[first : first + most]
    shown = drawn.array[numbers]
    whole = pictures.finite_scale(drawn.array)
    is_shared = scale == SHARED or drawn.array[0].size == 1
    scales = [whole] * len(shown) if is_shared else [_like(whole, values) for values in shown]
    if shown.ndim == 1:
        colours, whole = CHART, plots.with_zero(whole)
        tiles, fine, mosaic, size = _bars(shown, whole)
    elif shown.ndim == 2 and sequences == LINES:
        colours = CHART
        tiles, fine, mosaic, size = _lines(shown, scales)
    else:
        colours = DIVERGING if whole.signed else colours
        tiles, fine, mosaic, size = (_rows if shown.ndim == 2 else _maps)(shown, scales)
    picture = Picture(pictures.laid(tiles, mosaic), colours)
    scale_of_all = whole if is_shared else None
    return Grid(shown, drawn, fine, numbers, pages, mosaic, size, picture, scale_of_all, first)


Laid = tuple[Iterable[np.ndarray], np.ndarray, Mosaic, tuple[int, int]]


def _maps(values: np.ndarray, scales: Sequence[Scale]) -> Laid:
    times = max(1, -(-_LEAST // max(values.shape[1:])))
    zoom = _zoom(pictures.lay_out(len(values), *values.shape[1:]))
    shape = [n * times if zoom >= 1 else max(1, int(n * zoom)) for n in values.shape[1:]]
    fine = pictures.resampled(values, shape)
    mosaic = pictures.lay_out(len(values), *fine.shape[1:])
    height, width = (n * _zoom(mosaic) for n in mosaic.shape)
    return _quantised(fine, scales), fine, mosaic, (max(24, round(height)), max(1, round(width)))


def _zoom(mosaic: Mosaic) -> float:
    """Return canvas pixels for each pixel of a picture; the longer side may be twice as long."""
    height, width = mosaic.shape
    return min(SIDE / width, 2 * SIDE / height)


def _rows(values: np.ndarray, scales: Sequence[Scale]) -> Laid:
    """Return sequences as a heat map, channels down."""
    fine = pictures.resampled(values, [min(values.shape[1], SIDE)])[:, None]
    mosaic = Mosaic(len(fine), 1, 1, fine.shape[2], gap=0)
    return _quantised(fine, scales), fine, mosaic, (int(np.clip(24 * len(fine), 120, SIDE)), SIDE)


def _lines(values: np.ndarray, scales: Sequence[Scale]) -> Laid:
    columns = 1 if len(values) <= 3 else 2 if len(values) <= 12 else 4
    rows = -(-len(values) // columns)
    mosaic = Mosaic(rows, columns, int(np.clip(SIDE // rows, 48, 160)), SIDE // columns - 10, gap=10)
    tiles = plots.lines(values, scales, mosaic.height, mosaic.width)
    fine = pictures.resampled(values, [min(values.shape[1], mosaic.width)])
    columns_of = np.arange(mosaic.width) * fine.shape[1] // mosaic.width
    return tiles, fine[:, None, columns_of], mosaic, mosaic.shape


def _bars(values: np.ndarray, scale: Scale) -> Laid:
    rows = -(-len(values) * _NARROWEST_BAR // SIDE)
    columns = -(-len(values) // rows)
    height = int(np.clip(360 // rows, 45, 200))
    mosaic = Mosaic(rows, columns, height, min(56, SIDE // columns), gap=0)
    return plots.bars(values, scale, height, mosaic.width), values[:, None, None], mosaic, mosaic.shape


def _quantised(values: np.ndarray, scales: Sequence[Scale]) -> list[np.ndarray]:
    return [pictures.quantised(one, scale) for one, scale in zip(values, scales, strict=True)]


def _like(whole: Scale, values: np.ndarray) -> Scale:
    """Return a picture's own scale, symmetric if the layer's is."""
    own = pictures.finite_scale(values)
    if not whole.signed:
        return own
    bound = max(abs(own.low), abs(own.high))
    return Scale(-bound, bound)
