"""What a screen reader and the Tab key find in a card."""

from __future__ import annotations

import anywidget

from .face import script_of


class Names(anywidget.AnyWidget):
    """Gives names to the pictures and controls of the card that it lies in; shows nothing.

    ipywidgets leaves its sliders and play buttons without names, and does not tell which of its toggles
    are pressed; see ``docs/decisions/0013``. Nothing is told between it and the kernel.
    """

    _esm = script_of("names.js")

    def __init__(self) -> None:
        super().__init__()
        self.add_class("aw-names")
