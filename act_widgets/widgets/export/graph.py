"""The model graph for the page: drawn once, with every nested model open."""

from __future__ import annotations

from typing import Any

from ...errors import ActWidgetsError
from ...rendering.graph_groups import groups, visible_ancestor
from ...rendering.graph_layout import lay_out
from ...rendering.graph_svg import describe
from ...session import Session


def graph_of(session: Session) -> dict[str, Any] | None:
    """Return the graph of a session's model; None if it has none.

    Returns
    -------
    dict
        ``drawing``, as the graph's canvas takes it; ``taps``, the layer of each box that is one, and
        ``boxes``, the box of each layer, both by address.
    """
    try:
        graph = session.graph
    except ActWidgetsError:  # the card of the explorer says why
        return None
    opened = groups(graph)
    calls = {layer: session.tap(layer).call for layer in session.layers}
    return {
        "drawing": describe(lay_out(graph, opened)),
        "taps": {node.address: node.tap for node in graph.nodes if node.tap},
        "boxes": {layer: visible_ancestor(graph, opened, call) for layer, call in calls.items()},
    }
