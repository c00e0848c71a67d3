"""A slider for each axis of which one index is shown at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets

from ..rendering.axes import one_of
from .base import View


class AxisSliders:
    """Sliders along axes, by role. They move those of all views of the session.

    Parameters
    ----------
    view : View
        Whose card they are in. It follows where they stand, and how axes are chosen.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self.by_role: dict[str, ipywidgets.IntSlider] = {}
        self.widget = ipywidgets.VBox()
        view.session.axes.observe(self._on_change, names=["chosen", "places"])

    def show(self, sliders: Mapping[str, tuple[int, int]]) -> None:
        """Show these sliders and no other: place and length by role."""
        with self._view.following():
            for role in sliders:
                if role not in self.by_role:
                    self._add(role)
            for role, slider in self.by_role.items():
                slider.layout.display = "" if role in sliders else "none"
            for role, (place, length) in sliders.items():
                self.by_role[role].max = length - 1
                self.by_role[role].value = place

    def close(self) -> None:
        """Stop following the session."""
        self._view.session.axes.unobserve(self._on_change, names=["chosen", "places"])

    def _add(self, role: str) -> None:
        slider = ipywidgets.IntSlider(description=one_of(role).capitalize(), min=0, layout={"width": "auto"})
        slider.observe(self._view.guarded(lambda change: self._moved(role, change)), names=["value"])
        self.by_role[role] = slider
        self.widget.children = tuple(self.by_role.values())

    def _moved(self, role: str, change: dict[str, Any]) -> None:
        if not self._view.is_following:
            self._view.session.axes.move(role, change["new"], self.by_role[role].max + 1)

    def _on_change(self, change: dict[str, Any]) -> None:
        self._view.refresh()
