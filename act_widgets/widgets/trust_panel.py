"""Checks of the map on the screen: each on demand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import bqplot
import ipywidgets
import numpy as np

from ..attribution import NO_MAPS, Attribution
from ..attribution.trust import DELETION, INSERTION
from ..rendering import charts, pictures
from ..rendering.pictures import Picture
from ..rendering.ticks import ticks
from ..session import Session
from . import text
from .asked import Asked
from .attribution_view import LONG, colours_of, duration, scale_of
from .axis_sliders import AxisSliders
from .base import View
from .channel_view import fitted
from .checks import COMPLETE, CURVES, OTHER, SHUFFLED, Checker, Checks
from .map_slice import MapSlice, slice_of
from .parts import close_whole
from .recipe import Setting
from .stage import Stage
from .surface import Box, Placed, Scene, Sheet, Surface

_SIDE = 180
_GAP = 12
_COLOURS = {DELETION: "#d55e00", INSERTION: "#0072b2"}
_LEGEND = {DELETION: "deletion: marked places go first", INSERTION: "insertion: they come first"}


class TrustPanel(View):
    """Whether the map on the screen can be trusted: checks to switch on, one by one.

    Curves: how the score falls when the places that the map marks are covered first, and how it rises
    when they come first (Petsiuk et al. 2018); places of equal value go in a random order. Shuffled
    weights: the same map of a model that has learned nothing (Adebayo et al. 2018). Another class: the
    same map for the class that comes second; where a channel is explained, for the next channel.
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
        names = (CURVES, SHUFFLED, OTHER, COMPLETE)
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
            animation_duration=0,
            fig_margin={"top": 10, "bottom": 40, "left": 48, "right": 24},
            layout={"width": "100%", "height": "210px", "min_width": "0"},
            background_style={"fill": "transparent"},
        )
        self._legend = ipywidgets.HTML(text.legend({_LEGEND[kind]: c for kind, c in _COLOURS.items()}))
        # bqplot measures the room it has when it is first shown.
        self._chart = ipywidgets.VBox()
        self._surface = Surface(3 * _SIDE + 2 * _GAP, _SIDE)
        self._names = ipywidgets.HTML()
        self._slice = ipywidgets.HTML()
        self._under = ipywidgets.HTML()
        self._checker = Checker(session)
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
        self._sliders = AxisSliders(self)
        maps = [self._sliders.widget, self._surface.face, self._names, self._slice]
        found = ipywidgets.VBox([*maps, self._under])
        shown = ipywidgets.HBox([self._chart, found])
        shown.add_class("aw-checks")
        return [wishes, shown]

    def key(self) -> tuple:
        """Return what is explained, and what is to be checked."""
        wished = self.checks
        return (Asked.of(self.session) if wished else None), wished

    def look(self) -> tuple:
        """How axes are chosen and sliders stand, and whether a layer's channel is explained, not a class."""
        axes = self.session.axes
        return axes.chosen, axes.places, self._explains_channel

    @property
    def _explains_channel(self) -> bool:
        return bool(self.session.selection.target_layer)

    @property
    def array(self) -> np.ndarray:
        """The map that is checked, on its own grid, or the slice of it that is shown."""
        checked = self._result(self.key()).result
        return np.zeros((0, 0), np.float32) if checked is None else slice_of(self.session, checked).array

    def is_ready(self, key: tuple) -> bool:
        """Whether nothing is to be checked."""
        return not key[1]

    def stages(self, key: tuple) -> Iterator[Stage]:
        """Yield the findings one after the other."""
        asked, wished = key
        if not wished or not asked.has_place:
            yield Stage(Checks(findings=[NO_MAPS] if wished else []))
            return
        seconds = self._checker.seconds(asked, wished)
        if seconds > LONG:
            yield Stage(Checks(), 0.0, f"maps to compare, about {duration(seconds)}", waits=True)
        yield from self._checker.stages(asked, wished)

    def draw(self, result: Checks) -> None:
        """Show what is known."""
        self._wishes[OTHER].description = "Another channel" if self._explains_channel else OTHER
        self._draw_curves(result)
        self._draw_maps(result.compared)
        self._under.value = "".join(map(text.caption, result.findings))
        self.note("" if result.findings else "checks of the map, on demand")

    def _draw_curves(self, result: Checks) -> None:
        self._chart.children = (self._legend, self._figure) if result.curves else ()
        if not result.curves:
            return
        for curve in result.curves:
            known = np.isfinite(curve.scores)
            with self._lines[curve.kind].hold_sync():
                self._lines[curve.kind].x = curve.shares[known]
                self._lines[curve.kind].y = curve.scores[known].astype(np.float64)
        axis = self._axes[1]
        axis.scale.min, axis.scale.max = result.heights
        axis.tick_values = ticks(*result.heights)

    def _draw_maps(self, compared: list[tuple[str, Attribution]]) -> None:
        self._surface.face.layout.display = "" if compared else "none"
        shown = self._slice_of(compared)
        self._sliders.show(shown.sliders)
        self._slice.value = text.caption(shown.words) if shown.words else ""
        maps = self._pictures_of(compared)
        if not maps:
            self._names.value = ""
            return
        sizes = [fitted(picture.indices.shape, _SIDE) for _, picture in maps]
        width = len(maps) * (_SIDE + _GAP) - _GAP
        boxes = [Box(i * (_SIDE + _GAP), 0, s.width, s.height) for i, s in enumerate(sizes)]
        placed = [Placed(Sheet(p.png()), box) for (_, p), box in zip(maps, boxes, strict=True)]
        self._surface.show((width, round(max(s.height for s in sizes))), Scene(placed))
        self._names.value = text.columns([name for name, _ in maps], _GAP / width)

    def _slice_of(self, compared: list[tuple[str, Attribution]]) -> MapSlice:
        """Return what is drawn of the map that is checked; nothing while it is alone."""
        return slice_of(self.session, compared[0][1]) if compared else MapSlice(np.zeros((0, 0), np.float32))

    def _pictures_of(self, compared: list[tuple[str, Attribution]]) -> list[tuple[str, Picture]]:
        """Return the maps as pictures, where the sliders stand."""
        return [(name, _picture_of(slice_of(self.session, result), result)) for name, result in compared]

    def picture(self, result: Checks) -> bytes:
        """Return curves, maps and findings as a PNG."""
        parts = []
        if result.curves:
            drawn = [
                charts.Curve(_LEGEND[c.kind], _COLOURS[c.kind], c.shares, c.scores) for c in result.curves
            ]
            parts.append(charts.curves(drawn, result.heights))
        if result.compared:
            parts.append(charts.beside([_captioned(*named) for named in self._pictures_of(result.compared)]))
        words = [*filter(None, [self._slice_of(result.compared).words]), *result.findings]
        parts.append(charts.text_lines(words or ["No check was asked for."]))
        return pictures.png_of(charts.stacked(parts))

    def release(self) -> None:
        """Free the chart if it is not shown, and let go of the axes that the sliders follow."""
        self._sliders.close()
        for part in (self._legend, self._figure):
            close_whole(part)


def _picture_of(shown: MapSlice, result: Attribution) -> Picture:
    return Picture(pictures.quantised(shown.array, scale_of(result)), colours_of(result))


def _captioned(name: str, picture: Picture) -> np.ndarray:
    """Return a map with its name below, for where no browser draws them."""
    large = pictures.enlarged(picture.rgb(), _SIDE)
    return charts.stacked([large, charts.text_lines([name], large.shape[1])], gap=0)
