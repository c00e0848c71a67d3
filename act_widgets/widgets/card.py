"""A card on the screen: title, what it shows, and the lines below it for work under way and for errors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import ipywidgets

from ..keys import short_name
from ..session import Session
from . import text
from .code_button import CodeButton
from .face import Face
from .still import Pictured


class Card(Pictured):
    """What every view looks like. A subclass says what is inside, and how code makes it anew."""

    title: ClassVar[str] = ""
    session: Session

    def __init__(self) -> None:
        self._following: int | None = None
        self._said, self._at = "", ""
        self._told = ("", "")
        self._heading = ipywidgets.HTML(text.heading(self.title))
        self._code = CodeButton(self.code)
        self._code.observe(self.guarded(self._code.answer), names=["asked"])
        self._alert = ipywidgets.HTML()
        self._busy = ipywidgets.HTML()
        # A toggle rather than a button: a trait reaches the kernel while a cell runs.
        self._stop = ipywidgets.ToggleButton(layout={"display": "none", "width": "auto"})
        self._stop.add_class("aw-stop")
        super().__init__(
            [self._heading, Face(self._code), *self.build(), self._busy, self._stop, self._alert]
        )
        self.add_class("aw-card")
        self.add_class(f"aw-{type(self).__name__}")

    def build(self) -> list[ipywidgets.Widget]:
        """Return the widgets of the card, top to bottom. Called once, before anything is drawn."""
        raise NotImplementedError

    def code(self) -> str:
        """Return Python code that makes this card anew, as it is now."""
        raise NotImplementedError

    @property
    def is_settled(self) -> bool:
        """Whether what is on the screen is what was asked for, so that there is no error to tell of."""
        return True

    def guarded(self, handler: Callable[..., None]) -> Callable[..., None]:
        """Return an event handler whose errors are shown in the card."""

        def handle(*event: Any) -> None:
            if self.is_settled:  # before: what the handler hands to the worker may fail at once
                self._alert.value = ""
            try:
                handler(*event)
            except Exception as error:  # the boundary: shown in the card
                self._alert.value = text.alert(error)

        return handle

    @contextmanager
    def following(self) -> Iterator[None]:
        """Change the view's own widgets without choosing anything by it."""
        self._following = threading.get_ident()
        try:
            yield
        finally:
            self._following = None

    @property
    def is_following(self) -> bool:
        """Whether this thread is changing the view's own widgets just now."""
        return self._following == threading.get_ident()

    def called(self, layer: str) -> str:
        """Return the end of a layer's address: as much of it as no other layer has."""
        return short_name(layer, self.session.layers)

    def note(self, words: str, layer: str = "", hint: str = "") -> None:
        """Say beside the title what is shown: the layer's name first, its address for the pointer.

        A hint says what can be done: a still picture has none.
        """
        self._said = " · ".join(filter(None, (layer and self.called(layer), words)))
        short, whole = (
            " · ".join(filter(None, parts)) for parts in ((self._said, hint), (layer, words, hint))
        )
        self._told = (short, whole)
        self._heading.value = text.heading(self.title, *self._told, self._at)

    def say_step(self, words: str) -> None:
        """Say of which step of a training the card is; in the explorer its first line does."""
        if words != self._at:
            self._at = words
            self._heading.value = text.heading(self.title, *self._told, self._at)

    def _show_stop(self, words: str) -> None:
        self._stop.description = words
        self._stop.icon = "stop" if words == "Stop" else "play"
        self._stop.layout.display = "" if words else "none"
