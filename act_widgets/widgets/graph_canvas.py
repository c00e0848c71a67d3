"""The model graph in the browser: pan, zoom, click."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import traitlets

from .face import Faced, script_of

# In the order in which each is made of those before.
_PARTS = ("camera", "items", "style", "tip", "search", "panel", "pointer", "keyboard", "canvas")


class GraphCanvas(Faced):
    """Show a drawing as SVG and tell Python what was clicked.

    Panning and zooming stay in the browser, so they work while the kernel is busy.

    See Also
    --------
    act_widgets.rendering.graph_svg.describe : makes the `drawing`.
    """

    # One job each; they share their names as parts of one script.
    script = "\n".join(script_of(f"graph_{part}.js") for part in _PARTS)

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

    index: traitlets.List = traitlets.List().tag(sync=True)
    """What the search finds: list of pairs of address and kind.

    - Default: ``[]``, what is in the drawing.
    - Effect: one that is not in the drawing is asked for, see `on_reveal`.
    """

    flight = traitlets.Dict().tag(sync=True)
    """Where to fly: ``{"address": str, "number": int}``, another number each time.

    - Default: ``{}``, nowhere.
    - Effect: the node or frame of the drawing comes to the middle of the panel, and is marked.
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
                "Expected: drawing, selected, index, flight, height."
            )
        self._on_select: list[Callable[[str], None]] = []
        self._on_toggle: list[Callable[[str, bool], None]] = []
        self._on_reveal: list[Callable[[str], None]] = []
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

    def on_reveal(self, callback: Callable[[str], None]) -> None:
        """Call ``callback(address)`` when the search found what is not in the drawing."""
        self._on_reveal.append(callback)

    def fly(self, address: str) -> None:
        """Bring a node or frame of the drawing to the middle of the panel."""
        self.flight = {"address": address, "number": self.flight.get("number", 0) + 1}

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """Act on a message of the browser; one about a drawing that is gone since is dropped."""
        if not isinstance(content, dict):
            return
        address, shown = content.get("address"), self._addresses()
        if not isinstance(address, str):
            return
        if content.get("type") == "reveal" and address in [known for known, _ in self.index]:
            for reveal in tuple(self._on_reveal):
                reveal(address)
        if address not in shown:
            return
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
