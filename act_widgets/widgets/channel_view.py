"""The chosen channel, large, or laid over the input."""

from __future__ import annotations

from typing import Any

import ipywidgets
import numpy as np
from PIL import Image

from ..rendering import charts, pictures, plots
from ..rendering.palettes import CHART
from ..rendering.pictures import Picture
from ..session import Session
from . import text
from .axes_control import AxesControl
from .base import View
from .channel_map import ChannelMap
from .channel_order import OF_ORDER, is_ordered, order_key
from .cursor import led_by_cursor
from .ground import Ground, ground_of
from .kept import Kept
from .line_chart import LineChart
from .maps import all_pictures, is_ready, one_picture
from .parts import close_whole
from .recipe import of_control
from .sprite import Sprite, colours_of, neighbours, sprite_of
from .surface import Box, Placed, Scene, Sheet, Surface
from .under import FIRST, is_known, photo_under, under_of

_SIDE = 560
_OPACITY = 0.6
_ALONE, _OVER = "alone", "over the input"


class ChannelView(View):
    """The chosen channel at full resolution: a map, the line of a sequence, a number among its layer's.

    Over the input, of several inputs the first picture that the layer depends on lies under the map; the
    caption names it if it is not the first input, or says that there is none. Values outside the selection's
    `value_range` are dimmed.

    Parameters
    ----------
    session : Session
        The model and batch to look at.
    """

    title = "Channel map"
    watches = ("layer", "channel", "sample", "value_range", *OF_ORDER)
    ground = of_control("_way", _ALONE, "``'alone'`` or ``'over the input'``.")
    opacity = of_control("_opacity", _OPACITY, "That of the map over the input: ``float`` from 0 to 1.")

    def __init__(self, session: Session) -> None:
        self._way = ipywidgets.ToggleButtons(options=[_ALONE, _OVER], value=_ALONE)
        self._opacity = ipywidgets.FloatSlider(
            description="Opacity", min=0, max=1, step=0.05, value=_OPACITY, readout_format=".0%"
        )
        self._surface = Surface(_SIDE, _SIDE)
        self._chart: LineChart | None = None
        self._arranged: tuple[bool, bool, bool] | None = None
        self._bar = ipywidgets.HTML()
        self._lit = ipywidgets.HTML()
        self._under = ipywidgets.HTML()
        self._shown_map: ChannelMap | None = None
        self._sprite, self._ground = Kept(), Kept()
        super().__init__(session)
        self._way.observe(self._on_change, names=["value"])
        self._opacity.observe(self._on_change, names=["value"])

    def build(self) -> list[ipywidgets.Widget]:
        """Return the choice of ground, opacity, axes, the picture, its colour bar, what is lit, a summary."""
        self._axes = AxesControl(self)
        self._surface.on_hover(self.guarded(self._hover), self._leave)
        self._led = led_by_cursor(self._surface, self.session)
        self._place = ipywidgets.VBox([self._surface.face])
        below = [self._bar, self._lit, self._under]
        return [self._way, self._opacity, self._axes.widget, self._place, *below]

    def key(self) -> tuple:
        """Layer, sample, channel, how axes are chosen and sliders stand, order, whether over the input."""
        chosen, axes = self.session.selection, self.session.axes
        order, is_over = order_key(self.session), self._way.value == _OVER
        return chosen.layer, chosen.sample, chosen.channel, axes.chosen, axes.places, order, is_over

    def look(self) -> tuple:
        """The opacity over the input, and which values are lit."""
        return self._opacity.value, self.session.selection.value_range

    def is_ready(self, key: tuple) -> bool:
        """Whether the activation can be looked up."""
        layer, sample, channel, *_, is_over = key
        if not is_ready(self.session, layer, sample, channel):
            return False
        return not (is_over and self.session.axes[layer].is_spatial) or is_known(self.session, layer)

    def compute(self, key: tuple) -> ChannelMap:
        """Return the channel's picture and what to say of it."""
        layer, sample, channel, *_, is_over = key
        if not self.session.axes[layer].plane:
            return self._number(layer, sample, channel)
        drawn = one_picture(self.session, layer, sample, channel)
        values = drawn.array[0]
        scale = pictures.finite_scale(values)
        place, sprite = self._neighbours(key)
        shown = np.atleast_2d(_fitting(drawn.array)[0])
        picture = Picture(pictures.quantised(shown, scale), colours_of(scale))
        under = under_of(self.session, layer) if is_over and drawn.axes.is_spatial else None
        ground = None if under is None else self._ground_of(under.index, sample, picture.colours)
        words = drawn.name_of(drawn.first)
        return ChannelMap(
            values, drawn, picture, shown, scale, ground, layer, words, under or FIRST, place, sprite
        )

    def _ground_of(self, index: int | None, sample: int, colours: str) -> Ground | None:
        """Return an input as the ground of maps in these colours, made once for all of them."""
        if index is None:
            return None
        wanted = self.session.version, sample, index, self.session.axes.places, colours
        return self._ground.get(wanted, lambda: ground_of(photo_under(self.session, sample, index), colours))

    def _neighbours(self, key: tuple) -> tuple[int | None, Sprite | None]:
        """Return the channel's place in the order, and the maps of those near it, made once for all."""
        layer, sample, channel, *rest, _ = key
        session = self.session
        if not (
            session.axes[layer].has_channels
            and len(session.axes[layer].plane) == 2
            and session.reader.is_ready(layer, sample)
            and is_ordered(session, layer, sample)
        ):
            return None, None
        order = session.channels_as_read(layer, sample)
        place = order.position(channel)
        if place is None:
            return None, None
        drawn = all_pictures(session, layer, sample, channel)
        near = neighbours(place, len(order.channels), drawn.array.shape[1:])

        def make() -> Sprite:
            return sprite_of(_fitting(drawn.array[order.channels[near.start : near.stop]]), near.start)

        return place, self._sprite.get((session.version, layer, sample, *rest, near), make)

    def _number(self, layer: str, sample: int, channel: int) -> ChannelMap:
        """Return where the chosen number lies among those of its layer."""
        drawn = all_pictures(self.session, layer, sample, channel)
        scale = plots.with_zero(pictures.finite_scale(drawn.array))
        picture = Picture(plots.marks(drawn.array, drawn.chosen, scale, 64, _SIDE), CHART)
        fine = plots.marked(drawn.array, scale, _SIDE)[None]
        value, words = drawn.array[drawn.chosen], drawn.name_of(drawn.chosen)
        return ChannelMap(value, drawn, picture, fine, scale, None, layer, words)

    def draw(self, result: ChannelMap) -> None:
        """Show the map, above the input if that is wanted, the line, or the number."""
        chosen = self.session.selection.value_range
        if result.array.ndim == 1:
            self._line_chart().show(result.array, result.drawn.axes.plane[0], chosen)
            self._bar.value = ""
        else:
            self._show_picture(result)
            is_map = result.array.ndim == 2
            colours = result.picture.colours
            self._bar.value = (
                text.colour_bar(colours, result.scale, chosen=chosen)
                if is_map
                else text.both_ends(result.scale)
            )
        self._arrange(result.array.ndim == 1, result.drawn.axes.is_spatial, result.ground is not None)
        self._shown_map = result
        self._axes.show(result.layer, result.drawn)
        self.note(result.words, result.layer)
        self._lit.value = text.caption(result.lit(chosen)) if chosen else ""
        self._leave()

    def picture(self, result: ChannelMap) -> bytes:
        """Return the map as a PNG, over the input if that is shown; the line or the number as a chart."""
        chosen = self.session.selection.value_range
        if result.array.ndim == 1:
            return pictures.png_of(charts.line(result.array, result.drawn.axes.plane[0], chosen))
        large = pictures.enlarged(result.picture.rgb(), _SIDE)
        if result.ground is not None:
            photo = Image.fromarray(result.ground.rgb).resize(large.shape[1::-1], Image.Resampling.BILINEAR)
            large = pictures.blended(np.asarray(photo), large, self._opacity.value)
        return pictures.png_of(result.veil(chosen, *large.shape[:2]).over(large) if chosen else large)

    def panels(self, result: ChannelMap) -> list[np.ndarray]:
        """Return the map and its colour bar, the line or the number, and what is said of it."""
        bars, chosen = [], self.session.selection.value_range
        if result.array.ndim == 2:
            ends = text.ends(result.scale)
            bars = [charts.colour_bar(result.picture.colours, result.scale, ends, chosen)]
        words = [result.lit(chosen)] if chosen else []
        said = [charts.paragraph(line) for line in (*words, result.summary)]
        return [*super().panels(result), *bars, *said]

    def release(self) -> None:
        """Free the chart that is not in the card just now, and let go of what axes and map follow."""
        self._axes.close()
        self._led.unlink()
        if self._chart is not None:
            close_whole(self._chart.widget)

    def _arrange(self, is_line: bool, is_spatial: bool, is_over: bool) -> None:
        """Show the widgets that such a picture takes, and hide the others."""
        if self._arranged == (is_line, is_spatial, is_over):
            return
        self._arranged = is_line, is_spatial, is_over
        shown = {self._surface.face: not is_line, self._way: is_spatial, self._opacity: is_over}
        # Taken out, not hidden: bqplot draws a hidden chart with the negative size that its margins leave.
        chart = [self._line_chart().widget] if is_line else []
        self._place.children = [self._surface.face, *chart]
        for widget, is_shown in shown.items():
            widget.layout.display = None if is_shown else "none"

    def _show_picture(self, result: ChannelMap) -> None:
        shape = result.picture.indices.shape if result.ground is None else result.ground.rgb.shape[:2]
        box, opacity = fitted(shape, _SIDE), 1.0 if result.ground is None else self._opacity.value
        size, chosen = (round(box.width), round(box.height)), self.session.selection.value_range
        scene, scenes = result.scene(result.place, box, opacity), result.scenes(box, opacity)
        if chosen:
            veil = Sheet(result.veil(chosen, size[1], size[0]).png())
            # What is lit differs by channel: the kernel tells it.
            scene, scenes = Scene([*scene.placed, Placed(veil, box)]), {}
        ground = None if result.ground is None else result.ground.sheet
        self._surface.show(size, scene, scenes, ground)

    def _line_chart(self) -> LineChart:
        """Return the chart, made when it is first needed."""
        if self._chart is None:
            self._chart = LineChart(self.guarded(self._point), self._leave)
        return self._chart

    def _hover(self, x: float, y: float) -> None:
        result = self._shown_map
        if result is None or result.array.ndim != 2:
            return
        sides = result.picture.indices.shape
        width, height = self._surface.size
        at = int(y / height * sides[0]), int(x / width * sides[1])
        if all(0 <= i < n for i, n in zip(at, sides, strict=True)):
            self._point(*pictures.largest_at(result.array, at, sides))

    def _point(self, *at: int) -> None:
        """Tell the value at a place of the map or the line."""
        result = self._shown_map
        if result is not None and len(at) == result.array.ndim:
            self._under.value = text.caption(result.drawn.point(result.drawn.first, *at))

    def _leave(self, *event: Any) -> None:
        if self._shown_map is not None:
            self._under.value = text.caption(self._shown_map.summary)


def _fitting(maps: np.ndarray) -> np.ndarray:
    """Return maps no larger than the canvas, which would leave out rows and columns of larger ones."""
    share = min(1.0, _SIDE / max(maps.shape[1:]))
    return pictures.resampled(maps, [max(1, int(n * share)) for n in maps.shape[1:]])


def fitted(shape: tuple[int, ...], side: int) -> Box:
    """Return the box of `shape` (height, width) whose longer side is `side`, at least 24 high."""
    height, width = shape
    scale = side / max(height, width)
    return Box(0, 0, max(24, round(width * scale)), max(24, round(height * scale)))
