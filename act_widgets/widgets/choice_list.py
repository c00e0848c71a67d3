"""A list to choose from, drawn and searched in the browser."""

from __future__ import annotations

from typing import NamedTuple

import traitlets

from .face import Faced, script_of


class Option(NamedTuple):
    """One entry of a list.

    Attributes
    ----------
    key : str
        What is chosen by it. An entry's place says nothing: the list may have changed meanwhile.
    name : str
        Its words.
    facts : str
        What stands beside them.
    depth : int
        How many entries before it hold it: 0 for none.
    """

    key: str
    name: str
    facts: str = ""
    depth: int = 0


class ChoiceList(Faced):
    """Entries of which one is chosen; those that hold others open and close.

    Arrow keys, Home, End and the page keys choose; left and right close and open. Typing searches in keys and
    facts, in the browser alone, so that it works while the kernel is busy.
    """

    script = script_of("choice_list.js")

    options: traitlets.List = traitlets.List().tag(sync=True)
    """The entries: list of `Option`, each behind the one that holds it."""

    chosen = traitlets.Unicode("").tag(sync=True)
    """The key of the entry that is chosen."""

    label = traitlets.Unicode("").tag(sync=True)
    """What is chosen here, for screen readers: a noun, such as ``"layer"``."""

    hint = traitlets.Unicode("search").tag(sync=True)
    """What the empty search box says."""

    rows = traitlets.Int(9).tag(sync=True)
    """How many entries are seen at once."""

    search_from = traitlets.Int(0).tag(sync=True)
    """From how many entries on there is a search box."""

    has_steps = traitlets.Bool(False).tag(sync=True)
    """Whether buttons lead to the entries before and after."""

    def show(self, options: list[Option], chosen: str) -> None:
        """Show these entries, one of them chosen, in one message."""
        with self.hold_sync():
            self.options = options
            self.chosen = chosen
