"""Who is inside whom, in the order in which a person reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..model_graph import Graph, Node

TOP = ""
"""Stands for the model itself, which is no node."""

UNKNOWN = "\ufffd"
"""Stands for a character that can't be shown."""


def members(graph: Graph) -> dict[str, list[Node]]:
    """Return the nodes directly inside each group, and those at the `TOP`.

    They are in call order, a group being where the first call inside it is.
    """
    parents = {node.address: node.parent for node in graph.nodes}
    begins: dict[str, int] = {}
    for number, node in enumerate(graph.nodes):
        address = node.address
        while address in parents and address not in begins:
            begins[address] = number
            address = parents[address]
    inside: dict[str, list[Node]] = {}
    for node in sorted(graph.nodes, key=lambda node: begins[node.address]):
        inside.setdefault(node.parent if node.parent in parents else TOP, []).append(node)
    return inside
