"""The model graph for the page: drawn with nested models and blocks closed, and with all of them open."""

from __future__ import annotations

from typing import Any

from ...errors import ActWidgetsError
from ...rendering.graph_blocks import with_blocks
from ...rendering.graph_groups import groups, stand_ins
from ...rendering.graph_layout import lay_out
from ...rendering.graph_svg import describe
from ...session import Session


def graph_of(session: Session) -> dict[str, Any] | None:
    """Return the graph of a session's model; None if it has none.

    Returns
    -------
    dict
        ``drawings``, each as the graph's canvas takes it: nested models and blocks closed first, then open if
        there are any; ``taps``, the layer of each box that is one, by address; ``boxes``, for each drawing
        the box of each layer.
    """
    try:
        graph = with_blocks(session.graph)
    except ActWidgetsError:  # the card of the explorer says why
        return None
    everything = groups(graph)
    ways = [(), everything] if everything else [()]
    calls = {layer: session.tap(layer).call for layer in session.layers}
    standing = [stand_ins(graph, opened) for opened in ways]
    return {
        "drawings": [describe(lay_out(graph, opened)) for opened in ways],
        "taps": {node.address: node.tap for node in graph.nodes if node.tap},
        "boxes": [{layer: shown[call] for layer, call in calls.items()} for shown in standing],
    }
