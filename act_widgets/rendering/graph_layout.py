"""Where the boxes and lines of a model graph go: pure functions from a graph to a drawing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import graphlay

from ..model_graph import SCOPE, Graph, Node
from .graph_groups import Visible, ancestors, collapse, enclosing, groups, visible_ancestor
from .layer_families import family, is_minor

__all__ = ["Box", "Drawing", "Frame", "Line", "ancestors", "groups", "lay_out", "visible_ancestor"]

WIDTH = 184  # holds the longest common name, GlobalAveragePooling2D
HEIGHT = 40
ROW_HEIGHT = 20
MARGIN = 12
# Of more boxes the engine weighs fewer orders: 1,000 operations that read one another take 1 s, not 2.
_LARGE = 300
_OPTIONS = {
    "direction": "topbottom",
    "routing": {"style": "orthogonal"},
    "spacing": {
        "layer_gap": 26.0,
        "node_gap": 20.0,
        "dummy_gap": 14.0,
        "isolated_gap": 20.0,
        "compound_padding": 8.0,
        "compound_header": 4.0,
    },
}

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """One layer as it is drawn.

    Attributes
    ----------
    node : Node
        The call that the box stands for.
    role : str
        ``"layer"``; ``"row"`` for a minor layer under the one before it; ``"group"`` for
        a closed group; ``"output"`` for what an open group with several results returns.
    x, y, width, height : float
        Left, top and size, in pixels of the drawing.
    hidden : int
        Number of calls inside a closed group; those that hold others are not counted.
    given : tuple of tuple of (int or None)
        Shapes of what flows into the box from outside of it.
    unit : str
        What `hidden` counts.
    """

    node: Node
    role: str
    x: float
    y: float
    width: float
    height: float
    hidden: int = 0
    given: tuple[tuple[int | None, ...], ...] = ()
    unit: str = "layer"


@dataclass(frozen=True)
class Frame:
    """The border around the layers of an open group; `depth` is 0 for the outermost."""

    node: Node
    x: float
    y: float
    width: float
    height: float
    depth: int = 0


@dataclass(frozen=True)
class Line:
    """An edge as a polyline from the bottom of the box `source` to the top of `target`."""

    source: str
    target: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Drawing:
    """A laid-out graph; frames come outermost first, boxes in call order."""

    name: str
    boxes: tuple[Box, ...]
    frames: tuple[Frame, ...]
    lines: tuple[Line, ...]
    width: float
    height: float


def lay_out(graph: Graph, opened: Collection[str] = (), fold: bool = True) -> Drawing:
    """Return where everything goes when the groups in `opened` show their layers.

    Parameters
    ----------
    graph : Graph
    opened : collection of str, optional
        Addresses of groups. Others than groups, and groups inside closed ones, are ignored.
    fold : bool, optional
        Draw normalisations, activations, paddings and dropouts as thin rows under the layer
        that they alone follow.

    Returns
    -------
    Drawing
        The same for the same arguments.
    """
    nodes = {node.address: node for node in graph.nodes}
    visible = collapse(graph, opened)
    stacks = _stacks(visible, nodes) if fold else [[a] for a in visible.roles]
    if not stacks:
        return Drawing(graph.name, (), (), (), 2 * MARGIN, 2 * MARGIN)
    raw, edges = _place(visible, stacks, nodes)
    return _drawing(graph, visible, stacks, edges, raw)


def _stacks(visible: Visible, nodes: dict[str, Node]) -> list[list[str]]:
    """Join each minor layer to the layer that it alone follows; return lists of addresses."""
    leaving = Counter(s for s, _ in visible.edges)
    arriving = Counter(t for _, t in visible.edges)
    before = {t: s for s, t in visible.edges if leaving[s] == arriving[t] == 1}
    stacks: dict[str, list[str]] = {}
    for address in _in_order(visible, before):
        last = before.get(address)
        if last in stacks and _foldable(nodes[last], nodes[address], visible.roles):
            stacks[address] = stacks[last]
            stacks[address].append(address)
        else:
            stacks[address] = [address]
    return list({id(stack): stack for stack in stacks.values()}.values())


def _in_order(visible: Visible, before: dict[str, str]) -> list[str]:
    """Return the addresses, each after the one that it alone follows."""
    done: dict[str, None] = {}
    for address in visible.roles:
        chain = [address]
        while (last := before.get(chain[-1])) and last not in done and last not in chain:
            chain.append(last)
        done.update(dict.fromkeys(reversed(chain)))
    return list(done)


def _foldable(last: Node, node: Node, roles: dict[str, str]) -> bool:
    return (
        roles[node.address] == roles[last.address] == "layer"
        and is_minor(node.kind)
        and last.parent == node.parent
        and family(last.kind).name != "input"
    )


def _place(
    visible: Visible, stacks: list[list[str]], nodes: dict[str, Node]
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Ask the layout engine for positions: frames first, then stacks, then the edges between stacks."""
    index = {frame.address: i for i, frame in enumerate(visible.frames)}
    heads = {a: stack[0] for stack in stacks for a in stack}
    rows: list[dict[str, Any]] = [_inside(frame, index, 1.0, 1.0) for frame in visible.frames]
    place: dict[str, int] = {}
    for stack in stacks:
        place[stack[0]] = len(rows)
        # An open group's own node lies inside its frame.
        holder = nodes[stack[0]]
        inner = Node("", "", parent=holder.address) if holder.address in index else holder
        rows.append(_inside(inner, index, WIDTH, _stack_height(stack, visible.roles)))
    edges = [(s, t) for s, t in visible.edges if heads[s] != heads[t]]
    links = [{"source": place[heads[s]], "target": place[heads[t]]} for s, t in edges]
    effort = "fast" if len(rows) > _LARGE else "balanced"
    raw = graphlay.layout({"nodes": rows, "edges": links}, options={**_OPTIONS, "effort": effort}).raw
    sources = sorted(set(range(len(index), len(rows))) - {link["target"] for link in links})
    return (_mirrored(raw) if _backwards(raw, sources) else raw), edges


