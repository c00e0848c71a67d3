"""A graph as networkx knows them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..model_graph import Graph


def to_networkx(graph: Graph) -> Any:
    """Return `graph` as a ``networkx.DiGraph``; see `Graph.to_networkx`."""
    try:
        import networkx as nx
    except ModuleNotFoundError as error:
        raise ImportError(
            f"Graph.to_networkx() needs networkx, which can't be imported ({error}). Install it with: "
            "pip install networkx. Graph.to_dot() works without it."
        ) from error
    made = nx.DiGraph(name=graph.name, parameters=graph.parameters)
    for node in graph.nodes:
        attributes = asdict(node)
        made.add_node(attributes.pop("address"), name=node.name, **attributes)
    edges = [(edge.source, edge.target) for edge in graph.edges]
    made.add_edges_from(ends for ends in edges if made.nodes.keys() >= set(ends))
    return made
