"""Checks of the map on the screen: each on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import bqplot
import ipywidgets
import numpy as np

from ..attribution import METHODS, NO_MAPS, Attribution
from ..attribution.trust import DELETION, INSERTION, Curve, likeness
from ..errors import ActWidgetsError
from ..keys import Target
from ..rendering import charts, pictures
from ..rendering.palettes import DIVERGING
from ..rendering.pictures import Picture
from ..session import Session
from . import text
from .asked import Asked
from .attribution_view import LONG, as_plane, duration, scale_of
from .base import Stage, View
from .channel_view import fitted
from .parts import close_whole
from .recipe import Setting
from .surface import Box, Placed, Surface

_CURVES, _SHUFFLED, _OTHER, _COMPLETE = "Curves", "Shuffled weights", "Another class", "Completeness"
_SIDE = 180
_GAP = 12
_COLOURS = {DELETION: "#d55e00", INSERTION: "#0072b2"}


@dataclass(frozen=True)
class Checks:
    """What was found out about a map.

    Attributes
    ----------
    result : Attribution or None
        What is checked; None for nothing.
    maps : list of (str, Picture)
        The map, and those beside it, with their names.
    curves : list of Curve
        Deletion and insertion.
    findings : list of str
        In words.
    """

    result: Attribution | None = None
    maps: list[tuple[str, Picture]] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @property
    def array(self) -> np.ndarray:
        """The map that is checked, on its own grid."""
        return np.zeros((0, 0), np.float32) if self.result is None else as_plane(self.result.maps[0])

    @property
    def checked(self) -> Attribution:
        """What is checked."""
        assert self.result is not None, "the map is made first"
        return self.result


Found = Iterator[tuple[float, str, Checks]]
Check = Callable[[Asked, Checks], Found]


class TrustPanel(View):
    """Whether the map on the screen can be trusted: checks to switch on, one by one.

    Curves: how the score falls when the places that the map marks are covered first, and how it rises
    when they come first (Petsiuk et al. 2018). Shuffled weights: the same map of a model that has learned
    nothing (Adebayo et al. 2018). Another class: the same map for the class that comes second.
    Completeness: whether the values add up to what the score gained.

    Parameters
    ----------
    session : Session
        The model and batch to look at.
    """

    title = "Trust"
    watches = ("layer", "sample", "target", "target_layer", "method", "scores", "parameters")
    working = "asking the model"

    def __init__(self, session: Session) -> None:
        names = (_CURVES, _SHUFFLED, _OTHER, _COMPLETE)
        self._wishes = {
            name: ipywidgets.ToggleButton(description=name, layout={"width": "auto"}) for name in names
        }
        scales = {"x": bqplot.LinearScale(min=0, max=1), "y": bqplot.LinearScale()}
        self._lines = {
            kind: bqplot.Lines(
                x=np.zeros(2),
                y=np.zeros(2),
                scales=scales,
                colors=[colour],
                labels=[kind],
                display_legend=True,
            )
            for kind, colour in _COLOURS.items()
        }
        self._axes = [
            bqplot.Axis(
                scale=scales["x"],
                label="share of the places",
                label_offset="30px",
                tick_format=".0%",
                tick_values=np.linspace(0, 1, 5),
                grid_lines="none",
            ),
            bqplot.Axis(scale=scales["y"], side="left", tick_format=".2~g", num_ticks=5),
        ]
        self._figure = bqplot.Figure(
            marks=list(self._lines.values()),
            axes=self._axes,
            legend_location="top-right",
            animation_duration=0,
            fig_margin={"top": 10, "bottom": 40, "left": 48, "right": 24},
            layout={"width": "100%", "height": "210px", "min_width": "0"},
            background_style={"fill": "transparent"},
        )
        # bqplot measures the room it has when it is first shown.
        self._chart = ipywidgets.VBox(layout={"overflow": "visible"})
        self._surface = Surface(3 * _SIDE + 2 * _GAP, _SIDE)
        self._names = ipywidgets.HTML()
        self._under = ipywidgets.HTML()
        self._other: tuple[tuple[int, int], Session] | None = None
        super().__init__(session)
        for wish in self._wishes.values():
            wish.observe(self._on_change, names=["value"])

    def _get_checks(self) -> tuple[str, ...]:
        return tuple(name for name, wish in self._wishes.items() if wish.value)

    def _set_checks(self, names: Iterable[str]) -> None:
        for name, wish in self._wishes.items():
            wish.value = name in names

    checks = Setting(_get_checks, _set_checks, doc="Names of the checks that are switched on.", usual=())

    def build(self) -> list[ipywidgets.Widget]:
        """Return the switches, the curves, the maps side by side, and the findings."""
        wishes = ipywidgets.HBox(list(self._wishes.values()), layout={"flex_flow": "row wrap"})
        return [wishes, self._chart, self._surface.widget, self._names, self._under]

    def key(self) -> tuple:
        """Return what is explained, and what is to be checked."""
        wished = self.checks
        return (Asked.of(self.session) if wished else None), wished

    def is_ready(self, key: tuple) -> bool:
        """Whether nothing is to be checked."""
        return not key[1]

    def stages(self, key: tuple) -> Iterator[Stage]:
        """Yield the findings one after the other."""
        asked, wished = key
        if not wished or not asked.has_place:
            yield Stage(Checks(findings=[NO_MAPS] if wished else []))
            return
        seconds = self._seconds(asked, wished)
        if seconds > LONG:
            yield Stage(Checks(), 0.0, f"maps to compare, about {duration(seconds)}", waits=True)
        checks = Checks()
        parts: list[Check] = [self._map, *(self._check(name) for name in wished)]
        for number, part in enumerate(parts):
            try:
                for share, words, found in part(asked, checks):
                    checks = found
                    yield Stage(checks, min((number + share) / len(parts), 0.999), words)
            except ActWidgetsError as error:
                if checks.result is None:
                    raise
                words = f"{wished[number - 1]}: {error}"  # the other checks go on
                checks = replace(checks, findings=[*checks.findings, words])
        yield Stage(checks)

    def _seconds(self, asked: Asked, wished: tuple[str, ...]) -> float:
        """Return how long the maps take that are wished for and not kept."""
        costs = [asked.estimate(self.session)]
        if _OTHER in wished:
            costs.append(replace(asked, target=self._second(asked)).estimate(self.session))
        if _SHUFFLED in wished:
            made = self._other is not None and self._other[0] == self._now
            costs.append(
                asked.estimate(self._shuffled_session()) if made else asked.estimate(self.session, anew=True)
            )
        return sum(cost.seconds for cost in costs)

    def _map(self, asked: Asked, checks: Checks) -> Found:
        for part in asked.steps(self.session):
            yield part.share, f"the map itself: {part.words}", checks
        yield 1.0, "the map itself", Checks(part.result, [_named("this map", part.result)])

    def _check(self, name: str) -> Check:
        checks: dict[str, Check] = {
            _CURVES: self._curves,
            _SHUFFLED: self._shuffled,
            _OTHER: self._another,
            _COMPLETE: self._completeness,
        }
        return checks[name]

    def _curves(self, asked: Asked, checks: Checks) -> Found:
        done: list[Curve] = []
        for number, kind in enumerate((DELETION, INSERTION)):
            for curve in self.session.curve_steps(checks.checked, asked.sample, kind):
                known = np.isfinite(curve.scores).mean()
                yield (number + known) / 2, f"{kind} curve", replace(checks, curves=[*done, curve])
            done.append(curve)
        words = (
            f"Area under the deletion curve {done[0].area:.3g} (smaller is better), under the "
            f"insertion curve {done[1].area:.3g} (larger is better)."
        )
        yield 1.0, "", replace(checks, curves=done, findings=[*checks.findings, words])

    def _shuffled(self, asked: Asked, checks: Checks) -> Found:
        session = self._shuffled_session()
        for part in asked.steps(session):
            yield part.share, f"shuffled weights: {part.words}", checks
        yield 1.0, "", self._beside(checks, "weights shuffled", part.result, "with all weights shuffled")

    def _shuffled_session(self) -> Session:
        """Return the session with shuffled weights, made once for these inputs and weights."""
        if self._other is None or self._other[0] != self._now:
            self._other = self._now, self.session.shuffled()
        return self._other[1]

    @property
    def _now(self) -> tuple[int, int]:
        """What the session reads just now."""
        return id(self.session.reader), self.session.version

    def _another(self, asked: Asked, checks: Checks) -> Found:
        other = self._second(asked)
        name = self.session.target_name(other)
        for part in replace(asked, target=other).steps(self.session):
            yield part.share, f"{name}: {part.words}", checks
        yield 1.0, "", self._beside(checks, name, part.result, f"of “{name}”")

    def _second(self, asked: Asked) -> int | Target:
        """Return the class that comes first among the others; the next channel of a layer."""
        if isinstance(asked.target, Target):
            layer = asked.target.layer or ""
            return replace(asked.target, unit=(asked.target.unit + 1) % self.session.reader.channels(layer))
        values = self.session.predictions(asked.sample)
        if len(values) == 1:
            return 1 - asked.target
        order = np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable").tolist()
        return next(unit for unit in order if unit != asked.target)

    def _beside(self, checks: Checks, name: str, result: Attribution, words: str) -> Checks:
        alike = likeness(checks.checked.maps[0], result.maps[0])
        if np.isfinite(alike):
            finding = f"Correlation with the map {words}: {alike:.2f}" + (
                ". A map that hardly changes does not show what it should." if alike > 0.8 else "."
            )
        else:
            finding = f"The map {words} is blank. {result.blank_reason(0) or ''}"
        return replace(
            checks, maps=[*checks.maps, _named(name, result)], findings=[*checks.findings, finding]
        )

    def _completeness(self, asked: Asked, checks: Checks) -> Found:
        own = asked.method == "integrated_gradients"
        question = replace(asked, method="integrated_gradients", layer=None, chosen="", parameters=())
        for part in (asked if own else question).steps(self.session):
            yield part.share, f"integrated gradients: {part.words}", checks
        finding = part.result.remarks[0]
        if not own:
            title = METHODS[asked.method].title
            finding = f"{title} does not add up to the score; integrated gradients do. {finding}"
        yield 1.0, "", replace(checks, findings=[*checks.findings, finding])

    def draw(self, result: Checks) -> None:
        """Show what is known."""
        self._chart.children = (self._figure,) if result.curves else ()
        for curve in result.curves:
            known = np.isfinite(curve.scores)
            with self._lines[curve.kind].hold_sync():
                self._lines[curve.kind].x = curve.shares[known]
                self._lines[curve.kind].y = curve.scores[known].astype(np.float64)
        if result.curves:
            is_class = not isinstance(result.checked.target, Target)
            scores = np.concatenate([curve.scores for curve in result.curves])
            self._fit_heights(scores, is_class and self.session.head.probabilities)
        maps = result.maps if len(result.maps) > 1 else []
        self._surface.widget.layout.display = "" if maps else "none"
        if maps:
            sizes = [fitted(picture.indices.shape, _SIDE) for _, picture in maps]
            self._surface.resize(len(maps) * (_SIDE + _GAP) - _GAP, round(max(s.height for s in sizes)))
            boxes = [Box(i * (_SIDE + _GAP), 0, s.width, s.height) for i, s in enumerate(sizes)]
            self._surface.show(
                [
                    Placed(picture.png(), picture.indices.shape, box)
                    for (_, picture), box in zip(maps, boxes, strict=True)
                ]
            )
        self._names.value = text.columns([name for name, _ in maps]) if maps else ""
        self._under.value = "".join(map(text.caption, result.findings))
        self.note("" if result.findings else "checks of the map, on demand")

    def _fit_heights(self, scores: np.ndarray, are_probabilities: bool) -> None:
        low, high = min(0.0, float(np.nanmin(scores))), float(np.nanmax(scores))
        if low == 0 and high <= 1 and are_probabilities:
            high = 1.0
        axis = self._axes[1]
        axis.scale.min, axis.scale.max = low, max(high, low + 1e-9)
        axis.tick_values = np.linspace(low, high, 5)

    def picture(self, result: Checks) -> bytes:
        """Return maps and findings as a PNG."""
        rows = (
            [charts.beside([pictures.enlarged(p.rgb(), _SIDE) for _, p in result.maps])]
            if result.maps
            else []
        )
        lines = charts.text_lines(result.findings or ["No check was asked for."])
        return pictures.png_of(charts.stacked([*rows, lines]))

    def release(self) -> None:
        """Free the canvases, and the chart if it is not shown."""
        self._surface.close()
        close_whole(self._figure)


def _named(name: str, result: Attribution) -> tuple[str, Picture]:
    chart = as_plane(result.maps[0])
    colours = DIVERGING if result.signed else "inferno"
    return name, Picture(pictures.quantised(chart, scale_of(chart, result)), colours)
