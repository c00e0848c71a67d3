"""A chart of one line, changed in place."""

from __future__ import annotations

from collections.abc import Callable

import bqplot
import ipywidgets
import numpy as np

from ..rendering.ticks import ticks
from ..rendering.veil import Range, lit_pieces
from .chart_pointer import ChartPointer

_COLOUR, _PALE = "#2b8cc4", "#a0a0a0"


class LineChart:
    """A line over the places of a sequence, in bqplot.

    Parameters
    ----------
    point : callable
        Called as ``point(place)`` for the place in the sequence that the pointer is nearest to.
    leave : callable
        Called when the pointer goes.

    Attributes
    ----------
    figure : bqplot.Figure
        The chart.
    widget : ipywidgets.Widget
        What to put into a card: the chart, and what follows the pointer over it.
    """

    def __init__(self, point: Callable[[int], None], leave: Callable[[], None]) -> None:
        scales = {"x": bqplot.LinearScale(), "y": bqplot.LinearScale()}
        self._line = bqplot.Lines(x=np.zeros(2), y=np.zeros(2), scales=scales, colors=[_COLOUR])
        self._lit = bqplot.Lines(
            x=np.zeros(2),
            y=np.zeros(2),
            scales=scales,
            colors=[_COLOUR],
            stroke_width=4,
            visible=False,
            preserve_domain={"x": True, "y": True},
        )
        self._across = bqplot.Axis(scale=scales["x"], grid_lines="none", label_offset="30px")
        self._up = bqplot.Axis(scale=scales["y"], side="left", tick_format=".3~g")
        self.figure = bqplot.Figure(
            marks=[self._line, self._lit],
            axes=[self._across, self._up],
            animation_duration=0,
            fig_margin={"top": 12, "bottom": 40, "left": 52, "right": 14},
            layout={"width": "100%", "height": "240px", "min_width": "0"},
            background_style={"fill": "transparent"},
        )
        pointer = ChartPointer(lambda x: point(min(max(round(x), 0), len(self._line.y) - 1)), leave)
        self.widget = ipywidgets.VBox(
            [self.figure, pointer.face], layout={"width": "auto", "overflow": "visible"}
        )

    def show(self, values: np.ndarray, along: str, chosen: Range | None) -> None:
        """Draw values over their indices on an axis, those in a range bold; what is not finite is a gap."""
        x, y = lit_pieces(values, chosen)
        values = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
        with self._line.hold_sync():
            self._line.x = np.arange(len(values), dtype=np.float64)
            self._line.y = values
            # One value alone, or between gaps, is no line.
            self._line.marker = "circle" if len(values) <= 32 else None
            self._line.colors = [_PALE if chosen else _COLOUR]
        with self._lit.hold_sync():
            self._lit.visible = bool(x.size)
            if x.size:  # bqplot fails on a line without points
                self._lit.x, self._lit.y = x, y
        self._across.label = along
        self._across.tick_values = ticks(0, len(values) - 1, least=1)
        known = values[np.isfinite(values)]
        self._up.tick_values = ticks(known.min(), known.max()) if known.size else np.empty(0)
