"""The slider that is moved through channels, for drawings that follow it in the page itself."""

from __future__ import annotations

import ipywidgets
import traitlets

from ..session import Session
from .per_session import PerSession
from .surface import Surface


class Cursor(traitlets.HasTraits):
    """Which slider it is."""

    slider = traitlets.Instance(ipywidgets.IntSlider, allow_none=True)
    """Where it stands is a place in the order of the channels; None if no card has one."""


cursor_of = PerSession(Cursor)


def led_by_cursor(surface: Surface, session: Session) -> traitlets.dlink:
    """Have a drawing follow the slider, whichever it is; what is returned ends it by its `unlink`."""
    return traitlets.dlink((cursor_of(session), "slider"), (surface, "_slider"))
