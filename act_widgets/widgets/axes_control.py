"""What the axes of a layer are: shown, to be changed, and a slider for each that is not drawn."""

from __future__ import annotations

from typing import Any

import ipywidgets

from ..rendering.axes import Axes
from . import text
from .axis_sliders import AxisSliders
from .base import View
from .changing_list import ChangingList
from .maps import Drawn


class AxesControl:
    """A list of what a layer's axes may be, sliders, and what else is to be said of what is drawn.

    Parameters
    ----------
    view : View
        Whose card it is in. It follows what all views of the session share.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self.list = ChangingList(hint="What the layer's axes are")
        self.list.face.add_class("aw-wide")
        self._offered: dict[str, tuple[str, Axes]] = {}
        self._sliders = AxisSliders(view)
        self._remark = ipywidgets.HTML()
        self._shown: tuple | None = None
        self.widget = ipywidgets.VBox([self.list.face, self._sliders.widget, self._remark])
        self.widget.add_class("aw-axes")
        self.list.observe(view.guarded(self._picked), names=["chosen"])

    @property
    def sliders(self) -> dict[str, ipywidgets.IntSlider]:
        """The sliders, by the roles of their axes."""
        return self._sliders.by_role

    def show(self, layer: str, drawn: Drawn) -> None:
        """Show what is drawn of a layer."""
        shown = layer, drawn.axes, drawn.sliders, drawn.remark
        if shown == self._shown:
            return
        self._shown = shown
        offered = dict.fromkeys([*self._view.session.axes.choices(layer), drawn.axes])
        self._offered = {f"{axes.words} of {layer}": (layer, axes) for axes in offered}
        options = [(key, axes.words) for key, (_, axes) in self._offered.items()]
        with self._view.following():
            self.list.show(options, f"{drawn.axes.words} of {layer}")
        self._sliders.show(drawn.sliders)
        self._remark.value = text.caption(drawn.remark)

    def close(self) -> None:
        """Stop following the session."""
        self._sliders.close()

    def _picked(self, change: dict[str, Any]) -> None:
        if not self._view.is_following:
            layer, axes = self._offered[change["new"]]
            self._view.session.axes[layer] = axes
