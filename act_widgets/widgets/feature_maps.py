"""All channels of a layer in a grid: maps, a heat map or lines of sequences, bars of vectors."""

from __future__ import annotations

from typing import Any

import ipywidgets
import numpy as np

from ..errors import LayerKindError
from ..rendering import charts, sheet
from ..rendering.axes import one_of
from ..rendering.palettes import CHART, DIVERGING, SEQUENTIAL
from ..rendering.pictures import enlarged, png_of
from ..session import Session
from . import text
from .axes_control import AxesControl
from .base import View
from .channel_order import OF_ORDER, is_ordered, order_key
from .cursor import led_by_cursor
from .grid import HEAT, LINES, OWN, SHARED, SIDE, Grid, grid_of, page_size
from .kept import Kept
from .maps import all_pictures, is_ready, with_choice
from .recipe import of_control
from .surface import Box, Placed, Scene, Sheet, Surface

# Ends of the colour bar where each map has a scale of its own; about zero where the layer is signed.
_OWN_ENDS = ("each map's lowest", "highest")
_SIGNED_ENDS = ("each map's −max", "+max")


class FeatureMaps(View):
    """What a layer computes for a sample, all channels by pages. A click selects the channel.

    The layer's axes decide what is drawn: vectors are bars, sequences a heat map or lines, pictures maps;
    volumes and image sequences have sliders for what a map does not show. They are guessed, shown, and can
    be changed. Values outside the selection's `value_range` are dimmed.

    Parameters
    ----------
    session : Session
        The model and batch to look at.
    colours : str
        Colour map of layers without negative values: viridis, cividis, magma or gray. Layers with
        values of both signs are drawn in red and blue, zero in the middle.
    scale : str
        ``"per map"`` or ``"per layer"``: whether each map has colours of its own range.
    sequences : str
        ``"heat map"`` or ``"lines"``: how sequences are drawn.
    """

    title = "Feature maps"
    watches = ("layer", "channel", "sample", "value_range", *OF_ORDER)
    scale = of_control("_scale", OWN, "``'per map'`` or ``'per layer'``: what the colours range over.")
    colours = of_control("_colours", SEQUENTIAL[0], "Colour map of layers without negative values.")
    sequences = of_control("_sequences", HEAT, "``'heat map'`` or ``'lines'``: how sequences are drawn.")
    page = of_control("_page", 1, "Which page of maps is shown: ``int``, from 1.")

    def __init__(
        self,
        session: Session,
        *,
        colours: str = SEQUENTIAL[0],
        scale: str = OWN,
        sequences: str = HEAT,
    ) -> None:
        self._colours = ipywidgets.Dropdown(options=SEQUENTIAL, value=colours, layout={"width": "84px"})
        self._colours.tooltip = "Colour map"
        self._scale = ipywidgets.ToggleButtons(
            options=[OWN, SHARED],
            value=scale,
            tooltips=["Each map uses all colours", "All maps share one scale"],
        )
        self._sequences = ipywidgets.ToggleButtons(options=[HEAT, LINES], value=sequences)
        self._page = ipywidgets.IntSlider(description="Page", min=1, max=1, value=1)
        self._surface = Surface(SIDE, SIDE)
        self._bar = ipywidgets.HTML()
        self._lit = ipywidgets.HTML()
        self._under = ipywidgets.HTML()
        self._grid: Grid | None = None
        self._followed: tuple | None = None
        self._veil = Kept()
        super().__init__(session)
        for control in (self._colours, self._scale, self._sequences, self._page):
            control.observe(self._on_change, names=["value"])

    def build(self) -> list[ipywidgets.Widget]:
        """Return how it is drawn, axes, page, the grid, its colour bar, what is lit and pointed at."""
        self._axes = AxesControl(self)
        self._surface.face.add_class("aw-click")
        self._surface.on_click(self.guarded(self._click))
        self._surface.on_hover(self.guarded(self._hover), self._leave)
        self._led = led_by_cursor(self._surface, self.session)
        choices = ipywidgets.HBox(
            [self._scale, self._sequences, self._colours], layout={"flex_flow": "row wrap"}
        )
        below = [self._bar, self._lit, self._under]
        return [choices, self._axes.widget, self._page, self._surface.face, *below]

    def key(self) -> tuple:
        """Layer, sample, how its axes are chosen and its sliders stand, page, and how it is drawn."""
        chosen, axes = self.session.selection, self.session.axes
        self._follow_channel(chosen.layer, chosen.channel)
        spread = axes[chosen.layer].spread_role if axes.knows(chosen.layer) else ""
        places = tuple(place for place in axes.places if place[0] != spread)
        look = self._page.value, self._scale.value, self._colours.value, self._sequences.value
        return chosen.layer, chosen.sample, axes.chosen, places, order_key(self.session), *look

    def look(self) -> tuple:
        """The channel or where sliders stand, which decide the frame, and which values are lit."""
        chosen = self.session.selection
        return chosen.channel, self.session.axes.places, chosen.value_range

    def is_ready(self, key: tuple) -> bool:
        """Whether the activation can be looked up."""
        return is_ready(self.session, key[0], key[1]) and is_ordered(self.session, key[0], key[1])

    def compute(self, key: tuple) -> Grid:
        """Return a page of pictures."""
        layer, sample, _, _, _, page, scale, colours, sequences = key
        near = (page - 1) * page_size(self.session.axes[layer])
        drawn = all_pictures(self.session, layer, sample, near)
        order = np.arange(drawn.count)
        if drawn.axes.has_channels:
            order = self.session.ordered_channels(layer, sample).channels
        if not order.size:
            raise LayerKindError(
                f"Every channel of '{layer}' is 0 in every sample, and dead channels are hidden: "
                "there is nothing to show. Choose another layer, or show dead channels again."
            )
        return grid_of(drawn, order, page, scale, colours, sequences)

    def draw(self, grid: Grid) -> None:
        """Show the page, a veil over what is not lit, and a frame around the chosen channel."""
        drawn = with_choice(self.session, grid.drawn, self.session.selection.channel)
        frame = grid.box(drawn.chosen) if drawn.count > 1 else None
        height, width = grid.size
        placed = [Placed(grid.sheet, Box(0, 0, width, height))]
        chosen = self.session.selection.value_range
        if chosen:
            key = grid.sheet.name, chosen
            veil = self._veil.get(key, lambda: Sheet(grid.veil(chosen, height, width).png()))
            placed.append(Placed(veil, Box(0, 0, width, height)))
        # A hidden channel has no frame, wherever the slider stands.
        is_led = frame is not None and drawn.axes.has_channels
        frames = grid.frames if is_led else {}
        self._surface.show(
            (width, height),
            Scene(placed, [frame] if frame else []),
            {place: Scene(placed, [box]) for place, box in frames.items()},
        )
        layer = self.session.selection.layer
        self._axes.show(layer, drawn)
        if self._grid is not grid:
            self._grid = grid
            self._say(layer, grid)
        self._say_range(grid)

    def picture(self, grid: Grid) -> bytes:
        """Return the page as a PNG, each cell at least as large as on the screen."""
        least = 1 if grid.picture.colours == CHART else SIDE
        page, chosen = enlarged(grid.picture.rgb(), least), self.session.selection.value_range
        return png_of(grid.veil(chosen, *page.shape[:2]).over(page) if chosen else page)

    def panels(self, grid: Grid) -> list[np.ndarray]:
        """Return the page, its colour bar, and how much is lit."""
        found = [sheet.decoded(self.picture(grid))]  # white between the maps, as on the screen
        chosen = self.session.selection.value_range
        if grid.picture.colours != CHART:
            ends = text.ends(grid.scale) if grid.scale else _ends(grid.picture.colours)
            found.append(charts.colour_bar(grid.picture.colours, grid.scale, ends, chosen))
        return [*found, charts.paragraph(grid.drawn.lit(chosen))] if chosen else found

    def release(self) -> None:
        """Let go of what axes and frame follow."""
        self._axes.close()
        self._led.unlink()

    def _say(self, layer: str, grid: Grid) -> None:
        self._page.max = grid.pages
        self._page.layout.display = None if grid.pages > 1 else "none"
        is_chart, plane = grid.picture.colours == CHART, grid.drawn.axes.plane
        self._scale.layout.display = None if plane else "none"
        self._sequences.layout.display = None if len(plane) == 1 else "none"
        self._colours.layout.display = "none" if is_chart else None
        self._colours.disabled = grid.picture.colours == DIVERGING
        self.note(grid.drawn.words, layer)
        self._leave()

    def _say_range(self, grid: Grid) -> None:
        chosen, colours = self.session.selection.value_range, grid.picture.colours
        is_chart = colours == CHART
        self._bar.value = (
            text.extent(grid.scale)
            if is_chart
            else text.colour_bar(colours, grid.scale, *_ends(colours), chosen)
        )
        self._lit.value = text.caption(grid.drawn.lit(chosen)) if chosen else ""

    def _follow_channel(self, layer: str, channel: int) -> None:
        """Turn to the page of a channel that was chosen elsewhere."""
        wish = layer, channel, order_key(self.session)
        is_known = self.session.axes.knows(layer) and is_ordered(
            self.session, layer, self.session.selection.sample
        )
        if self._followed == wish or not is_known:
            return
        self._followed = wish
        axes = self.session.axes[layer]
        page = self._place_of(layer, channel) // page_size(axes) + 1 if axes.has_channels else 1
        if page != self._page.value:
            self._page.max = max(self._page.max, page)
            self._page.value = page

    def _place_of(self, layer: str, channel: int) -> int:
        """Return where a channel stands in the order; the first place if it is hidden."""
        return self.session.channels_as_read(layer, self.session.selection.sample).position(channel) or 0

    def _click(self, x: float, y: float) -> None:
        hit = self._grid.at(x, y) if self._grid else None
        if self._grid is None or hit is None:
            return
        drawn, picture = self._grid.drawn, hit[0]
        if drawn.axes.has_channels:
            self.session.selection.channel = picture
        elif drawn.axes.spread_role:
            self.session.axes.move(drawn.axes.spread_role, picture, drawn.count)

    def _hover(self, x: float, y: float) -> None:
        hit = self._grid.at(x, y) if self._grid else None
        if self._grid is None or hit is None:
            self._leave()
        else:
            self._under.value = text.caption(self._grid.drawn.point(*hit))

    def _leave(self, *event: Any) -> None:
        refused = self.session.reader.blocks.refused.get(self.session.selection.layer)
        self._under.value = text.caption(refused or self._hint())

    def _hint(self) -> str:
        if self._grid is None:
            return ""
        axes = self._grid.drawn.axes
        is_heat = len(axes.plane) == 1 and self._sequences.value == HEAT and axes.spread_role
        lie = f"{axes.spread_role} down, {axes.plane[0]} across. ".capitalize() if is_heat else ""
        choose = f"; click to choose a {one_of(axes.spread_role)}" if axes.spread_role else ""
        return f"{lie}Point at it to read values{choose}."


def _ends(colours: str) -> tuple[str, str]:
    """Return what lies at the ends of a colour bar of maps with scales of their own."""
    return _SIGNED_ENDS if colours == DIVERGING else _OWN_ENDS
