"""The slider that is moved through channels, for drawings that follow it in the page itself."""

from __future__ import annotations

import ipywidgets
import traitlets

from ..session import Session
from .per_session import PerSession
from .surface import Surface


class Cursor(traitlets.HasTraits):
    """Which slider it is: of several cards that have one, the last."""

    slider = traitlets.Instance(ipywidgets.IntSlider, allow_none=True)
    """Where it stands is a place in the order of the channels; None if no card has one."""

    def __init__(self) -> None:
        super().__init__()
        self._sliders: list[ipywidgets.IntSlider] = []

    def add(self, slider: ipywidgets.IntSlider) -> None:
        """Follow this slider from now on."""
        self._sliders.append(slider)
        self.slider = slider

    def remove(self, slider: ipywidgets.IntSlider) -> None:
        """Follow this slider no more."""
        self._sliders.remove(slider)
        self.slider = self._sliders[-1] if self._sliders else None


cursor_of = PerSession(Cursor)


def led_by_cursor(surface: Surface, session: Session) -> traitlets.dlink:
    """Have a drawing follow the slider, whichever it is; what is returned ends it by its `unlink`."""
    return traitlets.dlink((cursor_of(session), "slider"), (surface, "_slider"))
