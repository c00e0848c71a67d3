"""Pick the layer to look at."""

from __future__ import annotations

from collections.abc import Iterator

import ipywidgets
import numpy as np

from ..session import Session
from .choice_list import ChoiceList, Option
from .control import Choice, Control
from .face import Face


class LayerPicker(Control):
    """Every layer with its shape and kind; inner layers lie in the one that holds them.

    Arrow keys move through the list, typing searches names and kinds.

    Parameters
    ----------
    session : Session
        The model and batch to look at.
    """

    title = "Layer"
    watches = ("layer",)

    def __init__(self, session: Session) -> None:
        self._list = ChoiceList(label="layer", hint="search name or type", rows=9, has_steps=True)
        super().__init__(session)
        self._list.observe(self.guarded(self._picked), names=["chosen"])

    def build(self) -> list[ipywidgets.Widget]:
        """Return the list."""
        return [Face(self._list)]

    def key(self) -> str:
        """The layer chosen."""
        return self.session.selection.layer

    def compute(self, key: str) -> Choice:
        """Return the layers, and the chosen one."""
        options = list(self._options())
        return Choice(np.array([option.key for option in options]), options, key)

    def draw(self, result: Choice) -> None:
        """Mark the chosen layer; the list changes only if the layers did."""
        with self.following():
            self._list.show(result.options, result.chosen)
        lost = len(self.session.unreachable)
        self.note(f"{len(result.options)} layers" + (f" · {lost} can't be read" if lost else ""))

    def _options(self) -> Iterator[Option]:
        """Yield each holder before its inner layers, otherwise in call order."""
        children: dict[str, list[str]] = {}
        for address in self.session.layers:
            children.setdefault(self._holder(address), []).append(address)

        def within(holder: str, depth: int) -> Iterator[Option]:
            for address in children.get(holder, ()):
                name = address[len(holder) :].lstrip("/") if holder else address
                tap = self.session.tap(address)
                yield Option(address, name, f"{tap.size_text.replace(' ', '')} {tap.kind}", depth)
                yield from within(address, depth + 1)

        return within("", 0)

    def _holder(self, address: str) -> str:
        """Return the nearest layer around another, or nothing."""
        holder = address.rpartition("/")[0]
        return holder if not holder or holder in self.session.layers else self._holder(holder)

    def _picked(self, change: dict) -> None:
        try:
            self.choose("layer", change["new"])
        finally:
            with self.following():
                self._list.chosen = self.session.selection.layer
