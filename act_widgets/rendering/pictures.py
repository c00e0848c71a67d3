"""Arrays to indexed pictures: one byte a pixel, and a palette."""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from .palettes import DIVERGING, GROUND, LEVELS, NOT_FINITE, palette


@dataclass(frozen=True)
class Scale:
    """The values at both ends of a colour map.

    Attributes
    ----------
    low, high : float
        Values drawn in the first and the last colour.
    """

    low: float
    high: float

    @property
    def signed(self) -> bool:
        """Whether it is symmetric about zero, to be drawn in a diverging colour map."""
        return self.low < 0 and self.low == -self.high

    def shares(self, values: Sequence[float]) -> tuple[float, ...]:
        """Return where values lie between the ends, from 0 to 1; what is beyond an end lies there."""
        extent = self.high - self.low
        if not extent > 0:
            return tuple(float(value > self.low) for value in values)
        return tuple(min(max((value - self.low) / extent, 0.0), 1.0) for value in values)


@dataclass(frozen=True)
class Picture:
    """Pixels as indices into a colour map.

    Attributes
    ----------
    indices : (height, width) uint8
        0 to 253 for values, 254 for the ground, 255 for values that are not finite.
    colours : str
        Name of the colour map.
    """

    indices: np.ndarray
    colours: str

    def png(self) -> bytes:
        """Return the picture as an indexed PNG; the ground is transparent."""
        image = Image.fromarray(self.indices)  # mode L: indices become palette entries below
        image.putpalette(palette(self.colours).tobytes())
        # Runs alone: twice as fast, and indices gain nothing from a search for other patterns.
        return encoded(image, transparency=GROUND, compress_type=zlib.Z_RLE)

    def rgb(self) -> np.ndarray:
        """Return the colours, ``(height, width, 3) uint8``."""
        return palette(self.colours)[self.indices]


def finite_scale(values: np.ndarray) -> Scale:
    """Return the scale of finite values: from zero or the least, symmetric where they are signed."""
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if finite.size == 0:
        return Scale(0.0, 1.0)
    low, high = float(finite.min()), float(finite.max())
    if low < 0 < high:
        return Scale(-max(-low, high), max(-low, high))
    return Scale(low, high)


def quantised(values: np.ndarray, scale: Scale) -> np.ndarray:
    """Return values as palette indices of the same shape; a scale without extent gives zeros."""
    extent = scale.high - scale.low
    if not extent > 0:
        indices = np.zeros(values.shape, np.uint8)
    else:
        with np.errstate(invalid="ignore", over="ignore"):
            level = (values.astype(np.float32) - scale.low) * ((LEVELS - 1) / extent) + 0.5
            # Unlike clip, these give a bound for NaN.
            indices = np.fmin(np.fmax(level, 0), LEVELS - 1).astype(np.uint8)
    indices[~np.isfinite(values)] = NOT_FINITE
    return indices


@dataclass(frozen=True)
class Mosaic:
    """Where each tile of a grid lies.

    Attributes
    ----------
    rows, columns : int
        Tiles down and across.
    height, width : int
        Pixels of a tile.
    gap : int
        Pixels between tiles.
    """

    rows: int
    columns: int
    height: int
    width: int
    gap: int = 1

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the whole."""
        return (
            self.rows * (self.height + self.gap) - self.gap,
            self.columns * (self.width + self.gap) - self.gap,
        )

    def corner(self, tile: int) -> tuple[int, int]:
        """Return top and left of a tile."""
        row, column = divmod(tile, self.columns)
        return row * (self.height + self.gap), column * (self.width + self.gap)

    def tile_at(self, y: float, x: float) -> tuple[int, int, int] | None:
        """Return the tile under a point, and the point's row and column in it; None in a gap."""
        row, inner_y = divmod(math.floor(y), self.height + self.gap)
        column, inner_x = divmod(math.floor(x), self.width + self.gap)
        inside = 0 <= row < self.rows and 0 <= column < self.columns
        if not inside or inner_y >= self.height or inner_x >= self.width:
            return None
        return row * self.columns + column, inner_y, inner_x


