"""The model's graph: a click selects a layer, colours tell what each costs or does."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import ipywidgets
import numpy as np

from ..errors import InputError, LayerKindError
from ..model_graph import Graph
from ..rendering import charts, pictures
from ..rendering.block_tree import BLOCK
from ..rendering.graph_blocks import with_blocks
from ..rendering.graph_groups import ancestors, groups, visible_ancestor
from ..rendering.graph_layout import Drawing, lay_out
from ..rendering.graph_picture import paint, with_scale
from ..rendering.graph_svg import describe
from ..rendering.graph_tones import Tones
from ..session import Session
from . import text
from .base import View
from .face import Face
from .graph_canvas import GraphCanvas
from .graph_colours import TYPE, Coloured, Colours, Meaning
from .kept import Kept
from .recipe import Setting
from .stage import Stage

# Width and height of what a still picture shows of the graph.
_ROOM = (560, 640)


@dataclass(frozen=True)
class Asked:
    """What a graph is to show.

    Attributes
    ----------
    opened : frozenset of str
        The groups that are open.
    around : str
        A call of which all groups around are open too; empty for none.
    meaning : Meaning
        What the colours tell.
    """

    opened: frozenset[str]
    around: str
    meaning: Meaning


@dataclass(frozen=True)
class LaidOut:
    """A graph and where it is drawn.

    Attributes
    ----------
    array : (edges, 2) int ndarray
        Each edge as the places of its two calls in the session's ``graph.nodes``.
    graph : Graph
        With its blocks.
    drawing : Drawing
    opened : frozenset of str
        All groups that are open.
    described : dict
        What the page draws.
    coloured : Coloured
        What the colours mean, if not the type of each layer.
    """

    array: np.ndarray
    graph: Graph
    drawing: Drawing
    opened: frozenset[str]
    described: dict[str, Any]
    coloured: Coloured

    @property
    def tones(self) -> Tones | None:
        """The colours themselves."""
        return self.coloured.tones


class GraphView(View):
    """The calls of the model and what flows between them, data going down.

    Nested models and blocks that repeat are closed at first; a click opens one. A click on a layer selects
    it everywhere. A layer that is chosen elsewhere is shown: groups around it open, and close again when
    another is chosen.

    Parameters
    ----------
    session : Session
        The model and batch to look at.
    """

    title = "Model"
    watches = ("layer", "sample", "target", "target_layer")
    working = "tracing the model, once"

    def __init__(self, session: Session) -> None:
        self._canvas = GraphCanvas(height=420)
        self._colours = Colours(session, self._with_blocks)
        self._under = ipywidgets.HTML(layout={"display": "none"})
        self._opened: frozenset[str] = frozenset()
        self._around = ""
        self._flight = ("", 0)
        self._choosing = 0
        self._graph, self._drawing = Kept(), Kept()
        super().__init__(session)
        self._colours.menu.observe(self.guarded(self._on_colour), names=["value"])

    def _get_opened(self) -> tuple[str, ...]:
        if not self._around:
            return tuple(sorted(self._opened))
        return tuple(sorted(self._opened.union(_around(self._with_blocks(), self._around))))

    def _set_opened(self, opened: Iterable[str]) -> None:
        wanted = [opened] if isinstance(opened, str) else list(opened)
        if isinstance(opened, str) or not all(isinstance(group, str) for group in wanted):
            raise InputError(
                f"Groups are opened by their addresses. Received: opened={opened!r}. Expected: a list, such "
                f"as {list(groups(self._with_blocks())[:2])}."
            )
        self._opened, self._around = frozenset(wanted), ""
        self.refresh()

    opened = Setting(
        _get_opened, _set_opened, doc="Addresses of the nested models and blocks that are open.", usual=()
    )

    def _get_colour(self) -> str:
        return self._colours.by

    def _set_colour(self, name: str) -> None:
        self._colours.by = name

    colour_by = Setting(
        _get_colour, _set_colour, doc='``"type"``, or the name of a measure in `MEASURES`.', usual=TYPE
    )

    @property
    def values(self) -> dict[str, float]:
        """What the colours stand for, by the address of each call; empty for types of layers."""
        tones = self._colours.tones()
        return dict(tones.values) if tones else {}

    def build(self) -> list[ipywidgets.Widget]:
        """Return the menu of colours and the drawing."""
        self._canvas.on_select(self.guarded(self._select))
        self._canvas.on_toggle(self.guarded(self._toggle))
        self._canvas.on_reveal(self.guarded(self._reveal))
        self._colours.worst.on_click(self.guarded(lambda _: self.show_worst()))
        row = ipywidgets.HBox([self._colours.menu, self._colours.worst])
        row.add_class("aw-graph-row")
        return [row, Face(self._canvas), self._under]

    def key(self) -> Asked:
        """The groups that are open, and what the colours mean."""
        return Asked(self._opened, self._around, self._colours.meaning)

    def look(self) -> tuple[str, tuple[str, int]]:
        """The layer that is highlighted, and the one that is flown to."""
        return self.session.selection.layer, self._flight

    def is_ready(self, key: Asked) -> bool:
        """Whether the model was traced, and measured."""
        return self.session.reader.has_graph and self._colours.is_known(key.meaning)

    def stages(self, key: Asked) -> Iterator[Stage]:
        """Yield the graph, and its colours once they are measured."""
        laid_out = Kept()
        for step in self._colours.steps(key.meaning):
            shown = laid_out.get(step.coloured, partial(self._laid_out, key, step.coloured))
            yield Stage(shown, step.share, step.words)

    def draw(self, result: LaidOut) -> None:
        """Send the drawing if it is another one, highlight the layer, and fly where it is asked."""
        index = [[node.address, node.kind] for node in result.graph.nodes]
        address, number = self._flight
        if self._canvas.index != index:
            self._canvas.index = index
        # Not in one message, which has no order: what is selected is looked for in the drawing.
        if self._canvas.drawing != result.described:
            self._canvas.drawing = result.described
        self._canvas.selected = self._highlighted(result)
        self._canvas.flight = {"address": address, "number": number} if number else {}
        has_worst = result.tones is not None and bool(result.tones.leaves)
        self._colours.worst.layout.display = "" if has_worst else "none"
        said = " ".join(filter(None, (result.coloured.words, self._colours.found)))
        self._under.value, self._under.layout.display = text.caption(said), "" if said else "none"
        calls = sum(node.kind != BLOCK for node in result.graph.nodes)
        self.note(f"{calls} calls", hint="click one to select it")

    def picture(self, result: LaidOut) -> bytes:
        """Return the drawing as a PNG, with the meaning of its colours."""
        drawn = paint(result.drawing, self._highlighted(result), tones=result.tones)
        return pictures.png_of(with_scale(drawn, result.tones) if result.tones else drawn)

    def panels(self, result: LaidOut) -> list[np.ndarray]:
        """Return what is about the layer: a card has no room for more."""
        scale = min(1.5, max(1.0, _ROOM[0] / result.drawing.width))
        highlighted = self._highlighted(result)
        part = paint(result.drawing, highlighted, scale=scale, room=_ROOM, tones=result.tones)
        part = charts.centred(part, _ROOM[0])
        return [with_scale(part, result.tones) if result.tones else part]

    def show_worst(self) -> None:
        """Select the layer with the highest value and fly there; called again, the next, and so on.

        Raises
        ------
        LayerKindError
            If the colours tell types, or nothing has a value.
        """
        self.session.follow_weights()
        address = self._colours.next_worst()
        self._fly(address)
        tap = next(node.tap for node in self._with_blocks().nodes if node.address == address)
        if tap:
            self.choose("layer", tap)
        self.refresh()

    def _on_change(self, change: dict) -> None:
        is_elsewhere = self._choosing != threading.get_ident()
        if change["name"] == "layer" and is_elsewhere and self.session.reader.has_graph:
            self.guarded(self._follow)()
        super()._on_change(change)

    def _follow(self) -> None:
        self._open_around(self.session.tap(self.session.selection.layer).call)

    def _highlighted(self, result: LaidOut) -> str:
        call = self.session.tap(self.session.selection.layer).call
        return visible_ancestor(result.graph, result.opened, call)

    def _select(self, address: str) -> None:
        node = next(node for node in self._with_blocks().nodes if node.address == address)
        if not node.tap:
            raise LayerKindError(
                f"'{address}' can't be looked at: the model lists it, but it is no layer's output."
            )
        # A choice made here opens nothing: the drawing must not move under the hand.
        self._choosing = threading.get_ident()
        try:
            self.choose("layer", node.tap)
        finally:
            self._choosing = 0

    def _toggle(self, address: str, opened: bool) -> None:
        # What a choice elsewhere had opened stays as it is: from now on it is the user's.
        now = frozenset(self.opened)
        self.opened = now | {address} if opened else now - {address}

    def _reveal(self, address: str) -> None:
        self._fly(address)
        self.refresh()

    def _fly(self, address: str) -> None:
        self._open_around(address)
        # What is drawn as a part of another has no box.
        shown = visible_ancestor(self._with_blocks(), self.opened, address)
        self._flight = shown, self._flight[1] + 1

    def _open_around(self, call: str) -> None:
        """Open the groups around a call if it is in a closed one."""
        graph = self._with_blocks()
        stands_for_it = visible_ancestor(graph, self.opened, call)
        if stands_for_it != call and stands_for_it in groups(graph):
            self._around = call

    def _on_colour(self, change: dict) -> None:
        self._colours.forget_found()
        self.refresh()

    def _with_blocks(self) -> Graph:
        graph = self.session.graph
        return self._graph.get(graph, lambda: with_blocks(graph))

    def _laid_out(self, key: Asked, coloured: Coloured) -> LaidOut:
        graph = self._with_blocks()
        opened = key.opened.union(_around(graph, key.around))
        drawing = self._drawing.get((graph, opened), lambda: lay_out(graph, opened))
        calls = self.session.graph
        place = {node.address: index for index, node in enumerate(calls.nodes)}
        edges = [(place[edge.source], place[edge.target]) for edge in calls.edges]
        described = describe(drawing, coloured.tones)
        return LaidOut(np.array(edges).reshape(-1, 2), graph, drawing, opened, described, coloured)


def _around(graph: Graph, call: str) -> tuple[str, ...]:
    """Return the groups around a call; none if the graph has it no more, with other inputs."""
    return ancestors(graph, call) if any(node.address == call for node in graph.nodes) else ()
