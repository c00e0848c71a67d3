"""How far work is that a cell waits for, with a button that ends it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import ipywidgets

from . import text

# Seconds between two pictures of the bar.
_SELDOM = 0.1


class Task(ipywidgets.VBox):
    """A bar and a button to stop, on the screen while there is work.

    The style sheet shows them after a second: most work is done by then.
    """

    def __init__(self) -> None:
        self._bar = ipywidgets.HTML()
        # A toggle rather than a button: a trait reaches the kernel while a cell runs.
        self._stop = ipywidgets.ToggleButton(description="Stop", icon="stop", layout={"width": "auto"})
        super().__init__([self._bar, self._stop], layout={"display": "none"})
        self.add_class("aw-task")

    @contextmanager
    def begun(self, title: str) -> Iterator[Callable[[float, str], None]]:
        """Show the work within; what is yielded takes ``(share, words)`` and shows them.

        Raises
        ------
        KeyboardInterrupt
            From what is yielded, once "Stop" was pressed: it ends a cell as an interrupt of the kernel does.
        """
        shown_at = -_SELDOM

        def tell(share: float, words: str) -> None:
            nonlocal shown_at
            if self._stop.value:
                raise KeyboardInterrupt(f"Stopped: {title}.")
            if time.monotonic() - shown_at > _SELDOM:
                self._bar.value = text.progress(share, f"{title}: {share:.0%} · {words}")
                shown_at = time.monotonic()

        self._stop.value = False
        self._bar.value = text.progress(0, title)
        self.layout.display = ""
        try:
            yield tell
        finally:
            self.layout.display = "none"
