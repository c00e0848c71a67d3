"""Slide through the channels of a layer."""

from __future__ import annotations

from dataclasses import dataclass

import ipywidgets
import numpy as np

from ..reading.ordering import INDEX, ORDERS, Ordered
from ..session import Session
from . import text
from .channel_order import OF_ORDER, is_ordered, order_key
from .choice_list import Option
from .control import Choice, Control
from .cursor import cursor_of

_WORDS = {"weight": "weight for the class"}


@dataclass(frozen=True)
class Channels(Choice):
    """The channels on offer, in their order."""

    ordered: Ordered


class ChannelSlider(Control):
    """A slider over the layer's channels, with a button that plays through them.

    They come by number, by a statistic of the sample's activation, or by their weight for what is
    explained, largest first; dead ones can be left out. The grid of feature maps follows.

    Parameters
    ----------
    session : Session
        The model and batch to look at.
    """

    title = "Channel"
    watches = ("layer", "channel", "sample", *OF_ORDER)

    def __init__(self, session: Session) -> None:
        self._slider = ipywidgets.IntSlider(min=0, max=0, layout={"width": "auto", "flex": "1 1 auto"})
        self._play = ipywidgets.Play(min=0, max=0, interval=250, show_repeat=False)
        self._order = ipywidgets.Dropdown(
            options=[(_WORDS.get(order, order), order) for order in ORDERS],
            description="Order",
            layout={"width": "auto", "flex": "1 1 150px"},
        )
        self._order.tooltip = "What channels are ordered by, largest first"
        self._dead = ipywidgets.ToggleButton(description="Hide dead", layout={"width": "auto"})
        self._dead.tooltip = "Leave out channels that are 0 everywhere in the batch"
        self._channels = np.zeros(0, int)
        super().__init__(session)
        for control in (self._slider, self._play):
            control.observe(self.guarded(self._moved), names=["value"])
        cursor_of(session).add(self._slider)
        session.axes.observe(self._on_change, names=["chosen"])
        self._order.observe(self.guarded(lambda change: self.choose("order", change["new"])), names=["value"])
        self._dead.observe(
            self.guarded(lambda change: self.choose("hide_dead", change["new"])), names=["value"]
        )

    def release(self) -> None:
        """Let nothing follow the slider any more, and stop following the axes."""
        self.session.axes.unobserve(self._on_change, names=["chosen"])
        cursor_of(self.session).remove(self._slider)

    def build(self) -> list[ipywidgets.Widget]:
        """Return play and slider, and what decides the order."""
        return [
            ipywidgets.HBox([self._play, self._slider]),
            ipywidgets.HBox([self._order, self._dead], layout={"flex_flow": "row wrap"}),
        ]

    def key(self) -> tuple:
        """Layer, channel, sample, how axes are chosen, and what decides the order."""
        chosen, axes = self.session.selection, self.session.axes
        return chosen.layer, chosen.channel, chosen.sample, axes.chosen, *order_key(self.session)

    def is_ready(self, key: tuple) -> bool:
        """Whether the order takes no pass of the model."""
        return self.session.axes.knows(key[0]) and is_ordered(self.session, key[0], key[2])

    def compute(self, key: tuple) -> Channels:
        """Return the channels of the layer in their order."""
        layer, channel, sample, _, order, *_ = key
        axes = self.session.axes[layer]
        if axes.spread_axis is None:
            nothing = Ordered(np.zeros(0, int), np.zeros(0), 0)
            return Channels(nothing.channels, [Option("", "no channels", axes.words)], "", nothing)
        found = self.session.channels_as_read(layer, sample)
        values = [""] * len(found.values) if order == INDEX else map(text.number, found.values.tolist())
        options = [Option(str(c), f"channel {c}", v) for c, v in zip(found.channels, values, strict=True)]
        return Channels(found.channels, options, str(channel), found)

    def draw(self, result: Channels) -> None:
        """Set range and position."""
        found, last = result.ordered, max(0, len(result.array) - 1)
        chosen = int(result.chosen or 0)
        place = found.position(chosen)
        is_plain = self.session.selection.order == INDEX and not found.hidden
        with self.following():
            self._channels = result.array
            for control in (self._slider, self._play):
                control.max = last
                control.value = place or 0
            self._order.value = self.session.selection.order
            self._dead.value = self.session.selection.hide_dead
        self._slider.disabled = last == 0
        # The slider's own number is the place; it is the channel's only where nothing is reordered.
        self._slider.readout = is_plain
        self.note(
            self._words(chosen, place, result) if result.chosen else f"none · {result.options[0].facts}"
        )

    def _words(self, chosen: int, place: int | None, result: Channels) -> str:
        if not result.chosen:
            return f"none · {result.options[0].facts}"
        hidden = result.ordered.hidden
        rest = f" · {hidden} dead hidden" if hidden else ""
        if self.session.selection.order == INDEX:
            return f"{chosen} of {len(result.array) + hidden}, counted from 0{rest}"
        if place is None:
            return f"{chosen} is dead{rest}"
        order = _WORDS.get(self.session.selection.order, self.session.selection.order)
        return f"{chosen} · {order} {result.options[place].facts} · {place + 1} of {len(result.array)}{rest}"

    def _moved(self, change: dict) -> None:
        if not self.is_following and len(self._channels):
            self.choose("channel", int(self._channels[min(change["new"], len(self._channels) - 1)]))
