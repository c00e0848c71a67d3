"""All feature maps of a layer in a grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np

from ..rendering import pictures
from ..rendering.palettes import DIVERGING, SEQUENTIAL
from ..rendering.pictures import Mosaic, Picture, Scale
from ..session import Session
from . import text
from .base import View
from .maps import as_maps
from .surface import Box, Placed, Surface

PAGE = 64
_SIDE = 560
_LEAST = 24
_OWN, _SHARED = "per map", "per layer"


@dataclass(frozen=True)
class Grid:
    """A page of maps.

    Attributes
    ----------
    array : (channels, height, width) ndarray
        The maps of the page, as computed.
    first : int
        Channel of the first.
    pages : int
        Number of pages.
    words : str
        What is shown.
    times : int
        Pixels of the picture along each cell of a map.
    """

    array: np.ndarray
    first: int
    pages: int
    words: str
    times: int
    mosaic: Mosaic
    picture: Picture
    scale: Scale | None
    png: bytes

    def box(self, channel: int) -> Box | None:
        """Return where a channel's map lies on the canvas, or None if it is on another page."""
        if not self.first <= channel < self.first + len(self.array):
            return None
        zoom = self.zoom
        top, left = self.mosaic.corner(channel - self.first)
        return Box(left * zoom, top * zoom, self.mosaic.width * zoom, self.mosaic.height * zoom)

    @property
    def zoom(self) -> float:
        """Canvas pixels for each pixel of the picture; the longer side may be twice as long."""
        height, width = self.mosaic.shape
        return min(_SIDE / width, 2 * _SIDE / height)


