"""Read the edges between calls off a traced graph, so that they are what really happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..model_graph import Edge, Graph, Node
from .op_kinds import SHAPE_ONLY
from .protocol import shown_input
from .recorder import Call
from .replay import Logged
from .trace import Trace


def read_graph(trace: Trace | Logged, name: str, parameters: int | None = None) -> Graph:
    """Return the calls of `trace` as nodes, with an edge for each tensor from one into another."""
    calls = {tap.address: tap.call for tap in trace.taps.values()}
    owners: dict[str, str] = {t.op.name: calls[a] for a, t in trace.tensors.items()}
    made = {call.address for call in trace.calls}
    nodes = _input_nodes(trace, owners)
    nodes += call_nodes(trace, lambda call: call.parent if call.parent in made else "")
    known = {node.address for node in nodes}
    edges = dict.fromkeys(edge for edge in edges_between(trace.graph, owners) if edge.source in known)
    return Graph(name, tuple(nodes), tuple(edges), parameters)


def _input_nodes(trace: Trace | Logged, owners: dict[str, str]) -> list[Node]:
    nodes = []
    for index, placeholder in enumerate(trace.inputs):
        address = owners.setdefault(placeholder.op.name, shown_input(index, len(trace.inputs)))
        tap = address if address in trace.taps else ""
        nodes.append(Node(address, "Input", (None, *placeholder.shape[1:]), tap=tap))
    return nodes


def call_nodes(trace: Trace | Logged, parent_of: Callable[[Call], str]) -> list[Node]:
    """Return the calls whose output can be looked at as nodes, each inside what is said to be its parent."""
    first = {tap.call: tap for tap in reversed(trace.taps.values())}
    return [
        Node(
            call.address,
            call.kind,
            first[call.address].shape,
            call.parameters,
            parent_of(call),
            first[call.address].address,
        )
        for call in trace.calls
        if call.address in first
    ]


def edges_between(graph: Any, owners: dict[str, str]) -> list[Edge]:
    """Carry each call's address along the operations, up to the next call."""
    reach: dict[str, frozenset[str]] = {}
    edges: list[Edge] = []
    for op in graph.get_operations():
        owner = owners.get(op.name)
        if owner is None and op.type in SHAPE_ONLY:
            continue
        arriving = frozenset().union(*(reach.get(t.op.name, frozenset()) for t in op.inputs))
        if owner is None:
            reach[op.name] = arriving
            continue
        reach[op.name] = frozenset((owner,))
        edges.extend(Edge(source, owner) for source in sorted(arriving - {owner}))
    return edges
