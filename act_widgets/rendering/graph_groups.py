"""Groups of layers in a model graph: who is inside whom, and what remains when they are closed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ..keys import resolve
from ..model_graph import Graph, Node


@dataclass(frozen=True)
class Visible:
    """What is left of a graph when the closed groups are single nodes.

    Attributes
    ----------
    roles : dict of str to str
        Address to role (see `Box`), in call order.
    edges : tuple of (str, str)
        Between these addresses; none twice, none to itself.
    frames : tuple of Node
        The open groups, outermost first.
    """

    roles: dict[str, str]
    edges: tuple[tuple[str, str], ...]
    frames: tuple[Node, ...]


def groups(graph: Graph) -> tuple[str, ...]:
    """Return the addresses of all calls that can be opened, in call order.

    A layer that holds nothing but one operation that it makes on the fly, such as a padding, is
    that operation; so is a call that holds nothing but one of its own kind.
    """
    inside: dict[str, list[Node]] = {}
    for node in graph.nodes:
        inside.setdefault(node.parent, []).append(node)
    return tuple(node.address for node in graph.nodes if node.address in inside and not _is_one(node, inside))


def _is_one(node: Node, inside: dict[str, list[Node]]) -> bool:
    held = inside[node.address]
    if len(held) != 1 or held[0].address in inside:
        return False
    return held[0].name.startswith("~") or held[0].kind == node.kind


def ancestors(graph: Graph, address: str) -> tuple[str, ...]:
    """Return the groups that `address` is in, outermost first."""
    return enclosing({node.address: node for node in graph.nodes}, address)


def visible_ancestor(graph: Graph, opened: Collection[str], address: str) -> str:
    """Return what stands for `address` in a drawing: its outermost closed group, or itself.

    Parameters
    ----------
    graph : Graph
    opened : collection of str
        Addresses of the open groups.
    address : str
        Of a call, or of one of its outputs such as ``encoder/lstm:1``.

    Raises
    ------
    UnknownLayerError
        If the graph has no such call.
    """
    nodes = {node.address: node for node in graph.nodes}
    call = address if address in nodes else address.rpartition(":")[0]
    call = call if call in nodes else resolve(address, tuple(nodes))
    shown = set(opened).intersection(groups(graph))
    return next((a for a in enclosing(nodes, call) if a not in shown), call)


def stand_ins(graph: Graph, opened: Collection[str]) -> dict[str, str]:
    """Return for each call what stands for it in a drawing: its outermost closed group, or itself."""
    nodes = {node.address: node for node in graph.nodes}
    shown = frozenset(opened).intersection(groups(graph))
    return {a: next((p for p in enclosing(nodes, a) if p not in shown), a) for a in nodes}


def collapse(graph: Graph, opened: Collection[str]) -> Visible:
    """Return the graph with every group that is not in `opened` drawn as one node.

    An open group has no node of its own where that would only repeat its last layer: the
    frame stands for it, and the edges go on from that layer. Nor has one where no edge ends, such as
    a block or a name scope.
    """
    nodes = {node.address: node for node in graph.nodes}
    holders = set(groups(graph))
    shown = stand_ins(graph, opened)
    open_ones = {a for a in holders.intersection(opened) if shown[a] == a}
    edges = [(shown[e.source], shown[e.target]) for e in graph.edges if {e.source, e.target} <= shown.keys()]
    passed = _passed_through(open_ones, edges, nodes)
    followed = ((_follow(passed, s), t) for s, t in edges if t not in passed)
    distinct = dict.fromkeys((s, t) for s, t in followed if s != t)
    framed = open_ones.difference(*distinct)
    roles = {
        a: "output" if a in open_ones else "group" if a in holders else "layer"
        for a in nodes
        if shown[a] == a and a not in framed
    }
    frames = [node for node in graph.nodes if node.address in open_ones]
    frames.sort(key=lambda n: len(enclosing(nodes, n.address)))
    return Visible(roles, tuple(distinct), tuple(frames))


def enclosing(nodes: dict[str, Node], address: str) -> tuple[str, ...]:
    """Return the groups around `address`, outermost first; `nodes` by their addresses."""
    chain: list[str] = []
    parent = nodes[address].parent
    while parent in nodes and parent not in chain:
        chain.append(parent)
        parent = nodes[parent].parent
    return tuple(reversed(chain))


def _passed_through(
    opened: set[str], edges: Sequence[tuple[str, str]], nodes: dict[str, Node]
) -> dict[str, str]:
    """Map each open group whose result comes from one of its own layers to that layer."""
    sources: dict[str, set[str]] = {}
    for source, target in edges:
        if target in opened and source != target:
            sources.setdefault(target, set()).add(source)
    single = {group: next(iter(found)) for group, found in sources.items() if len(found) == 1}
    return {group: s for group, s in single.items() if group in enclosing(nodes, s)}


def _follow(passed: dict[str, str], address: str) -> str:
    while address in passed:
        address = passed[address]
    return address