class FeatureMaps(View):
    """The maps of every channel of the layer, by pages of 64. A click selects the channel.

    Parameters
    ----------
    session : Session
        The model and batch to look at.
    colours : str
        Colour map of layers without negative values: viridis, cividis, magma or gray. Layers with
        values of both signs are drawn in red and blue, zero in the middle.
    scale : str
        ``"per map"`` or ``"per layer"``: whether each map has colours of its own range.
    """

    title = "Feature maps"
    watches = ("layer", "channel", "sample")

    def __init__(self, session: Session, *, colours: str = SEQUENTIAL[0], scale: str = _OWN) -> None:
        self._colours = ipywidgets.Dropdown(options=SEQUENTIAL, value=colours, layout={"width": "84px"})
        self._colours.tooltip = "Colour map"
        self._scale = ipywidgets.ToggleButtons(
            options=[_OWN, _SHARED],
            value=scale,
            tooltips=["Each map uses all colours", "All maps share one scale"],
        )
        self._page = ipywidgets.IntSlider(description="Page", min=1, max=1, value=1)
        self._surface = Surface(_SIDE, _SIDE)
        self._bar = ipywidgets.HTML()
        self._under = ipywidgets.HTML(text.caption(_HINT))
        self._grid: Grid | None = None
        self._last_channel: tuple[str, int] | None = None
        super().__init__(session)
        for control in (self._colours, self._scale, self._page):
            control.observe(self._on_change, names=["value"])

    def build(self) -> list[ipywidgets.Widget]:
        """Return scale, colours and page, the grid, its colour bar, and a line for the pointer."""
        self._surface.widget.add_class("aw-click")
        self._surface.on_click(self.guarded(self._click))
        self._surface.on_hover(self.guarded(self._hover), self._leave)
        choices = ipywidgets.HBox([self._scale, self._colours], layout={"flex_flow": "row wrap"})
        return [choices, self._page, self._surface.widget, self._bar, self._under]

    def key(self) -> tuple:
        """Layer, sample, page, scale and colours."""
        chosen = self.session.selection
        self._follow_channel(chosen.layer, chosen.channel)
        return chosen.layer, chosen.sample, self._page.value, self._scale.value, self._colours.value

    def look(self) -> int:
        """The channel that is framed."""
        return self.session.selection.channel

    def is_ready(self, key: tuple) -> bool:
        """Whether the activation can be looked up."""
        return self.session.reader.is_ready(key[0], key[1])

    def compute(self, key: tuple) -> Grid:
        """Return a page of maps."""
        layer, sample, page, scale, colours = key
        tap = self.session.tap(layer)
        maps = as_maps(self.session.reader.sample_activation(layer, sample, (page - 1) * PAGE), tap)
        pages = -(-len(maps.array) // PAGE)
        first = (min(page, pages) - 1) * PAGE
        shown = np.asarray(maps.array[first : first + PAGE], np.float32)
        whole = pictures.finite_scale(maps.array)
        shared = scale == _SHARED or maps.array.shape[1:] == (1, 1)
        scales = [whole] * len(shown) if shared else [_like(whole, m) for m in shown]
        fine = shown.repeat(times := _times(shown), 1).repeat(times, 2)
        mosaic = pictures.lay_out(len(shown), *fine.shape[1:])
        drawn = Picture(pictures.tile(fine, scales, mosaic), DIVERGING if whole.signed else colours)
        return Grid(
            shown,
            first,
            pages,
            maps.words,
            times,
            mosaic,
            drawn,
            whole if shared else None,
            drawn.png(),
        )

    def draw(self, grid: Grid) -> None:
        """Show the page and a frame around the chosen channel."""
        frame = grid.box(self.session.selection.channel)
        height, width = grid.mosaic.shape
        box = Box(0, 0, width * grid.zoom, max(1, height * grid.zoom))
        placed = Placed(grid.png, (height, width), box)
        self._surface.resize(max(1, round(box.width)), max(24, round(box.height)))
        self._surface.show([placed], [frame] if frame else [])
        if self._grid is not grid:
            self._grid = grid
            self._page.max = grid.pages
            self._page.layout.display = None if grid.pages > 1 else "none"
            self._colours.disabled = grid.picture.colours == DIVERGING
            low, high = ("each map's lowest", "highest")
            self._bar.value = text.colour_bar(grid.picture.colours, grid.scale, low, high)
            self.note(grid.words, self.session.selection.layer)
            self._leave()

    def picture(self, grid: Grid) -> bytes:
        """Return the page as a PNG, each cell at least as large as on the screen."""
        return pictures.png_of(pictures.enlarged(grid.picture.rgb(), _SIDE))

    def release(self) -> None:
        """Free the canvases."""
        self._surface.close()

    def _follow_channel(self, layer: str, channel: int) -> None:
        """Turn to the page of a channel that was chosen elsewhere."""
        if self._last_channel == (layer, channel):
            return
        self._last_channel = (layer, channel)
        page = channel // PAGE + 1
        if page != self._page.value:
            self._page.max = max(self._page.max, page)
            self._page.value = page

    def _at(self, x: float, y: float) -> tuple[int, int, int] | None:
        """Return channel, row and column under a canvas pixel."""
        grid = self._grid
        hit = grid.mosaic.tile_at(y / grid.zoom, x / grid.zoom) if grid else None
        if grid is None or hit is None or hit[0] >= len(grid.array):
            return None
        return grid.first + hit[0], hit[1] // grid.times, hit[2] // grid.times

    def _click(self, x: float, y: float) -> None:
        hit = self._at(x, y)
        if hit is not None:
            self.session.selection.channel = hit[0]

    def _hover(self, x: float, y: float) -> None:
        hit = self._at(x, y)
        if hit is None or self._grid is None:
            self._leave()
            return
        channel, row, column = hit
        value = self._grid.array[channel - self._grid.first, row, column]
        words = f"channel {channel} · row {row}, column {column} · {text.number(float(value))}"
        self._under.value = text.caption(words)

    def _leave(self, *event: Any) -> None:
        refused = self.session.reader.blocks.refused.get(self.session.selection.layer)
        self._under.value = text.caption(refused or _HINT)


_HINT = "Point at a map to read its values; click to choose its channel."


def _times(maps: np.ndarray) -> int:
    """Return how often to repeat each cell, so that the gap between small maps stays narrow."""
    return max(1, -(-_LEAST // max(maps.shape[1:])))


def _like(whole: Scale, values: np.ndarray) -> Scale:
    """Return a map's own scale, symmetric if the layer's is."""
    own = pictures.finite_scale(values)
    if not whole.signed:
        return own
    bound = max(abs(own.low), abs(own.high))
    return Scale(-bound, bound)
