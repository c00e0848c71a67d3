"""The operations of a raw graph as a `Graph`: grouped by their name scopes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..model_graph import Edge, Graph, Node
from .edges import edges_between
from .op_trace import Operation
from .trace import Trace

SCOPE = "Scope"


def read_op_graph(trace: Trace, name: str) -> Graph:
    """Return what is listed of a graph as nodes of the kind of their operation, in groups.

    A name scope is a node of kind ``Scope`` behind all that it holds; what leaves it, if it is one
    tensor alone, is what a click on it shows. An operation named as its scope stands for it.
    """
    nodes = _op_nodes(trace)
    owners = {tensor.op.name: tensor.op.name for tensor in trace.tensors.values()}
    edges = tuple(dict.fromkeys(edges_between(trace.graph, owners)))
    ends = {a for o in trace.outputs if (a := _owner(o, owners))}
    leaving = _leaving(edges, ends)
    made: list[Node] = []
    left = {scope: 0 for node in nodes for scope in scopes_of(node.address)}
    for node in nodes:
        for scope in scopes_of(node.address):
            left[scope] += 1
    weights: dict[str, dict[str, int]] = {scope: {} for scope in left}
    given = {call.address: call.weights for call in trace.calls if isinstance(call, Operation)}
    by_name = {node.address: node for node in nodes}
    for node in nodes:
        if node.address in left:
            weights[node.address] |= given[node.address]
        else:
            made.append(node)
        for scope in reversed(scopes_of(node.address)):
            left[scope] -= 1
            weights[scope] |= given[node.address]
            if not left[scope]:
                made.append(_scope(scope, by_name, leaving.get(scope, ()), sum(weights[scope].values())))
    return Graph(name, tuple(made), edges)


def scopes_of(address: str) -> list[str]:
    """Return the scopes around an operation, outermost first."""
    parts = address.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _op_nodes(trace: Trace) -> list[Node]:
    first = {tap.call: tap for tap in reversed(trace.taps.values())}
    return [
        Node(
            call.address,
            call.kind,
            first[call.address].shape,
            call.parameters,
            call.address.rpartition("/")[0],
            first[call.address].address,
        )
        for call in trace.calls
    ]


def _scope(scope: str, nodes: dict[str, Node], leaving: Iterable[str], parameters: int) -> Node:
    parent = scope.rpartition("/")[0]
    own = nodes.get(scope)
    if own is not None:
        return Node(scope, own.kind, own.shape, parameters, parent, own.tap)
    ends = list(leaving)
    only = nodes[ends[0]] if len(ends) == 1 else None
    return Node(scope, SCOPE, only.shape if only else (), parameters, parent, only.tap if only else "")


def _leaving(edges: Sequence[Edge], ends: Iterable[str]) -> dict[str, dict[str, None]]:
    """Return for each scope the operations in it that something outside reads."""
    found: dict[str, dict[str, None]] = {}
    ways = [(edge.source, edge.target) for edge in edges] + [(end, "") for end in ends]
    for source, target in ways:
        around = {*scopes_of(target), target}
        for scope in scopes_of(source):
            if scope not in around:
                found.setdefault(scope, {})[source] = None
    return found


def _owner(tensor: object, owners: dict[str, str]) -> str:
    """Return the listed operation that makes an output."""
    while tensor.op.name not in owners and tensor.op.inputs:  # type: ignore[attr-defined]
        tensor = tensor.op.inputs[0]  # type: ignore[attr-defined]
    return owners.get(tensor.op.name, "")  # type: ignore[attr-defined]
