"""What is shown of a channel: its map, its line, or its number among the layer's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..rendering.palettes import CHART, DOWN
from ..rendering.pictures import Picture, Scale
from ..rendering.veil import Range, Veil, lit, veil_over
from . import text
from .ground import Ground
from .maps import Drawn, value_text
from .sprite import Sprite
from .surface import Box, Placed, Scene, Sheet
from .under import FIRST, Under


@dataclass(frozen=True)
class ChannelMap:
    """One channel's map, line, or number.

    Attributes
    ----------
    array : (height, width), (length,) or () ndarray
        As computed.
    drawn : Drawn
        What it is a picture of.
    picture : Picture
        The map, a line of cells for a sequence, or where a number lies among the layer's.
    fine : (height or 1, width) ndarray
        The number that each pixel of the picture stands for; NaN for none.
    scale : Scale
        The values at both ends.
    ground : Ground or None
        The input under it.
    layer, words : str
        What is shown.
    under : Under
        Which input that is.
    place : int or None
        That of the channel in the order of the layer's; None if it is hidden.
    sprite : Sprite or None
        The maps of its neighbours and its own, if the layer has such.
    """

    array: np.ndarray
    drawn: Drawn
    picture: Picture
    fine: np.ndarray
    scale: Scale
    ground: Ground | None
    layer: str
    words: str
    under: Under = FIRST
    place: int | None = None
    sprite: Sprite | None = None

    @cached_property
    def sheet(self) -> Sheet:
        """The picture alone, to be sent once."""
        return Sheet(self.picture.png())

    def scene(self, place: int | None, box: Box, opacity: float) -> Scene:
        """Return the map of the channel at a place, or this one."""
        sheet, part = (self.sheet, None) if self.sprite is None or place is None else self.sprite.cut(place)
        return Scene([Placed(sheet, box, part, opacity)])

    def scenes(self, box: Box, opacity: float) -> dict[int, Scene]:
        """Return the same for every channel near it whose map lies on the same ground, by place."""
        if self.sprite is None or self.place is None:
            return {}
        own = self.sprite.cut(self.place)[0]
        near = [p for p in self.sprite.places if self.ground is None or self.sprite.cut(p)[0] is own]
        return {place: self.scene(place, box, opacity) for place in near}

    def veil(self, chosen: Range, height: int, width: int) -> Veil:
        """Return what dims the numbers outside a range, for a drawing of the picture of this size."""
        dim = np.broadcast_to(~lit(self.fine, chosen), self.picture.indices.shape)
        # The chosen number's stroke stays: it says which one it is.
        is_chosen = (self.picture.indices == DOWN) & (self.picture.colours == CHART)
        return veil_over(self.picture, dim & ~is_chosen, height, width)

    def lit(self, chosen: Range) -> str:
        """Return how many numbers lie in a range: of the channel, or of a layer of single numbers."""
        return self.drawn.lit(chosen, self.drawn.first if self.array.ndim else None)

    @property
    def summary(self) -> str:
        """The map's numbers in words, or how the number stands among its layer's; and what lies under it."""
        if not self.array.ndim:
            return standing(self.drawn.array, self.array)
        return " · ".join(filter(None, [summary(self.array), self.under.words]))


def summary(values: np.ndarray) -> str:
    """Return mean, maximum and share of zeros in words."""
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if finite.size == 0:
        return "no finite value"
    bad = f" · {1 - finite.size / values.size:.1%} NaN or infinite" if finite.size < values.size else ""
    mean = finite.mean(dtype=np.float64)
    return (
        f"mean {text.number(float(mean))} · max {text.number(float(finite.max()))} · "
        f"zeros {np.mean(finite == 0):.0%}{bad}"
    )


def standing(values: np.ndarray, value: np.ndarray) -> str:
    """Return a number, and how many of its layer's are above it, in words."""
    above = int((values > value).sum())
    return f"{value_text(value)} · {above} of {len(values)} are higher"
