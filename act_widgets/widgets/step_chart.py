"""How the chosen channel or layer changed from step to step, and when the channel died."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np

from ..errors import ModelError
from ..recording.history import Channels, History, history, reading
from ..recording.record import Summary
from ..recording.timeline import RecordedStep, Timeline
from ..rendering import charts, pictures
from ..rendering.charts import Curve, Stroke
from ..session import Session
from . import text
from .base import View
from .maps import check_channels
from .recipe import of_control
from .stage import Stage
from .step_lines import BAD, LINES, NOW, StepLines, ends_of, heights_of
from .worker import worker_of

_CHANNEL, _LOSS = "channel", "loss"
# What can be drawn of a layer: its words, and the fields of the summaries with theirs.
_OF_LAYER = {
    "layer": {"mean": "mean", "deviation": "deviation"},
    "dead": {"dead": "share of channels that are 0 everywhere", "zeros": "share of zeros"},
    "gradient": {"gradient_norm": "norm of the gradient"},
    "weights": {"weight_norm": "norm of the weights"},
}
_OFFERS = {
    "channel: mean and largest": _CHANNEL,
    "layer: mean and deviation": "layer",
    "layer: dead and zero": "dead",
    "layer: gradient": "gradient",
    "layer: weights": "weights",
    "loss": _LOSS,
}
# Seconds of reading between two stages.
_TURN = 0.1


@dataclass(frozen=True)
class Course:
    """Numbers over steps.

    Attributes
    ----------
    array : (steps, lines) float64 ndarray
        NaN for what there is not.
    steps : (steps,) int ndarray
    curves : list of Curve
        The same, with names.
    bad : (steps,) bool ndarray
        Where something of the layer, or the loss, is NaN or infinite.
    layer, words : str
        What is drawn.
    """

    array: np.ndarray
    steps: np.ndarray
    curves: list[Curve]
    bad: np.ndarray
    layer: str
    words: str

    def at(self, place: float) -> str:
        """Return the values at the step that is nearest to a place."""
        near = int(np.argmin(np.abs(self.steps - place)))
        values = [f"{curve.name} {text.number(float(curve.y[near]))}" for curve in self.curves]
        return " · ".join([f"step {self.steps[near]}", *values])


class StepChart(View):
    """What became of the chosen channel or layer over the steps of a recording, as lines.

    Of a channel the mean and the largest activation are drawn, over all samples and positions; where only
    summaries were recorded, those of the layer. Steps with NaN or infinite values are marked, and so is the
    step that is shown. The button tells when the channel died, and goes there.

    Parameters
    ----------
    session : Session
        The recording to look at.
    """

    title = "Over the steps"
    watches = ("layer", "channel")
    working = "reading the steps"
    shown = of_control(
        "_drawn_of",
        _CHANNEL,
        "What is drawn: ``'channel'``, ``'layer'``, ``'dead'``, ``'gradient'``, ``'weights'`` or ``'loss'``.",
    )

    def __init__(self, session: Session) -> None:
        self._drawn_of = ipywidgets.Dropdown(
            options=list(_OFFERS.items()), description="Lines", layout={"width": "auto", "flex": "1 1 200px"}
        )
        self._ask = ipywidgets.Button(
            description="When did this channel die?", icon="crosshairs", layout={"width": "auto"}
        )
        self._lines = StepLines(self._point, self._leave)
        self._legend = ipywidgets.HTML()
        self._under = ipywidgets.HTML()
        self._answer = ipywidgets.HTML()
        self._course: Course | None = None
        self._read: tuple[Any, list[RecordedStep], History | None] = (None, [], None)
        self._made: tuple[Any, Course] = (None, _nothing())
        self._fate: tuple[str, int, str] | None = None
        super().__init__(session)
        self._drawn_of.observe(self._on_change, names=["value"])
        session.axes.observe(self._on_change, names=["chosen"])

    def build(self) -> list[ipywidgets.Widget]:
        """Return what is drawn, the chart, and the question with its answer."""
        self._ask.on_click(self.guarded(self._asked))
        line = ipywidgets.HBox([self._drawn_of, self._ask], layout={"flex_flow": "row wrap"})
        return [line, self._legend, self._lines.widget, self._under, self._answer]

    def key(self) -> tuple:
        """Layer, channel if one is drawn, what is drawn, the steps, and how axes are chosen."""
        chosen, shown = self.session.selection, self._drawn_of.value
        channel = chosen.channel if shown == _CHANNEL else None
        timeline = self.session.timeline
        steps = timeline.steps if timeline else ()
        return chosen.layer, channel, shown, steps, self.session.axes.chosen

    def look(self) -> tuple:
        """The step that is marked, and the channel that the answer is of."""
        return self.session.step, self.session.selection.channel

    def is_ready(self, key: tuple) -> bool:
        """Whether the steps were read."""
        return self._made[0] == key or self._read[0] == self._read_for(key) or not key[3]

    def stages(self, key: tuple) -> Iterator[Stage]:
        """Yield the lines as they are read."""
        if self._made[0] != key:
            yield from self._reading(key)
            self._made = key, self._course_of(key, *self._read[1:])
        yield Stage(self._made[1])

    def _reading(self, key: tuple) -> Iterator[Stage]:
        """Read what the lines take, and yield them as far as they are."""
        layer, _, shown, steps, _ = key
        timeline, wanted = self.session.timeline, self._read_for(key)
        if timeline is None or self._read[0] == wanted:
            return
        found: list[tuple[RecordedStep, Channels | None]] = []
        turn = time.monotonic()
        is_channel = shown == _CHANNEL
        every = reading(timeline, self.session.tap(layer)) if is_channel else _unread(timeline.moments())
        for moment, channels in every:
            found.append((moment, channels))
            if time.monotonic() - turn > _TURN and len(found) < len(steps):
                part = self._course_of(key, *self._gathered(found, layer))
                yield Stage(part, len(found) / len(steps), f"step {moment.step} of {steps[-1]}")
                turn = time.monotonic()
        self._read = (wanted, *self._gathered(found, layer))

    def draw(self, result: Course) -> None:
        """Change the lines and the strokes in place."""
        self._course = result
        change = self._lines.widget.remove_class if len(result.steps) else self._lines.widget.add_class
        change("aw-away")
        self._ask.disabled = not len(result.steps)
        if len(result.steps):
            self._lines.show(result.steps, result.curves, result.bad)
            self._lines.mark(self.session.step or 0)
        bad = {"NaN or infinite": BAD} if result.bad.any() else {}
        names = {curve.name: curve.colour for curve in result.curves}
        self._legend.value = text.legend({**names, "step shown": NOW, **bad}) if names else ""
        if self._fate is not None and self._fate[:2] != self._asked_of():
            self._fate, self._answer.value = None, ""
        self._leave()
        self.note(result.words, result.layer)

    def picture(self, result: Course) -> bytes:
        """Return the lines as a PNG."""
        if not len(result.steps):
            return pictures.png_of(charts.paragraph(result.words))
        first, last = ends_of(result.steps)
        shares = (result.steps - first) / (last - first)
        strokes = [Stroke(float(share), BAD) for share in shares[result.bad]]
        if self.session.step in result.steps:
            strokes.append(Stroke(float(shares[result.steps == self.session.step][0]), NOW))
        drawn = [curve._replace(x=shares) for curve in result.curves]
        ends = tuple(f"step {step}" for step in result.steps[[0, -1]])
        return pictures.png_of(charts.curves(drawn, heights_of(drawn), strokes, (ends[0], ends[1])))

    def panels(self, result: Course) -> list[np.ndarray]:
        """Return the lines, and the answer if somebody asked."""
        told = self._fate is not None and self._fate[:2] == self._asked_of()
        return [*super().panels(result), *([charts.paragraph(self._fate[2])] if told and self._fate else [])]

    def release(self) -> None:
        """Stop following the axes, and answer nothing any more."""
        self.session.axes.unobserve(self._on_change, names=["chosen"])
        worker_of(self.session).withdraw(("died", id(self)))
        self._read, self._made = (None, [], None), (None, _nothing())

    def _read_for(self, key: tuple) -> tuple:
        """Return what is read for lines: of a channel those of its layer, else what steps hold in numbers."""
        layer, _, shown, steps, _ = key
        of = (layer, self.session.tap(layer).channel_axis) if shown == _CHANNEL else ()
        return steps, of

    def _gathered(
        self, found: list[tuple[RecordedStep, Channels | None]], layer: str
    ) -> tuple[list[RecordedStep], History | None]:
        """Return what was read, with the history of the layer if any step holds its activations."""
        is_held = any(channels is not None for _, channels in found)
        return [m for m, _ in found], history(found, self.session.tap(layer)) if is_held else None

    def _course_of(self, key: tuple, moments: list[RecordedStep], known: History | None) -> Course:
        """Return a channel's numbers; those of the layer where there are none of channels."""
        layer, channel, shown, *_ = key
        timeline = self.session.timeline
        if timeline is None:
            return _nothing()
        if shown != _CHANNEL:
            return _of_layer(timeline, moments, layer, shown)
        if known is None:
            return _of_layer(timeline, moments, layer, "layer", "only summaries were recorded")
        place = {moment.step: index for index, moment in enumerate(moments)}
        rows = [place[step] for step in known.steps]
        array = np.full((len(moments), 2), np.nan)
        array[rows, 0], array[rows, 1] = known.mean[:, channel], known.largest[:, channel]
        bad = _is_lost(moments)
        bad[rows] |= known.is_bad[:, channel]
        return _course(array, ("mean", "largest"), moments, bad, layer, f"channel {channel}")

    def _asked_of(self) -> tuple[str, int]:
        chosen = self.session.selection
        return chosen.layer, chosen.channel

    def _asked(self, _: Any) -> None:
        check_channels(self.session, self.session.selection.layer)
        self._busy.value = text.busy("looking through the steps")
        worker_of(self.session).submit(("died", id(self)), self.guarded(self._tell_died))

    def _tell_died(self) -> None:
        """Say what became of the channel, and go to where it died."""
        asked = self._asked_of()
        try:
            life = self.session.life(*asked)
        finally:
            self._busy.value = ""
        if not self._open:
            return
        self._fate = *asked, life.words
        self._answer.value = f'<div role="status">{text.caption(life.words)}</div>'
        if life.died is not None:
            self.session.step = life.died

    def _point(self, place: float) -> None:
        if self._course is not None and len(self._course.steps):
            self._under.value = text.caption(self._course.at(place))

    def _leave(self) -> None:
        has_chart = self._course is not None and len(self._course.steps)
        self._under.value = text.caption("Point at the chart to read values.") if has_chart else ""