def lay_out(count: int, height: int, width: int, columns: int | None = None) -> Mosaic:
    """Return the grid that shows `count` tiles in about a square."""
    if columns is None:
        columns = max(1, round((count * (height + 1) / (width + 1)) ** 0.5))
    columns = min(columns, count)
    return Mosaic(-(-count // columns), columns, height, width)


def laid(tiles: Iterable[np.ndarray], mosaic: Mosaic) -> np.ndarray:
    """Return tiles of indices ``(height, width)`` as one picture, with the ground between them."""
    whole = np.full(mosaic.shape, GROUND, np.uint8)
    for index, tile in enumerate(tiles):
        top, left = mosaic.corner(index)
        whole[top : top + mosaic.height, left : left + mosaic.width] = tile
    return whole


def resampled(values: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Return ``(n, ...)`` with other lengths behind the first axis.

    Along an axis that grows by a whole factor, cells are repeated; along one that shrinks, the largest in
    size of those that share a place stands for them.
    """
    for axis, length in enumerate(shape, start=1):
        if length >= values.shape[axis]:
            times = length // values.shape[axis]
            values = values if times == 1 else values.repeat(times, axis)
            continue
        starts = np.arange(length) * values.shape[axis] // length
        ends = np.append(starts[1:], values.shape[axis])
        largest = values.take(starts, axis)
        for step in range(1, int((ends - starts).max())):
            other = values.take(np.minimum(starts + step, ends - 1), axis)
            is_nan = other != other  # noqa: PLR0124 of any dtype
            largest = np.where((np.abs(other) > np.abs(largest)) | is_nan, other, largest)
        values = largest
    return values


def largest_at(values: np.ndarray, pixel: Sequence[int], sides: Sequence[int]) -> tuple[int, ...]:
    """Return which number of a map or line a pixel shows: of several, the largest in size.

    Parameters
    ----------
    values : ndarray
        The numbers.
    pixel : sequence of int
        Where in the picture, along each axis of the values.
    sides : sequence of int
        How many pixels there are along each.
    """
    starts = [p * n // side for p, n, side in zip(pixel, values.shape, sides, strict=True)]
    ends = [(p + 1) * n // side for p, n, side in zip(pixel, values.shape, sides, strict=True)]
    block = values[tuple(slice(a, max(a + 1, b)) for a, b in zip(starts, ends, strict=True))]
    sizes = np.nan_to_num(np.abs(block.astype(np.float64)), nan=np.inf)
    place = np.unravel_index(sizes.argmax(), sizes.shape)
    return tuple(int(start + i) for start, i in zip(starts, place, strict=True))


def png_of(rgb: np.ndarray) -> bytes:
    """Return an ``(height, width, 3) uint8`` picture as a PNG."""
    return encoded(Image.fromarray(rgb))


def enlarged(picture: np.ndarray, least: int) -> np.ndarray:
    """Return a picture with each pixel repeated so that its longer side is at least `least`."""
    times = max(1, -(-least // max(picture.shape[:2])))
    return picture.repeat(times, 0).repeat(times, 1)


def ground(photo: np.ndarray, colours: str) -> np.ndarray:
    """Return a photo as it lies under a map: grey where hues tell signs, so that all are the map's."""
    return np.asarray(Image.fromarray(photo).convert("L").convert("RGB")) if colours == DIVERGING else photo


def blended(photo: np.ndarray, heat: np.ndarray, opacity: float) -> np.ndarray:
    """Return a photo under a heat map of the same shape, both ``(height, width, 3) uint8``."""
    return (photo * (1 - opacity) + heat * opacity + 0.5).astype(np.uint8)


def encoded(image: Image.Image, **options: int | bytes) -> bytes:
    """Return an image as a PNG, quickly."""
    buffer = io.BytesIO()
    # Level 1: ten times faster than the default, and maps are small anyway.
    image.save(buffer, format="PNG", compress_level=1, **options)
    return buffer.getvalue()
