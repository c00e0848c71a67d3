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
from .axis_sliders import AxisSliders
from .base import View
from .channel_view import fitted
from .ground import Ground, ground_of
from .kept import Kept
from .map_slice import MapSlice, slice_of
from .recipe import of_control
from .stage import Stage
from .surface import Placed, Scene, Sheet, Surface
from .under import FIRST, Under, is_known, photo_under, places_under, under_of

_SIDE = 560
COLOURS = "inferno"
_OPACITY = 0.55
# Small inputs are enlarged so far, cell by cell, that the map above them can be smooth.
_FINE = 112
# Seconds from which on work says what it will take, and waits for the user's word.
_NOTICED, LONG = 1.0, 10.0


@dataclass(frozen=True, eq=False)
class Explained:
    """What is known of where a score comes from, before sliders choose what is drawn of it.

    Attributes
    ----------
    result : Attribution or None
        The map; None if no layer has one, or it is not there yet.
    sample : int
        Whose it is.
    name : str
        The class explained.
    remark : str
        Method, layer, which scores were explained, and why the map is blank if it is.
    under : Under
        Which input lies under it.
    """

    result: Attribution | None
    sample: int
    name: str
    remark: str
    under: Under

    @property
    def array(self) -> np.ndarray:
        """The whole map, raw, on the layer's grid."""
        return np.zeros((0, 0), np.float32) if self.result is None else self.result.maps[0]

    @cached_property
    def scale(self) -> Scale:
        """The values at both ends of the colours, the same for all slices."""
        return Scale(0.0, 0.0) if self.result is None else scale_of(self.result)

    @property
    def colours(self) -> str:
        """Name of the colour map."""
        return COLOURS if self.result is None else colours_of(self.result)


@dataclass(frozen=True)
class Overlay:
    """A map, or a slice of it, and the input under it.

    Attributes
    ----------
    shown : MapSlice
        What is drawn of the map.
    large : Picture or None
        The same interpolated to the input's size; None if no layer has a map.
    ground : Ground or None
        The input; None if the map is drawn alone.
    remark : str
        What is to be said of both.
    """

    shown: MapSlice
    large: Picture | None
    ground: Ground | None
    remark: str

    @cached_property
    def sheet(self) -> Sheet | None:
        """The map, to be sent once."""
        return None if self.large is None else Sheet(self.large.png())

    @property
    def shape(self) -> tuple[int, ...]:
        """Height and width of what is drawn."""
        if self.ground is not None:
            return self.ground.rgb.shape[:2]
        return (1, 1) if self.large is None else self.large.indices.shape

    def blended(self, opacity: float) -> np.ndarray:
        """Return both as ``(height, width, 3) uint8``, the map with this opacity if the input is under it."""
        if self.ground is None:
            return np.full((1, 1, 3), 128, np.uint8) if self.large is None else self.large.rgb()
        if self.large is None:
            return self.ground.rgb
        return pictures.blended(self.ground.rgb, self.large.rgb(), opacity)


