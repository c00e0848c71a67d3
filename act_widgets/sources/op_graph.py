"""The operations of a raw graph as a `Graph`: grouped by their name scopes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..model_graph import SCOPE, Edge, Graph, Node
from .edges import call_nodes, edges_between
from .op_trace import Operation
from .trace import Trace


def read_op_graph(trace: Trace, name: str) -> Graph:
    """Return what is listed of a graph as nodes of the kind of their operation, in groups.

    A name scope is a node of kind ``Scope`` behind all that it holds; what leaves it, if it is one
    tensor alone, is what a click on it shows. An operation named as its scope stands for it.
    """
    nodes = {node.address: node for node in call_nodes(trace, lambda call: call.address.rpartition("/")[0])}
    owners = {tensor.op.name: tensor.op.name for tensor in trace.tensors.values()}
    edges = tuple(dict.fromkeys(edges_between(trace.graph, owners)))
    ends = {owner for output in trace.outputs if (owner := _owner(output, owners))}
    leaving = _leaving(edges, ends)
    weights = _weights(trace)
    made: list[Node] = []
    for address, closed in _closing(nodes).items():
        if address not in weights:
            made.append(nodes[address])
        made += [
            _scope(scope, nodes, list(leaving.get(scope, ())), sum(weights[scope].values()))
            for scope in closed
        ]
    return Graph(name, tuple(made), edges)


def _closing(addresses: Iterable[str]) -> dict[str, list[str]]:
    """Return for each operation the scopes that it is the last one in, innermost first."""
    last = {scope: address for address in addresses for scope in (*scopes_of(address), address)}
    closed: dict[str, list[str]] = {address: [] for address in addresses}
    scopes = {scope for address in addresses for scope in scopes_of(address)}
    for scope in sorted(scopes, key=lambda scope: -scope.count("/")):
        closed[last[scope]].append(scope)
    return closed


def _weights(trace: Trace) -> dict[str, dict[str, int]]:
    """Return the weights that the operations of each scope are given, each once, with their sizes."""
    found: dict[str, dict[str, int]] = {}
    calls = [call for call in trace.calls if isinstance(call, Operation)]
    for call in calls:
        for scope in scopes_of(call.address):
            found.setdefault(scope, {}).update(call.weights)
    for call in calls:
        if call.address in found:  # named as the scope that it stands for
            found[call.address].update(call.weights)
    return found


def scopes_of(address: str) -> list[str]:
    """Return the scopes around an operation, outermost first."""
    parts = address.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _scope(scope: str, nodes: dict[str, Node], ends: Sequence[str], parameters: int) -> Node:
    parent = scope.rpartition("/")[0]
    own = nodes.get(scope)
    if own is not None:
        return Node(scope, own.kind, own.shape, parameters, parent, own.tap)
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
