"""The model's graph: a click selects a layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np

from ..errors import LayerKindError
from ..model_graph import Graph
from ..rendering import charts, pictures
from ..rendering.graph_layout import Drawing, lay_out, visible_ancestor
from ..rendering.graph_picture import paint
from ..rendering.graph_svg import describe
from ..session import Session
from .base import View
from .face import Face
from .graph_canvas import GraphCanvas
from .recipe import Setting

# Width and height of what a still picture shows of the graph.
_ROOM = (560, 640)


@dataclass(frozen=True)
class LaidOut:
    """A graph and where it is drawn.

    Attributes
    ----------
    array : (edges, 2) int ndarray
        Each edge as the places of its two calls in ``graph.nodes``.
    """

    array: np.ndarray
    graph: Graph
    drawing: Drawing
    described: dict[str, Any]


class GraphView(View):
    """The calls of the model and what flows between them, data going down.

    Nested models are closed at first; a click opens one. A click on a layer selects it everywhere.

    Parameters
    ----------
    session : Session
        The model and batch to look at.
    """

    title = "Model"
    watches = ("layer",)
    working = "tracing the model, once"

    def __init__(self, session: Session) -> None:
        self._canvas = GraphCanvas(height=420)
        self._opened: frozenset[str] = frozenset()
        super().__init__(session)

    def _get_opened(self) -> tuple[str, ...]:
        return tuple(sorted(self._opened))

    def _set_opened(self, groups: Iterable[str]) -> None:
        self._opened = frozenset(groups)
        self.refresh()

    opened = Setting(_get_opened, _set_opened, doc="Addresses of the nested models that are open.", usual=())

    def build(self) -> list[ipywidgets.Widget]:
        """Return the drawing."""
        self._canvas.on_select(self.guarded(self._select))
        self._canvas.on_toggle(self.guarded(self._toggle))
        return [Face(self._canvas)]

    def key(self) -> frozenset[str]:
        """The groups that are open."""
        return self._opened

    def look(self) -> str:
        """The layer that is highlighted."""
        return self.session.selection.layer

    def is_ready(self, key: frozenset[str]) -> bool:
        """Whether the model was traced."""
        return self.session.reader.has_graph

    def compute(self, key: frozenset[str]) -> LaidOut:
        """Return where everything goes."""
        graph = self.session.graph
        drawing = lay_out(graph, key)
        place = {node.address: index for index, node in enumerate(graph.nodes)}
        edges = [(place[edge.source], place[edge.target]) for edge in graph.edges]
        return LaidOut(np.array(edges).reshape(-1, 2), graph, drawing, describe(drawing))

    def draw(self, result: LaidOut) -> None:
        """Send the drawing if it is another one, and highlight the layer."""
        if self._canvas.drawing != result.described:
            self._canvas.drawing = result.described
        self._canvas.selected = self._highlighted(result)
        self.note(f"{len(result.graph.nodes)} calls", hint="click one to select it")

    def picture(self, result: LaidOut) -> bytes:
        """Return the drawing as a PNG."""
        return pictures.png_of(paint(result.drawing, self._highlighted(result)))

    def panels(self, result: LaidOut) -> list[np.ndarray]:
        """Return what is about the layer: a card has no room for more."""
        scale = min(1.5, max(1.0, _ROOM[0] / result.drawing.width))
        part = paint(result.drawing, self._highlighted(result), scale=scale, room=_ROOM)
        return [charts.centred(part, _ROOM[0])]

    def _highlighted(self, result: LaidOut) -> str:
        call = self.session.tap(self.session.selection.layer).call
        return visible_ancestor(result.graph, self._opened, call)

    def _select(self, address: str) -> None:
        node = next(node for node in self.session.graph.nodes if node.address == address)
        if not node.tap:
            raise LayerKindError(
                f"'{address}' can't be looked at: the model lists it, but it is no layer's output."
            )
        self.choose("layer", node.tap)

    def _toggle(self, address: str, opened: bool) -> None:
        self.opened = self._opened | {address} if opened else self._opened - {address}
