"""A chart of lines over the steps of a training, changed in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import bqplot
import ipywidgets
import numpy as np

from ..rendering.charts import Curve
from ..rendering.ticks import ticks
from .chart_pointer import ChartPointer

LINES = ("#0072b2", "#009e73")
NOW, BAD = "#d55e00", "#cc79a7"


class StepLines:
    """Up to two lines over steps, with strokes at the step that is shown and at those that are not finite.

    Parameters
    ----------
    point : callable
        Called as ``point(step)`` with where the pointer is along the steps, no whole number.
    leave : callable
        Called when the pointer goes.

    Attributes
    ----------
    widget : ipywidgets.Widget
        What to put into a card.
    """

    def __init__(self, point: Callable[[float], None], leave: Callable[[], None]) -> None:
        self._x, self._y = bqplot.LinearScale(), bqplot.LinearScale()
        scales = {"x": self._x, "y": self._y}

        def lines(colour: str, **style: object) -> bqplot.Lines:
            return bqplot.Lines(x=np.zeros(2), y=np.zeros(2), scales=scales, colors=[colour], **style)

        self._bad = lines(BAD, stroke_width=2, line_style="dotted", visible=False)
        self._now = lines(NOW, stroke_width=2)
        self._lines = [lines(colour) for colour in LINES]
        self._across = bqplot.Axis(scale=self._x, grid_lines="none", label="step", label_offset="28px")
        self._across.tick_format = "~s"
        self._up = bqplot.Axis(scale=self._y, side="left", tick_format=".3~g")
        self.figure = bqplot.Figure(
            marks=[self._bad, self._now, *self._lines],
            axes=[self._across, self._up],
            animation_duration=0,
            display_toolbar=False,
            fig_margin={"top": 10, "bottom": 38, "left": 52, "right": 18},
            layout={"width": "100%", "height": "170px", "min_width": "0"},
            background_style={"fill": "transparent"},
        )
        pointer = ChartPointer(point, leave)
        self.widget = ipywidgets.VBox(
            [self.figure, pointer.face], layout={"width": "auto", "overflow": "visible"}
        )

    def show(self, steps: np.ndarray, curves: Sequence[Curve], bad: np.ndarray) -> None:
        """Draw curves over steps, and strokes where `bad` is true; NaN is a gap."""
        x = steps.astype(np.float64)
        low, high = heights_of(curves)
        with self._x.hold_sync():
            self._x.min, self._x.max = ends_of(steps)
        with self._y.hold_sync():
            self._y.min, self._y.max = low, high
        for line, curve in zip(self._lines, [*curves, *[None] * len(self._lines)], strict=False):
            line.visible = curve is not None
            if curve is not None:
                with line.hold_sync():
                    line.x, line.y = x, np.where(np.isfinite(curve.y), curve.y, np.nan).astype(np.float64)
                    # One value alone, or between gaps, is no line.
                    line.marker = "circle" if len(x) <= 32 else None
                    line.marker_size = 24
        self._bad.visible = bool(bad.any())
        if bad.any():  # bqplot fails on a line without points
            with self._bad.hold_sync():
                self._bad.x, self._bad.y = _strokes(x[bad], low, high)
        self._across.tick_values = ticks(*ends_of(steps), least=1)
        self._up.tick_values = ticks(low, high)

    def mark(self, step: int) -> None:
        """Move the stroke at the step that is shown."""
        with self._now.hold_sync():
            self._now.x, self._now.y = _strokes(np.array([float(step)]), self._y.min, self._y.max)


def heights_of(curves: Sequence[Curve]) -> tuple[float, float]:
    """Return the values at the bottom and at the top of a chart, with 0 if it is near."""
    known = np.concatenate([curve.y[np.isfinite(curve.y)] for curve in curves] or [np.zeros(0)])
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if 0 < low < high / 2:
        low = 0.0
    if high < 0 and high > low / 2:
        high = 0.0
    if low == high:
        low, high = min(low, 0.0), max(high, 0.0) or (0.0 if low else 1.0)
    room = (high - low) * 0.05
    return low - (room if low else 0.0), high + (room if high else 0.0)


def ends_of(steps: np.ndarray) -> tuple[float, float]:
    """Return the steps at the left and at the right of a chart."""
    first, last = float(steps[0]), float(steps[-1])
    return (first, last) if first < last else (first - 0.5, last + 0.5)


def _strokes(at: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Return one line that goes up at each place, with gaps between."""
    x = np.stack([at, at, np.full(len(at), np.nan)], 1).ravel()[:-1]
    return x, np.tile([low, high, np.nan], len(at))[:-1]