class AttributionView(View):
    """An attribution map for the chosen class, at the chosen layer, over the input.

    Of several inputs that is the first picture that the layer depends on; the caption names it if it is not
    the first input. If there is none, the map is drawn alone, and the caption says so.

    A layer without spatial axes has no map: the nearest one that has them is taken, and the view
    says so. Of the map of a volume or an image sequence a slice is shown, and has a slider; colours mean
    the same in all of them.

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
        self._ground, self._overlay = Kept(), Kept()
        self._bar = ipywidgets.HTML()
        self._under = ipywidgets.HTML()
        super().__init__(session)
        self._opacity.observe(self._on_change, names=["value"])

    def build(self) -> list[ipywidgets.Widget]:
        """Return the sliders of a map with slices, the overlay, its opacity, its colour bar, what it says."""
        self._sliders = AxisSliders(self)
        return [self._sliders.widget, self._surface.face, self._opacity, self._bar, self._under]

    def key(self) -> Asked:
        """Return what the selection asks to have explained, and how."""
        return Asked.of(self.session)

    def look(self) -> tuple:
        """The opacity over the input, how axes are chosen, and where sliders stand."""
        return self._opacity.value, self.session.axes.chosen, self.session.axes.places

    def is_ready(self, key: Asked) -> bool:
        """Whether activation and gradient can be looked up."""
        if not key.has_place:
            return True
        return key.is_kept(self.session) and is_known(self.session, key.address(self.session))

    def stages(self, key: Asked) -> Iterator[Stage]:
        """Yield the map as it comes to be; what takes long waits for the user's word."""
        if not key.has_place:
            yield Stage(self._without_map(key))
            return
        cost, under = key.estimate(self.session), under_of(self.session, key.address(self.session))
        if cost.seconds > _NOTICED:
            words = f"{cost.runs:,} passes of the model, about {duration(cost.seconds)}"
            yield Stage(self._without_map(key, under), 0.0, words, waits=cost.seconds > LONG)
        start = time.monotonic()
        for part in key.steps(self.session):
            gone = time.monotonic() - start
            left = f" · about {duration(gone / part.share - gone)} left" if 0 < part.share < 1 else ""
            yield Stage(self._explained(key, part.result, under), part.share, part.words + left)

    def _explained(self, key: Asked, result: Attribution, under: Under) -> Explained:
        """Return a map and what to say of it."""
        name = self.session.target_name(key.target)
        return Explained(result, key.sample, name, described(self.session, key, result), under)

    def _without_map(self, key: Asked, under: Under = FIRST) -> Explained:
        words = "" if key.has_place else NO_MAPS
        return Explained(None, key.sample, self.session.target_name(key.target), words, under)

    @property
    def array(self) -> np.ndarray:
        """The numbers on the screen: the map, or the slice of it that is shown."""
        return self._shown_of(self._result(self.key())).array

    def _shown_of(self, explained: Explained) -> MapSlice:
        if explained.result is None:
            return MapSlice(explained.array)
        return slice_of(self.session, explained.result)

    def _overlay_of(self, explained: Explained) -> Overlay:
        """Return what is on the screen of a map; the same one as long as nobody moves a slider."""
        shown, under = self._shown_of(explained), places_under(self.session, explained.under.index)
        wanted = explained, shown.axes, tuple(shown.sliders.items()), tuple(under.items())
        return self._overlay.get(wanted, lambda: self._laid(explained, shown, under))

    def _laid(self, explained: Explained, shown: MapSlice, under: dict[str, int]) -> Overlay:
        """Return a map, or a slice of it, over the input."""
        ground, large, still = self._ground_of(explained, under), None, ""
        if explained.result is not None:
            sides = enlarged_sides(shown.array.shape) if ground is None else ground.rgb.shape[:2]
            fine = resized(np.nan_to_num(shown.array), sides)
            large = Picture(pictures.quantised(fine, explained.scale), explained.colours)
            still = "" if ground is None else shown.said_of_ground(under)
        said = explained.under.sentence if large is not None else ""
        words = filter(None, [explained.remark, said, shown.words, still])
        return Overlay(shown, large, ground, " ".join(words))

    def _ground_of(self, explained: Explained, under: dict[str, int]) -> Ground | None:
        """Return the input under a map, made once for all maps in these colours."""
        session, sample, colours = self.session, explained.sample, explained.colours
        index = explained.under.index
        if index is None:
            return None
        return self._ground.get(
            (session.version, sample, colours, index, tuple(under.items())),
            lambda: ground_of(pictures.enlarged(photo_under(session, sample, index), _FINE), colours),
        )

    def draw(self, result: Explained) -> None:
        """Show the input, and the map above it."""
        overlay = self._overlay_of(result)
        box, ground = fitted(overlay.shape, _SIDE), overlay.ground
        placed = []
        if overlay.sheet is not None:
            opacity = 1.0 if ground is None else self._opacity.value
            placed = [Placed(overlay.sheet, box, opacity=opacity, smooth=True)]
        size = round(box.width), round(box.height)
        self._surface.show(size, Scene(placed), ground=None if ground is None else ground.sheet)
        self._opacity.layout.display = "none" if ground is None else None
        self._sliders.show(overlay.shown.sliders)
        self._bar.value = "" if overlay.large is None else text.colour_bar(result.colours, result.scale)
        self._under.value = text.caption(overlay.remark)
        self.note(result.name)

    def picture(self, result: Explained) -> bytes:
        """Return the overlay as a PNG."""
        mixed = self._overlay_of(result).blended(self._opacity.value)
        return pictures.png_of(pictures.enlarged(mixed, _SIDE))

    def panels(self, result: Explained) -> list[np.ndarray]:
        """Return the overlay, its colour bar, and what it says."""
        found = [*super().panels(result), charts.paragraph(self._overlay_of(result).remark)]
        if result.result is not None:
            found.insert(1, charts.colour_bar(result.colours, result.scale, text.ends(result.scale)))
        return found

    def release(self) -> None:
        """Let go of the axes that the sliders follow."""
        self._sliders.close()


def enlarged_sides(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return height and width of a small map drawn alone: whole times its own, so that it can be smooth."""
    times = max(1, -(-_FINE // max(shape)))
    return shape[0] * times, shape[1] * times


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


def scale_of(result: Attribution) -> Scale:
    """Return the values at both ends of the colours of the first map: about zero for signed maps."""
    chart = result.maps[0]
    finite = chart[np.isfinite(chart)]
    low, high = float(finite.min(initial=0)), float(finite.max(initial=0))
    if result.signed:
        return Scale(-max(-low, high), max(-low, high))
    if result.method == "rise" and finite.size:  # means of scores: none of them is near zero
        return Scale(float(finite.min()), float(finite.max()))
    return Scale(0.0, high)


def colours_of(result: Attribution) -> str:
    """Return the name of the colour map of a map."""
    return DIVERGING if result.signed else COLOURS


def duration(seconds: float) -> str:
    """Return a time in words, for the screen."""
    return f"{seconds / 60:.0f} min" if seconds > 90 else f"{max(seconds, 1):.0f} s"
