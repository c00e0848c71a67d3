"""Answers while a cell runs."""

from __future__ import annotations

import ipywidgets

from .parts import parts_of


def answer_meanwhile(widget: ipywidgets.Widget) -> None:
    """Have a widget and its parts hear what the page says while a cell runs.

    JupyterLab sends what it says to a thread of its own. From version 7.4 on ipykernel passes it on to the
    loop that last spoke to the page by the same widget: for one that a cell made, the main one, which hears
    nothing until the cell is done. Here the page has its way, as before. Where the page names no thread, or
    ipykernel is older, nothing changes.
    """
    for part in (widget, *parts_of(widget)):
        if hasattr(part.comm, "_reply_subshell_for"):
            part.comm._reply_subshell_for = lambda data, asked: asked  # noqa: SLF001
