"""Slide through the channels of a layer."""

from __future__ import annotations

import ipywidgets
import numpy as np

from ..session import Session
from .choice_list import Option
from .control import Choice, Control


class ChannelSlider(Control):
    """A slider over the layer's channels, with a button that plays through them.

    Parameters
    ----------
    session : Session
        The model and batch to look at.
    """

    title = "Channel"
    watches = ("layer", "channel")

    def __init__(self, session: Session) -> None:
        self._slider = ipywidgets.IntSlider(min=0, max=0, layout={"width": "auto", "flex": "1 1 auto"})
        self._play = ipywidgets.Play(min=0, max=0, interval=250, show_repeat=False)
        super().__init__(session)
        self._slider.observe(self.guarded(self._moved), names=["value"])
        self._play.observe(self.guarded(self._moved), names=["value"])

    def build(self) -> list[ipywidgets.Widget]:
        """Return play and slider."""
        return [ipywidgets.HBox([self._play, self._slider])]

    def key(self) -> tuple[str, int]:
        """Layer and channel."""
        return self.session.selection.layer, self.session.selection.channel

    def compute(self, key: tuple[str, int]) -> Choice:
        """Return the channels of the layer."""
        channels = np.arange(self.session.reader.channels(key[0]))
        return Choice(channels, [Option(str(c), f"channel {c}") for c in channels], str(key[1]))

    def draw(self, result: Choice) -> None:
        """Set range and position."""
        last = len(result.array) - 1
        with self.following():
            for control in (self._slider, self._play):
                control.max = last
                control.value = int(result.chosen)
        self._slider.disabled = last == 0
        self.note(f"{result.chosen} of {last + 1}, counted from 0")

    def _moved(self, change: dict) -> None:
        self.choose("channel", change["new"])
