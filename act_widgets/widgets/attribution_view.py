"""Where the class's score comes from, laid over the input."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import ipywidgets
import numpy as np

from ..attribution import METHODS, NO_MAPS, Attribution
from ..attribution.resample import resized
from ..rendering import charts, pictures
from ..rendering.palettes import DIVERGING
from ..rendering.pictures import Picture, Scale
from ..session import Session
from . import text
from .asked import Asked
from .base import View
from .channel_view import fitted
from .ground import Ground, ground_of
from .kept import Kept
from .recipe import of_control
from .stage import Stage
from .surface import Placed, Scene, Sheet, Surface

_SIDE = 560
COLOURS = "inferno"
_OPACITY = 0.55
# Small inputs are enlarged so far, cell by cell, that the map above them can be smooth.
_FINE = 112
# Seconds from which on work says what it will take, and waits for the user's word.
_NOTICED, LONG = 1.0, 10.0


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
    colours : str
        Name of the colour map.
    ground : Ground
        The input.
    """

    array: np.ndarray
    large: Picture | None
    scale: Scale
    ground: Ground
    name: str
    remark: str
    colours: str

    @cached_property
    def sheet(self) -> Sheet | None:
        """The map, to be sent once."""
        return None if self.large is None else Sheet(self.large.png())


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
    watches = ("layer", "sample", "target", "target_layer", "method", "scores", "parameters")
    working = "asking the model"
    opacity = of_control("_opacity", _OPACITY, "That of the map over the input: ``float`` from 0 to 1.")

    def __init__(self, session: Session) -> None:
        self._opacity = ipywidgets.FloatSlider(
            description="Opacity", min=0, max=1, step=0.05, value=_OPACITY, readout_format=".0%"
        )
        self._surface = Surface(_SIDE, _SIDE)
        self._ground = Kept()
        self._bar = ipywidgets.HTML()
        self._under = ipywidgets.HTML()
        super().__init__(session)
        self._opacity.observe(self._on_change, names=["value"])

    def build(self) -> list[ipywidgets.Widget]:
        """Return the overlay, its opacity, its colour bar, and what it says."""
        return [self._surface.face, self._opacity, self._bar, self._under]

    def key(self) -> Asked:
        """Return what the selection asks to have explained, and how."""
        return Asked.of(self.session)

    def look(self) -> float:
        """The opacity over the input."""
        return self._opacity.value

    def is_ready(self, key: Asked) -> bool:
        """Whether activation and gradient can be looked up."""
        return not key.has_place or key.is_kept(self.session)

    def stages(self, key: Asked) -> Iterator[Stage]:
        """Yield the map as it comes to be; what takes long waits for the user's word."""
        if not key.has_place:
            yield Stage(self._without_map(key))
            return
        cost = key.estimate(self.session)
        if cost.seconds > _NOTICED:
            words = f"{cost.runs:,} passes of the model, about {duration(cost.seconds)}"
            yield Stage(self._without_map(key), 0.0, words, waits=cost.seconds > LONG)
        start = time.monotonic()
        for part in key.steps(self.session):
            gone = time.monotonic() - start
            left = f" · about {duration(gone / part.share - gone)} left" if 0 < part.share < 1 else ""
            yield Stage(self._overlay(key, part.result), part.share, part.words + left)

    def _overlay(self, key: Asked, result: Attribution) -> Overlay:
        """Return a map and what to say of it."""
        chart = as_plane(result.maps[0])
        scale = scale_of(chart, result)
        colours = DIVERGING if result.signed else COLOURS
        ground = self._ground_of(key.sample, colours)
        large = resized(np.nan_to_num(chart), ground.rgb.shape[:2])
        picture = Picture(pictures.quantised(large, scale), colours)
        name = self.session.target_name(key.target)
        return Overlay(chart, picture, scale, ground, name, described(self.session, key, result), colours)

    def _without_map(self, key: Asked) -> Overlay:
        ground = self._ground_of(key.sample, COLOURS)
        words = "" if key.has_place else NO_MAPS
        name = self.session.target_name(key.target)
        return Overlay(np.zeros((0, 0), np.float32), None, Scale(0.0, 0.0), ground, name, words, COLOURS)

    def _ground_of(self, sample: int, colours: str) -> Ground:
        """Return the input under a map; the same one as long as it does not change."""
        photos = self.session.photos
        wanted = self.session.version, sample, colours
        return self._ground.get(wanted, lambda: ground_of(pictures.enlarged(photos[sample], _FINE), colours))

    def draw(self, result: Overlay) -> None:
        """Show the input, and the map above it."""
        box = fitted(result.ground.rgb.shape[:2], _SIDE)
        placed = []
        if result.sheet is not None:
            placed = [Placed(result.sheet, box, opacity=self._opacity.value, smooth=True)]
        size = round(box.width), round(box.height)
        self._surface.show(size, Scene(placed), ground=result.ground.sheet)
        self._bar.value = text.colour_bar(result.colours, result.scale) if result.large is not None else ""
        self._under.value = text.caption(result.remark)
        self.note(result.name)

    def picture(self, result: Overlay) -> bytes:
        """Return the overlay as a PNG."""
        mixed = result.ground.rgb
        if result.large is not None:
            mixed = pictures.blended(mixed, result.large.rgb(), self._opacity.value)
        return pictures.png_of(pictures.enlarged(mixed, _SIDE))

    def panels(self, result: Overlay) -> list[np.ndarray]:
        """Return the overlay, its colour bar, and what it says."""
        found = [*super().panels(result), charts.paragraph(result.remark)]
        if result.large is not None:
            found.insert(1, charts.colour_bar(result.colours, result.scale, text.ends(result.scale)))
        return found


def described(session: Session, asked: Asked, result: Attribution) -> str:
    """Return method, layer, which scores were explained, and why a map is blank if it is."""
    missing = asked.chosen and asked.layer != asked.chosen
    placeless = f"'{asked.chosen}' has no spatial axes." if missing else ""
    return " ".join(filter(None, [statement(session, result), placeless, remarks(result)]))


def statement(session: Session, result: Attribution) -> str:
    """Return method, layer, and which scores were explained."""
    scores = result.scores
    if scores == "logits" and not session.head.probabilities:
        scores = "model's output values"
    place = session.reader.place_name(result.layer)
    value = float(result.score[0])
    score = "not recorded" if session.steps and np.isnan(value) else text.number(value)
    return f"{METHODS[result.method].title} at {place}, explaining the {scores} ({score})."


def remarks(result: Attribution) -> str:
    """Return why a map is blank if it is, and what else the method says."""
    return " ".join([result.blank_reason(0) or "", *result.remarks]).strip()


def scale_of(chart: np.ndarray, result: Attribution) -> Scale:
    """Return the values at both ends of the colours: about zero for signed maps."""
    finite = chart[np.isfinite(chart)]
    low, high = float(finite.min(initial=0)), float(finite.max(initial=0))
    if result.signed:
        return Scale(-max(-low, high), max(-low, high))
    if result.method == "rise" and finite.size:  # means of scores: none of them is near zero
        return Scale(float(finite.min()), float(finite.max()))
    return Scale(0.0, high)


def as_plane(values: np.ndarray) -> np.ndarray:
    """Return a map of any number of axes as two: sequences lie flat, volumes show their middle."""
    while values.ndim > 2:
        values = values[values.shape[0] // 2]
    return np.ascontiguousarray(np.atleast_2d(values), np.float32)


def duration(seconds: float) -> str:
    """Return a time in words, for the screen."""
    return f"{seconds / 60:.0f} min" if seconds > 90 else f"{max(seconds, 1):.0f} s"
