"""A chart of one line, changed in place."""

from __future__ import annotations

import bqplot
import ipywidgets
import numpy as np


class LineChart:
    """A line over the places of a sequence, in bqplot.

    Attributes
    ----------
    figure : bqplot.Figure
        The widget to put into a card.
    """

    def __init__(self) -> None:
        scales = {"x": bqplot.LinearScale(), "y": bqplot.LinearScale()}
        self._line = bqplot.Lines(x=np.zeros(2), y=np.zeros(2), scales=scales, colors=["#2b8cc4"])
        self._across = bqplot.Axis(scale=scales["x"], grid_lines="none", label_offset="30px")
        self._up = bqplot.Axis(scale=scales["y"], side="left", tick_format=".3~g")
        self.figure = bqplot.Figure(
            marks=[self._line],
            axes=[self._across, self._up],
            animation_duration=0,
            fig_margin={"top": 12, "bottom": 40, "left": 52, "right": 14},
            layout={"width": "100%", "height": "240px", "min_width": "0"},
            background_style={"fill": "transparent"},
        )

    @property
    def widget(self) -> ipywidgets.Widget:
        """The widget to put into a card."""
        return self.figure

    def show(self, values: np.ndarray, along: str) -> None:
        """Draw values over their indices on an axis; what is not finite is a gap."""
        values = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
        with self._line.hold_sync():
            self._line.x = np.arange(len(values), dtype=np.float64)
            self._line.y = values
            # One value alone, or between gaps, is no line.
            self._line.marker = "circle" if len(values) <= 32 else None
        self._across.label = along
        self._across.tick_values = _ticks(0, len(values) - 1, least=1)
        known = values[np.isfinite(values)]
        self._up.tick_values = _ticks(known.min(), known.max()) if known.size else np.empty(0)


def _ticks(low: float, high: float, least: float = 0) -> np.ndarray:
    """Return some round numbers between two, at least so far apart."""
    if not low < high:
        return np.array([low])
    rough = max((high - low) / 5, least)
    power = 10 ** np.floor(np.log10(rough))
    step = power * next(s for s in (1, 2, 5, 10) if power * s >= rough * 0.999)
    return np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step