def _nothing() -> Course:
    empty = np.zeros(0, int)
    return Course(np.zeros((0, 2)), empty, [], empty.astype(bool), "", "no recording: the model as it is now")


def _unread(moments: Iterable[RecordedStep]) -> Iterator[tuple[RecordedStep, None]]:
    """Yield moments as `reading` does, with nothing of channels."""
    return ((moment, None) for moment in moments)


def _of_layer(
    timeline: Timeline, moments: list[RecordedStep], layer: str, shown: str, remark: str = ""
) -> Course:
    """Return the numbers of a layer, or the loss."""
    bad = _is_lost(moments)
    if shown == _LOSS:
        names = sorted({name for moment in moments for name in moment.logs if "loss" in name}, key=len)[:2]
        columns = [[moment.logs.get(name, np.nan) for moment in moments] for name in names]
        if not columns:
            raise ModelError("No loss was recorded. Expected: logs of a training. Choose other lines.")
        return _course(np.array(columns).T, names, moments, bad, "", "as Keras reported it last")
    fields = _OF_LAYER[shown]
    numbers = timeline.numbers(layer, moments)
    array = numbers[:, [Summary._fields.index(name) for name in fields]]
    if np.isnan(numbers).all():
        raise ModelError(
            f"No summary was recorded of '{layer}'. Expected: another layer, or the lines of a channel."
        )
    lost = numbers[:, [Summary._fields.index(name) for name in ("nan", "infinite")]]
    bad |= np.nan_to_num(lost).any(1)
    words = " · ".join(filter(None, ("whole layer", remark)))
    return _course(array, list(fields.values()), moments, bad, layer, words)


def _course(
    array: np.ndarray,
    names: list[str] | tuple[str, ...],
    moments: list[RecordedStep],
    bad: np.ndarray,
    layer: str,
    words: str,
) -> Course:
    steps = np.array([moment.step for moment in moments])
    columns = zip(names, LINES, array.T, strict=False)
    curves = [Curve(name, colour, steps.astype(float), column) for name, colour, column in columns]
    return Course(array, steps, curves, bad, layer, words)


def _is_lost(moments: list[RecordedStep]) -> np.ndarray:
    """Return at which steps the loss is not finite."""
    return np.array([moment.is_lost for moment in moments])
