"""The model graph in the browser: pan, zoom, click."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import traitlets

from .face import Faced, script_of


class GraphCanvas(Faced):
    """Show a drawing as SVG and tell Python what was clicked.

    Panning and zooming stay in the browser, so they work while the kernel is busy.

    See Also
    --------
    act_widgets.rendering.graph_svg.describe : makes the `drawing`.
    """

    script = script_of("graph_canvas.js")

    drawing = traitlets.Dict().tag(sync=True)
    """What to show: ``dict``, as `act_widgets.rendering.graph_svg.describe` returns it.

    - Default: ``{}``, an empty panel.
    - Effect: a drawing of another ``name`` is shown from its top; one of the same name keeps the
      zoom, and the group that was clicked keeps its place on the screen.
    """

    selected = traitlets.Unicode("").tag(sync=True)
    """The highlighted layer or group: ``str``, the address of a node or frame of the drawing.

    - Default: ``""``, nothing. An address that the drawing lacks highlights nothing.
    - Effect: the layer is outlined and, if it is outside the panel, moved into it at the same zoom.
    """

    height = traitlets.Int(520, min=120).tag(sync=True)
    """Height of the panel: ``int``, in pixels.

    - Default: ``520``. The width is always that of the surrounding box.
    """

    def __init__(self, **kwargs: Any) -> None:
        unknown = sorted(set(kwargs) - set(self.trait_names()))
        if unknown:
            raise TypeError(
                f"GraphCanvas has no {', '.join(unknown)}. Received: {', '.join(sorted(kwargs))}. "
                "Expected: drawing, selected, height."
            )
        self._on_select: list[Callable[[str], None]] = []
        self._on_toggle: list[Callable[[str, bool], None]] = []
        super().__init__(**kwargs)
        self.on_msg(self._receive)

    def on_select(self, callback: Callable[[str], None]) -> None:
        """Call ``callback(address)`` when the user chooses a layer or group.

        Setting `selected` from Python calls nothing.
        """
        self._on_select.append(callback)

    def on_toggle(self, callback: Callable[[str, bool], None]) -> None:
        """Call ``callback(address, opened)`` when the user opens or closes a group."""
        self._on_toggle.append(callback)

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """Act on a message of the browser; one about a drawing that is gone since is dropped."""
        if not isinstance(content, dict) or content.get("address") not in self._addresses():
            return
        address = content["address"]
        if content.get("type") == "select":
            self.selected = address
            for select in tuple(self._on_select):
                select(address)
        elif content.get("type") == "toggle":
            for toggle in tuple(self._on_toggle):
                toggle(address, bool(content.get("opened")))

    def _addresses(self) -> list[str]:
        shown = [*self.drawing.get("nodes", ()), *self.drawing.get("frames", ())]
        return [item["address"] for item in shown]
