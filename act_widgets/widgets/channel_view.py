"""The chosen channel, large, or laid over the input."""

from __future__ import annotations

from dataclasses import dataclass

import ipywidgets
import numpy as np
from PIL import Image

from ..rendering import pictures
from ..rendering.palettes import DIVERGING, SEQUENTIAL
from ..rendering.pictures import Picture, Scale
from ..session import Session
from . import text
from .base import View
from .maps import drawable, maps_of
from .surface import Box, Placed, Surface

_SIDE = 560
_ALONE, _OVER = "alone", "over the input"


@dataclass(frozen=True)
class ChannelMap:
    """One channel's map.

    Attributes
    ----------
    array : (height, width) ndarray
        As computed.
    photo : (height, width, 3) uint8 ndarray or None
        The input under it.
    """

    array: np.ndarray
    picture: Picture
    scale: Scale
    photo: np.ndarray | None
    layer: str
    words: str


class ChannelView(View):
    """The map of the chosen channel at full resolution.

    Parameters
    ----------
    session : Session
        The model and batch to look at.
    """

    title = "Channel map"
    watches = ("layer", "channel", "sample")

    def __init__(self, session: Session) -> None:
        self._way = ipywidgets.ToggleButtons(options=[_ALONE, _OVER], value=_ALONE)
        self._opacity = ipywidgets.FloatSlider(
            description="Opacity", min=0, max=1, step=0.05, value=0.6, readout_format=".0%"
        )
        self._surface = Surface(_SIDE, _SIDE)
        self._bar = ipywidgets.HTML()
        self._under = ipywidgets.HTML()
        super().__init__(session)
        self._way.observe(self._on_change, names=["value"])
        self._opacity.observe(self._on_change, names=["value"])

    def build(self) -> list[ipywidgets.Widget]:
        """Return the choice of ground, opacity, the map, its colour bar and its summary."""
        return [self._way, self._opacity, self._surface.widget, self._bar, self._under]

    def key(self) -> tuple:
        """Layer, sample, channel, and whether the input is under it."""
        chosen = self.session.selection
        return chosen.layer, chosen.sample, chosen.channel, self._way.value == _OVER

    def look(self) -> float:
        """The opacity over the input."""
        return self._opacity.value

    def is_ready(self, key: tuple) -> bool:
        """Whether the activation can be looked up."""
        return self.session.reader.is_ready(key[0], key[1], key[2])

    def compute(self, key: tuple) -> ChannelMap:
        """Return the channel's map and what to say of it."""
        layer, sample, channel, over = key
        tap = self.session.tap(layer)
        values = drawable(self.session.reader.sample_channel(layer, sample, channel), tap)
        values = maps_of(values).array[0]
        scale = pictures.finite_scale(values)
        indices = pictures.quantised(values, scale)
        drawn = Picture(indices, DIVERGING if scale.signed else SEQUENTIAL[0])
        photo = self.session.photos[sample] if over else None
        return ChannelMap(values, drawn, scale, photo, layer, f"channel {channel}")

    def draw(self, result: ChannelMap) -> None:
        """Show the map, above the input if that is wanted."""
        height, width = result.array.shape
        shape = result.photo.shape[:2] if result.photo is not None else (height, width)
        box = fitted(shape, _SIDE)
        placed = [Placed(result.picture.png(), (height, width), box, self._alpha(result))]
        if result.photo is not None:
            placed.insert(0, Placed(pictures.png_of(result.photo), shape, box))
        self._surface.resize(round(box.width), round(box.height))
        self._surface.show(placed)
        self._opacity.layout.display = None if self._way.value == _OVER else "none"
        self._bar.value = text.colour_bar(result.picture.colours, result.scale)
        self._under.value = text.caption(summary(result.array))
        self.note(result.words, result.layer)

    def picture(self, result: ChannelMap) -> bytes:
        """Return the map as a PNG, over the input if that is shown."""
        large = pictures.enlarged(result.picture.rgb(), _SIDE)
        if result.photo is None:
            return pictures.png_of(large)
        photo = Image.fromarray(result.photo).resize(large.shape[1::-1], Image.Resampling.BILINEAR)
        return pictures.png_of(pictures.blended(np.asarray(photo), large, self._opacity.value))

    def release(self) -> None:
        """Free the canvases."""
        self._surface.close()

    def _alpha(self, result: ChannelMap) -> float:
        return 1.0 if result.photo is None else self._opacity.value


def fitted(shape: tuple[int, ...], side: int) -> Box:
    """Return the box of `shape` (height, width) whose longer side is `side`, at least 24 high."""
    height, width = shape
    scale = side / max(height, width)
    return Box(0, 0, max(24, round(width * scale)), max(24, round(height * scale)))


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
