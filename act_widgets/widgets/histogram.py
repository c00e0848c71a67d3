"""How a layer's or a channel's values are distributed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bqplot
import ipywidgets
import numpy as np

from ..rendering import charts, pictures
from ..rendering.axes import one_of
from ..rendering.bins import binned
from ..rendering.ticks import ticks
from ..rendering.veil import Range, lit
from ..session import Session
from . import text
from .base import View
from .face import Face
from .maps import all_values, is_ready, one_values
from .range_fields import RangeFields
from .recipe import of_control

_CHANNEL, _LAYER = "channel", "layer"
_LINEAR, _LOG = "linear", "log"
# Bars of logarithms begin a little below one value, so that one can be seen.
_LOG_FLOOR = 0.8
# Between two bars, as a share of a bin.
_GAP = 0.05
# So near to an end of the chart, as a share of it, the pointer means the end itself.
_NEAR = 1 / 400

_HINT = "Drag over the chart to light up the values of a range in the maps."


@dataclass(frozen=True)
class Counts:
    """Counts of values in bins of equal width.

    Attributes
    ----------
    array : (bins,) int ndarray
        Values in each bin.
    edges : (bins + 1,) ndarray
        Ends of the bins.
    values : ndarray
        What is counted.
    layer, whose, words : str
        Its names: the layer, the channel, and what else is to be said.
    """

    array: np.ndarray
    edges: np.ndarray
    values: np.ndarray
    layer: str
    whose: str
    words: str

    @property
    def ends(self) -> Range:
        """The lowest and the highest value."""
        return float(self.edges[0]), float(self.edges[-1])

    def lit(self, chosen: Range) -> str:
        """Return how many of the values lie in a range."""
        return text.lit(chosen, int(lit(self.values, chosen).sum()), self.values.size, self.whose)


class Histogram(View):
    """Counts of the activations of the chosen channel or of the whole layer, for one sample.

    Dragging over it, or its two fields, chooses a range of values, the selection's `value_range`: every map
    of the session lights those values up and dims the others. A click beside the range, Escape or the
    button clears it. Where a layer's attention is drawn, its weights are what is counted.

    Parameters
    ----------
    session : Session
        The model and batch to look at.
    """

    title = "Histogram"
    watches = ("layer", "channel", "sample", "value_range")
    scope = of_control("_scope", _CHANNEL, "``'channel'`` or ``'layer'``: whose values are counted.")
    counts = of_control("_counts", _LINEAR, "``'linear'`` or ``'log'``: how counts are drawn.")

    def __init__(self, session: Session) -> None:
        self._scope = ipywidgets.ToggleButtons(options=[_CHANNEL, _LAYER], value=_CHANNEL)
        self._counts = ipywidgets.ToggleButtons(options=[_LINEAR, _LOG], value=_LINEAR)
        self._x = bqplot.LinearScale()
        self._y = bqplot.LinearScale(min=0)
        # Not `bqplot.Bars`: in 0.13.1 each change of them leaves elements in the page.
        self._bars = bqplot.Lines(
            x=np.zeros(2),
            y=np.zeros(2),
            scales={"x": self._x, "y": self._y},
            colors=["#0072b2"],
            fill="inside",
            stroke_width=0,
        )
        self._brush = bqplot.interacts.BrushIntervalSelector(scale=self._x, color="#d55e00")
        self._range = RangeFields()
        self._lit = ipywidgets.HTML()
        self._ends: Range = (0.0, 1.0)
        self._axes = [
            bqplot.Axis(
                scale=self._x,
                label="activation",
                grid_lines="none",
                label_offset="30px",
                tick_format=".3~g",
            ),
            bqplot.Axis(
                scale=self._y,
                side="left",
                label="count",
                label_offset="38px",
                tick_format="~s",
            ),
        ]
        self._figure = bqplot.Figure(
            marks=[self._bars],
            axes=self._axes,
            interaction=self._brush,
            animation_duration=0,
            display_toolbar=False,  # its buttons would take the pointer's drag
            fig_margin={"top": 10, "bottom": 40, "left": 52, "right": 24},
            layout={"width": "100%", "height": "210px", "min_width": "0"},
            background_style={"fill": "transparent"},
        )
        super().__init__(session)
        for control in (self._scope, self._counts):
            control.observe(self._on_change, names=["value"])
        session.axes.observe(self._on_change, names=["chosen", "places"])

    def build(self) -> list[ipywidgets.Widget]:
        """Return what is counted, how counts are drawn, the chart, the range of values, and what is lit."""
        self._brush.observe(self.guarded(self._brushed), names=["selected"])
        self._range.observe(self.guarded(self._entered), names=["chosen"])
        choices = ipywidgets.HBox([self._scope, self._counts], layout={"flex_flow": "row wrap"})
        return [choices, self._figure, Face(self._range), self._lit]

    def key(self) -> tuple:
        """Layer, sample, the channel if only that is counted, how axes are chosen and sliders stand."""
        chosen, axes = self.session.selection, self.session.axes
        one = self._scope.value == _CHANNEL
        return chosen.layer, chosen.sample, chosen.channel if one else None, axes.chosen, axes.places

    def look(self) -> tuple:
        """Whether counts are drawn by their logarithm, and which values are lit."""
        return self._counts.value, self.session.selection.value_range

    def is_ready(self, key: tuple) -> bool:
        """Whether the activation can be looked up."""
        return is_ready(self.session, *key[:3])

    def compute(self, key: tuple) -> Counts:
        """Return the counts."""
        layer, sample, channel, *_ = key
        role = self.session.axes[layer].spread_role
        if channel is None:
            values, whose = all_values(self.session, layer, sample).array, f"all {role}"
        else:
            one = one_values(self.session, layer, sample, channel)
            values, whose = one.array, f"{one_of(role)} {one.first}"
        counts, edges = binned(values)
        whose = whose if role else ""
        lost = values.size - int(counts.sum())
        words = " · ".join(filter(None, (whose, f"{lost} NaN or infinite left out" if lost else "")))
        return Counts(counts, edges, values, layer, whose, words)

    def draw(self, result: Counts) -> None:
        """Change the bars and the range in place."""
        log = self._counts.value == _LOG
        counts = result.array.astype(np.float64)
        with self._bars.hold_sync():
            self._bars.x, self._bars.y = _outline(result.edges, _height(counts) if log else counts)
        with self._x.hold_sync():
            self._x.min, self._x.max = result.ends
        self._axes[0].tick_values = ticks(*result.ends)
        heights = _heights(counts.max(), log)
        places = _height(heights) if log else heights
        # One by one: bqplot writes new ticks with the labels that it knew before.
        self._axes[1].tick_labels = (
            dict(zip(places.tolist(), map("{:,.0f}".format, heights), strict=True)) if log else None
        )
        self._axes[1].tick_values = places
        self._axes[1].label = "count (log)" if log else "count"
        self.note(result.words, result.layer)
        self._draw_range(result)

    def picture(self, result: Counts) -> bytes:
        """Return the chart as a PNG."""
        chosen, log = self.session.selection.value_range, self._counts.value == _LOG
        return pictures.png_of(charts.histogram(result.array, result.edges, chosen, log=log))

    def panels(self, result: Counts) -> list[np.ndarray]:
        """Return the chart, and how much is lit."""
        chosen = self.session.selection.value_range
        return [*super().panels(result), *([charts.paragraph(result.lit(chosen))] if chosen else [])]

    def release(self) -> None:
        """Stop following the axes."""
        self.session.axes.unobserve(self._on_change, names=["chosen", "places"])

    def _draw_range(self, result: Counts) -> None:
        chosen, self._ends = self.session.selection.value_range, result.ends
        with self.following():
            shown = _visible(chosen, result.ends)
            if not _is_same(self._brush.selected, shown, result.ends):
                self._brush.selected = shown
            with self._range.hold_sync():
                self._range.ends, self._range.step = list(result.ends), _step(result.ends)
                self._range.chosen = list(chosen or ())
        self._lit.value = text.caption(result.lit(chosen) if chosen else _HINT)

    def _brushed(self, change: dict[str, Any]) -> None:
        drawn = change["new"]
        is_drawn = drawn is not None and len(drawn) == 2
        self.choose("value_range", _to_ends(drawn, self._ends) if is_drawn else None)

    def _entered(self, change: dict[str, Any]) -> None:
        self.choose("value_range", tuple(change["new"]) or None)


def _to_ends(drawn: np.ndarray, ends: Range) -> Range:
    """Return a range that the pointer drew, up to the very end where it comes near to one."""
    near = (ends[1] - ends[0]) * _NEAR
    low, high = (min(max(float(end), ends[0]), ends[1]) for end in drawn)
    return ends[0] if low - ends[0] < near else low, ends[1] if ends[1] - high < near else high


def _visible(chosen: Range | None, ends: Range) -> np.ndarray | None:
    """Return the part of a range that a chart has room for."""
    if chosen is None or chosen[0] > ends[1] or chosen[1] < ends[0]:
        return None
    return np.clip(chosen, *ends)


def _is_same(drawn: np.ndarray | None, shown: np.ndarray | None, ends: Range) -> bool:
    """Whether a range is where the pointer left it, which a move by less than a pixel would disturb."""
    if drawn is None or shown is None or len(drawn) != 2:
        return drawn is shown
    return bool(np.abs(drawn - shown).max() < (ends[1] - ends[0]) * _NEAR)


def _step(ends: Range) -> float:
    """Return a round number, about a hundredth of a range."""
    return float(f"{(ends[1] - ends[0]) / 100:.0e}")


def _height(counts: np.ndarray) -> np.ndarray:
    """Return logarithms above that of the floor, 0 for no value.

    The chart draws them on a linear scale: bqplot draws NaN while one scale takes another's place.
    """
    return np.log10(np.maximum(counts, _LOG_FLOOR) / _LOG_FLOOR)


def _outline(edges: np.ndarray, heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners of bars that stand on 0, a little apart, along one line."""
    half = np.diff(edges) * _GAP / 2
    left, right, base = edges[:-1] + half, edges[1:] - half, np.zeros(len(heights))
    corners = np.stack([[left, left, right, right], [base, heights, heights, base]])
    x, y = corners.transpose(0, 2, 1).reshape(2, -1)
    return x, y


def _heights(highest: float, log: bool) -> np.ndarray:
    """Return round counts to write beside the axis."""
    if log:
        return 10.0 ** np.arange(np.ceil(np.log10(max(highest, 1))) + 1)
    return ticks(0, highest, least=1)
