"""Where the pointer is in a chart, which bqplot itself tells only of a line that is hit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .face import Face, Faced, script_of


class ChartPointer(Faced):
    """Follows the pointer over the chart of the card that it is in.

    Parameters
    ----------
    callback : callable
        Called as ``callback(x)`` with the place on the axis at the bottom.
    leave : callable
        Called when the pointer goes.

    Attributes
    ----------
    face : Face
        The widget to put beside the chart. It shows nothing.
    """

    script = script_of("chart_pointer.js")

    def __init__(self, callback: Callable[[float], None], leave: Callable[[], None]) -> None:
        super().__init__()
        self.face = Face(self)
        self._callback, self._leave = callback, leave
        self.on_msg(self._hear)

    def _hear(self, pointer: ChartPointer, message: dict[str, Any], buffers: list) -> None:
        if message["at"] is None:
            self._leave()
        else:
            self._callback(message["at"])
