"""Blocks put into a graph as calls, and scopes that hold a single operation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace

from ..model_graph import SCOPE, Graph, Node

BLOCK = "Block"


def without_small_scopes(graph: Graph) -> Graph:
    """Return a graph in which a scope around one operation alone has the kind of that."""
    inside: dict[str, list[Node]] = defaultdict(list)
    for node in graph.nodes:
        inside[node.parent].append(node)
    kinds = {
        parent: held[0].kind
        for parent, held in inside.items()
        if len(held) == 1 and held[0].address not in inside
    }
    made = [
        replace(node, kind=kinds[node.address]) if node.kind == SCOPE and node.address in kinds else node
        for node in graph.nodes
    ]
    return replace(graph, nodes=tuple(made)) if made != list(graph.nodes) else graph


def rebuilt(graph: Graph, parents: dict[str, str]) -> Graph:
    """Return a graph with the blocks in it, each after the last call inside it."""
    calls = [replace(node, parent=parents.get(node.address, node.parent)) for node in graph.nodes]
    blocks = parents.keys() - {node.address for node in calls}
    inside: dict[str, list[Node]] = defaultdict(list)
    for node in calls:
        for block in _around(node.address, parents, blocks):
            inside[block].append(node)
    found = []
    for node in calls:
        found.append(node)
        ending = [b for b in _around(node.address, parents, blocks) if inside[b][-1] is node]
        found += [_block(block, inside[block], parents[block]) for block in ending]
    return Graph(graph.name, tuple(found), graph.edges)


def _around(address: str, parents: dict[str, str], blocks: Collection[str]) -> list[str]:
    """Return the blocks around a call, innermost first."""
    chain: list[str] = []
    while (address := parents.get(address, "")) in blocks:
        chain.append(address)
    return chain


def _block(address: str, members: Sequence[Node], parent: str) -> Node:
    layers = {node.address.partition("#")[0]: node.parameters for node in members}
    return Node(address, BLOCK, members[-1].shape, sum(layers.values()), parent)
