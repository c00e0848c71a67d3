"""How a layer's or a channel's values are distributed."""

from __future__ import annotations

from dataclasses import dataclass

import bqplot
import ipywidgets
import numpy as np

from ..rendering import charts, pictures
from ..rendering.bins import binned
from ..session import Session
from .base import View
from .maps import drawable
from .recipe import of_control

_CHANNEL, _LAYER = "channel", "layer"
_LINEAR, _LOG = "linear", "log"
# Bars of logarithms begin a little below one value, so that one can be seen.
_LOG_FLOOR = 0.8


@dataclass(frozen=True)
class Counts:
    """Counts of values in bins of equal width.

    Attributes
    ----------
    array : (bins,) int ndarray
        Values in each bin.
    edges : (bins + 1,) ndarray
        Ends of the bins.
    layer, words : str
        What is counted.
    """

    array: np.ndarray
    edges: np.ndarray
    layer: str
    words: str


class Histogram(View):
    """Counts of the activations of the chosen channel or of the whole layer, for one sample.

    Parameters
    ----------
    session : Session
        The model and batch to look at.
    """

    title = "Histogram"
    watches = ("layer", "channel", "sample")
    scope = of_control("_scope", _CHANNEL, "``'channel'`` or ``'layer'``: whose values are counted.")
    counts = of_control("_counts", _LINEAR, "``'linear'`` or ``'log'``: how counts are drawn.")

    def __init__(self, session: Session) -> None:
        self._scope = ipywidgets.ToggleButtons(options=[_CHANNEL, _LAYER], value=_CHANNEL)
        self._counts = ipywidgets.ToggleButtons(options=[_LINEAR, _LOG], value=_LINEAR)
        self._x = bqplot.LinearScale()
        self._y = bqplot.LinearScale(min=0)
        self._bars = bqplot.Bars(
            x=np.zeros(1),
            y=np.zeros(1),
            scales={"x": self._x, "y": self._y},
            colors=["#0072b2"],
            padding=0.05,
        )
        self._axes = [
            bqplot.Axis(
                scale=self._x, label="activation", grid_lines="none", label_offset="30px", tick_format=".3~g"
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
            animation_duration=0,
            fig_margin={"top": 10, "bottom": 40, "left": 52, "right": 24},
            layout={"width": "100%", "height": "210px", "min_width": "0"},
            background_style={"fill": "transparent"},
        )
        super().__init__(session)
        for control in (self._scope, self._counts):
            control.observe(self._on_change, names=["value"])

    def build(self) -> list[ipywidgets.Widget]:
        """Return what is counted, how counts are drawn, and the chart."""
        choices = ipywidgets.HBox([self._scope, self._counts], layout={"flex_flow": "row wrap"})
        return [choices, self._figure]

    def key(self) -> tuple:
        """Layer, sample, and the channel if only that is counted."""
        chosen = self.session.selection
        one = self._scope.value == _CHANNEL
        return chosen.layer, chosen.sample, chosen.channel if one else None

    def look(self) -> str:
        """Whether counts are drawn by their logarithm."""
        return self._counts.value

    def is_ready(self, key: tuple) -> bool:
        """Whether the activation can be looked up."""
        return self.session.reader.is_ready(*key)

    def compute(self, key: tuple) -> Counts:
        """Return the counts."""
        layer, sample, channel = key
        tap = self.session.tap(layer)
        reader = self.session.reader
        if channel is None:
            values = drawable(reader.sample_activation(layer, sample), tap)
        else:
            values = drawable(reader.sample_channel(layer, sample, channel), tap)
        counts, edges = binned(values)
        whose = "all channels" if channel is None else f"channel {channel}"
        lost = values.size - int(counts.sum())
        words = whose + (f" · {lost} NaN or infinite left out" if lost else "")
        return Counts(counts, edges, layer, words)

    def draw(self, result: Counts) -> None:
        """Change the bars in place."""
        log = self._counts.value == _LOG
        counts = result.array.astype(np.float64)
        with self._bars.hold_sync():
            self._bars.x = (result.edges[:-1] + result.edges[1:]) / 2
            self._bars.y = _height(counts) if log else counts
        self._axes[0].tick_values = np.linspace(result.edges[0], result.edges[-1], 4)
        ticks = _ticks(counts.max(), log)
        places = _height(ticks) if log else ticks
        with self._axes[1].hold_sync():
            self._axes[1].tick_values = places
            self._axes[1].tick_labels = (
                dict(zip(places.tolist(), map("{:,.0f}".format, ticks), strict=True)) if log else None
            )
            self._axes[1].label = "count (log)" if log else "count"
        self.note(result.words, result.layer)

    def picture(self, result: Counts) -> bytes:
        """Return the chart as a PNG."""
        return pictures.png_of(charts.histogram(result.array, result.edges, log=self._counts.value == _LOG))


def _height(counts: np.ndarray) -> np.ndarray:
    """Return logarithms above that of the floor, 0 for no value.

    The chart draws them on a linear scale: bqplot draws NaN while one scale takes another's place.
    """
    return np.log10(np.maximum(counts, _LOG_FLOOR) / _LOG_FLOOR)


def _named(places: np.ndarray, counts: np.ndarray) -> dict[float, str]:
    return {place: f"{count:,.0f}" for place, count in zip(places.tolist(), counts, strict=True)}


def _ticks(highest: float, log: bool) -> np.ndarray:
    """Return round counts to write beside the axis."""
    if log:
        return 10.0 ** np.arange(np.ceil(np.log10(max(highest, 1))) + 1)
    power = 10 ** np.floor(np.log10(max(highest, 1)))
    step = next(s for s in (power * np.array([0.2, 0.5, 1, 2, 5])) if highest / s <= 5 and s >= 1)
    return np.arange(0, highest + 1, step)