def _backwards(raw: dict[str, Any], sources: list[int]) -> bool:
    """Whether the model's first input lies to the right of its last: people read from the left."""
    across = [raw["nodes"][i]["center"]["x"] for i in sources]
    return bool(across) and bool(across[0] > across[-1])


def _mirrored(raw: dict[str, Any]) -> dict[str, Any]:
    def flip(point: dict[str, float]) -> dict[str, float]:
        return {**point, "x": -point["x"]}

    low, high = raw["bounds"]["min"], raw["bounds"]["max"]
    return {
        "nodes": [{**n, "center": flip(n["center"])} for n in raw["nodes"]],
        "edges": [{**e, "points": [flip(p) for p in e["points"]]} for e in raw["edges"]],
        "bounds": {"min": {**low, "x": -high["x"]}, "max": {**high, "x": -low["x"]}},
    }


def _inside(node: Node, index: dict[str, int], width: float, height: float) -> dict[str, Any]:
    size = {"size": {"width": float(width), "height": float(height)}}
    return {**size, "parent": index[node.parent]} if node.parent in index else size


def _stack_height(stack: list[str], roles: dict[str, str]) -> float:
    first = ROW_HEIGHT if roles[stack[0]] == "output" else HEIGHT
    return first + ROW_HEIGHT * (len(stack) - 1)


def _drawing(
    graph: Graph, visible: Visible, stacks: list[list[str]], edges: list[tuple[str, str]], raw: dict[str, Any]
) -> Drawing:
    left, top = (raw["bounds"]["min"][axis] - MARGIN for axis in "xy")
    corners = [
        (n["center"]["x"] - n["size"]["width"] / 2 - left, n["center"]["y"] - n["size"]["height"] / 2 - top)
        for n in raw["nodes"]
    ]
    frames = _frames(graph, visible, corners, raw)
    boxes = _boxes(graph, visible, stacks, corners[len(frames) :])
    lines = tuple(
        Line(s, t, tuple((p["x"] - left, p["y"] - top) for p in e["points"]))
        for (s, t), e in zip(edges, raw["edges"], strict=True)
    )
    width, height = (raw["bounds"]["max"][a] - start + MARGIN for a, start in (("x", left), ("y", top)))
    return Drawing(graph.name, boxes, frames, lines, width, height)


def _frames(graph: Graph, visible: Visible, corners: list[Point], raw: dict[str, Any]) -> tuple[Frame, ...]:
    nodes = {node.address: node for node in graph.nodes}
    sizes = [(n["size"]["width"], n["size"]["height"]) for n in raw["nodes"]]
    return tuple(
        Frame(node, *corner, *size, len(enclosing(nodes, node.address)))
        for node, corner, size in zip(visible.frames, corners, sizes, strict=False)
    )


def _boxes(graph: Graph, visible: Visible, stacks: list[list[str]], corners: list[Point]) -> tuple[Box, ...]:
    nodes = {node.address: node for node in graph.nodes}
    holders = {node.parent for node in graph.nodes}
    inside = Counter(a for address in nodes.keys() - holders for a in enclosing(nodes, address))
    given = _given(graph, nodes, visible)
    unit = "operation" if any(node.kind == SCOPE for node in graph.nodes) else "layer"
    boxes = {}
    for stack, (x, top) in zip(stacks, corners, strict=True):
        y = top
        for row, address in enumerate(stack):
            role = "row" if row else visible.roles[address]
            height = ROW_HEIGHT if role in ("row", "output") else HEIGHT
            hidden = inside[address] if role == "group" else 0
            boxes[address] = Box(
                nodes[address], role, x, y, WIDTH, height, hidden, given.get(address, ()), unit
            )
            y += height
    return tuple(boxes[address] for address in visible.roles)


def _given(
    graph: Graph, nodes: dict[str, Node], visible: Visible
) -> dict[str, tuple[tuple[int | None, ...], ...]]:
    """Return the shapes that flow into each box, those of each call once."""
    closed = {address for address, role in visible.roles.items() if role != "output"}
    boxes = {a: next((x for x in enclosing(nodes, a) if x in closed), a) for a in nodes}
    sources: dict[str, dict[str, None]] = {}
    for edge in graph.edges:
        if {edge.source, edge.target} <= boxes.keys() and boxes[edge.source] != boxes[edge.target]:
            sources.setdefault(boxes[edge.target], {})[edge.source] = None
    return {box: tuple(nodes[source].shape for source in found) for box, found in sources.items()}
