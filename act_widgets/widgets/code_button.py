"""A button that shows and copies code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import traitlets

from .face import Faced, script_of


class CodeButton(Faced):
    """A button in the corner of a card. Pressed, it shows code in a box, selected, and copies it.

    The code is made when it is asked for, so that nothing is sent while somebody clicks through channels.
    A browser that does not let the page copy is told of: the code is selected, and the keyboard copies it.

    It is on every card, so its script also keeps the keys of the card's controls from the notebook's
    shortcuts, and gives names to the card's pictures and controls: see ``docs/decisions/0011`` and ``0013``.

    Parameters
    ----------
    make : callable
        Returns the code.
    """

    script = "\n".join(script_of(f"{part}.js") for part in ("keys", "names", "code_button"))

    asked = traitlets.Int(0).tag(sync=True)
    """How often the page asked for the code."""

    answered = traitlets.Int(0).tag(sync=True)
    """The question that `code` answers."""

    code = traitlets.Unicode("").tag(sync=True)
    """What is shown and copied."""

    def __init__(self, make: Callable[[], str]) -> None:
        super().__init__()
        self._make = make

    def answer(self, change: dict[str, Any]) -> None:
        """Make the code that the page asked for."""
        with self.hold_sync():
            self.code = self._make()
            self.answered = change["new"]
