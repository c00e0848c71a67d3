"""The widgets that a widget is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ipywidgets


def parts_of(widget: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    """Return every widget inside `widget`, itself left out: children, layouts, styles, scales.

    Closing a box closes none of them, and each holds memory in the kernel and in the page.
    """
    found: dict[int, ipywidgets.Widget] = {}
    waiting = [widget]
    while waiting:
        # Private traits hold what is shared, such as the one manager of all canvases.
        public = {n: v for n, v in waiting.pop().trait_values().items() if not n.startswith("_")}
        for part in _held(public):
            if id(part) not in found:
                found[id(part)] = part
                waiting.append(part)
    found.pop(id(widget), None)
    return list(found.values())


def close_whole(widget: ipywidgets.Widget) -> None:
    """Close a widget and all that it is made of."""
    for part in (*parts_of(widget), widget):
        part.close()


def _held(value: Any) -> Iterator[ipywidgets.Widget]:
    if isinstance(value, ipywidgets.Widget):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _held(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _held(item)
