"""Maps of neighbouring channels as one picture, of which the page shows one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..rendering import pictures
from ..rendering.palettes import DIVERGING, SEQUENTIAL
from ..rendering.pictures import Mosaic, Picture, Scale
from .surface import Box, Sheet

# Pixels that are sent at once: a megabyte at the most, a tenth of it for most layers.
_PIXELS = 1 << 19
_MOST = 64


@dataclass(frozen=True)
class Sprite:
    """Maps side by side, each in the colours of its own range.

    Attributes
    ----------
    first : int
        Place of the first one in the order of the channels.
    mosaic : Mosaic
        Where they lie.
    sheets : list of Sheet
        The picture that each map is part of.
    """

    first: int
    mosaic: Mosaic
    sheets: list[Sheet]

    @property
    def places(self) -> range:
        """Places of its maps in the order of the channels."""
        return range(self.first, self.first + len(self.sheets))

    def cut(self, place: int) -> tuple[Sheet, Box]:
        """Return the picture that holds the map at a place, and where in it the map lies."""
        top, left = self.mosaic.corner(place - self.first)
        return self.sheets[place - self.first], Box(left, top, self.mosaic.width, self.mosaic.height)


def neighbours(place: int, count: int, shape: tuple[int, ...]) -> range:
    """Return the places of as many maps of a shape as are sent at once, that of `place` among them."""
    length = min(_MOST, max(1, _PIXELS // max(1, shape[0] * shape[1])))
    first = place // length * length
    return range(first, min(first + length, count))


def colours_of(scale: Scale) -> str:
    """Return the colour map of values with a scale."""
    return DIVERGING if scale.signed else SEQUENTIAL[0]


def sprite_of(maps: np.ndarray, first: int) -> Sprite:
    """Return maps, ``(channels, height, width)``, as one picture for each colour map that they need."""
    scales = [pictures.finite_scale(one) for one in maps]
    mosaic = pictures.lay_out(len(maps), *maps.shape[1:])
    tiles = np.stack([pictures.quantised(one, scale) for one, scale in zip(maps, scales, strict=True)])
    colours = [colours_of(scale) for scale in scales]
    sheets = {name: Sheet(Picture(pictures.laid(tiles, mosaic), name).png()) for name in sorted(set(colours))}
    return Sprite(first, mosaic, [sheets[name] for name in colours])
