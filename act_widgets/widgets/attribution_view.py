"""Where the class's score comes from, laid over the input."""

from __future__ import annotations

from dataclasses import dataclass

import ipywidgets
import numpy as np
from PIL import Image

from ..attribution import METHODS, NO_MAPS, nearest_spatial
from ..rendering import pictures
from ..rendering.pictures import Picture, Scale
from ..session import Session
from . import text
from .base import View
from .channel_view import fitted
from .surface import Placed, Surface

_SIDE = 560
_COLOURS = "inferno"
# Small inputs are enlarged so far, cell by cell, that the map above them can be smooth.
_FINE = 112


@dataclass(frozen=True)
class Overlay:
    """A map and the input under it.

    Attributes
    ----------
    array : (height, width) float32 ndarray
        The map, raw, on the layer's grid.
    large : Picture or None
        The map interpolated to the input's size; None if no layer has one.
    name : str
        The class explained.
    remark : str
        Method, layer, which scores were explained, and why the map is blank if it is.
    """

    array: np.ndarray
    large: Picture | None
    scale: Scale
    photo: np.ndarray
    name: str
    remark: str


class AttributionView(View):
    """An attribution map for the chosen class, at the chosen layer, over the input.

    A layer without spatial axes has no map: the nearest one that has them is taken, and the view
    says so.

    Parameters
    ----------
    session : Session
        The model and batch to look at.
    """

    title = "Attribution"
    watches = ("layer", "sample", "target", "method")
    working = "one backward pass, kept for all layers"

    def __init__(self, session: Session) -> None:
        self._opacity = ipywidgets.FloatSlider(
            description="Opacity", min=0, max=1, step=0.05, value=0.55, readout_format=".0%"
        )
        self._surface = Surface(_SIDE, _SIDE)
        self._bar = ipywidgets.HTML()
        self._under = ipywidgets.HTML()
        super().__init__(session)
        self._opacity.observe(self._on_change, names=["value"])

    def build(self) -> list[ipywidgets.Widget]:
        """Return the overlay, its opacity, its colour bar, and what it says."""
        return [self._surface.widget, self._opacity, self._bar, self._under]

    def key(self) -> tuple:
        """Layer with spatial axes, the layer chosen, sample, class and method."""
        chosen = self.session.selection
        layer = nearest_spatial(self.session.reader.taps, chosen.layer)
        target = self.session.top_class(chosen.sample) if chosen.target is None else chosen.target
        return layer, chosen.layer, chosen.sample, target, chosen.method

    def look(self) -> float:
        """The opacity over the input."""
        return self._opacity.value

    def is_ready(self, key: tuple) -> bool:
        """Whether activation and gradient can be looked up."""
        return key[0] is None

    def compute(self, key: tuple) -> Overlay:
        """Return the map and what to say of it."""
        layer, chosen, sample, target, method = key
        name = self.session.class_name(target)
        photo = pictures.enlarged(self.session.photos[sample], _FINE)
        if layer is None:
            return Overlay(np.zeros((0, 0), np.float32), None, Scale(0.0, 0.0), photo, name, NO_MAPS)
        result = self.session.attribution(method, layer=layer, target=target, sample=sample)
        chart = _as_plane(result.maps[0])
        scale = Scale(0.0, float(np.nan_to_num(chart).max()))
        large = np.asarray(Image.fromarray(chart).resize(photo.shape[1::-1], Image.Resampling.BILINEAR))
        scores = result.scores if self.session.head.probabilities else "model's output values"
        remarks = [f"{METHODS[method].title} at '{layer}', explaining the {scores}."]
        if layer != chosen:
            remarks.append(f"'{chosen}' has no spatial axes.")
        remarks.append(result.blank_reason(0) or "")
        picture = Picture(pictures.quantised(large, scale), _COLOURS)
        return Overlay(chart, picture, scale, photo, name, " ".join(filter(None, remarks)))

    def draw(self, result: Overlay) -> None:
        """Show the input, and the map above it."""
        shape = result.photo.shape[:2]
        box = fitted(shape, _SIDE)
        self._surface.resize(round(box.width), round(box.height))
        placed = [Placed(pictures.png_of(result.photo), shape, box)]
        if result.large is not None:
            placed.append(Placed(result.large.png(), shape, box, self._opacity.value, smooth=True))
        self._surface.show(placed)
        self._bar.value = text.colour_bar(_COLOURS, result.scale) if result.large is not None else ""
        self._under.value = text.caption(result.remark)
        self.note(result.name)

    def picture(self, result: Overlay) -> bytes:
        """Return the overlay as a PNG."""
        mixed = result.photo
        if result.large is not None:
            mixed = pictures.blended(mixed, result.large.rgb(), self._opacity.value)
        return pictures.png_of(pictures.enlarged(mixed, _SIDE))

    def release(self) -> None:
        """Free the canvases."""
        self._surface.close()


def _as_plane(values: np.ndarray) -> np.ndarray:
    """Return a map of any number of axes as two: sequences lie flat, volumes show their middle."""
    while values.ndim > 2:
        values = values[values.shape[0] // 2]
    return np.ascontiguousarray(np.atleast_2d(values), np.float32)
