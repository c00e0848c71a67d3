"""A list that opens at a click, of entries that change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import traitlets

from .face import Face, Faced, script_of


class ChangingList(Faced):
    """A few entries of which one is chosen; a choice of one that is gone changes nothing.

    The page may show the entries of a moment ago. It tells the key of an entry, not its place, where another
    one may stand by now. So a key says all that the choice depends on.

    Attributes
    ----------
    face : Face
        The widget to put into a card.
    """

    script = script_of("changing_list.js")

    options: traitlets.List = traitlets.List().tag(sync=True)
    """The entries: pairs of key and words."""

    chosen = traitlets.Unicode("").tag(sync=True)
    """The key of the entry that is chosen."""

    label = traitlets.Unicode("").tag(sync=True)
    """What stands before the list."""

    hint = traitlets.Unicode("").tag(sync=True)
    """What the pointer is told, and a screen reader where there is no label."""

    def __init__(self, label: str = "", hint: str = "") -> None:
        super().__init__(label=label, hint=hint)
        self.face = Face(self)
        self.face.layout.width = "auto"

    def show(self, options: Sequence[tuple[str, str]], chosen: str) -> None:
        """Show these entries, one of them chosen, in one message."""
        with self.hold_sync():
            self.options = list(options)
            self.chosen = chosen

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what the page tells; called for each of its messages."""
        if sync_data.get("chosen", self.chosen) in dict(self.options):
            super().set_state(sync_data)
        else:
            self.send_state("chosen")
