"""What decides the order of a layer's channels, for the views that show them in it."""

from __future__ import annotations

from ..reading.ordering import INDEX, WEIGHT
from ..reading.targets import explained
from ..session import Session

OF_ORDER = ("order", "hide_dead", "target", "target_layer")
"""The traits of the selection that decide it."""


def order_key(session: Session) -> tuple:
    """Return all that decides the order but layer and sample."""
    chosen = session.selection
    target = (chosen.target, chosen.target_layer) if chosen.order == WEIGHT else ()
    return chosen.order, chosen.hide_dead, target


def is_ordered(session: Session, layer: str, sample: int) -> bool:
    """Whether the order takes no pass of the model."""
    chosen, reader = session.selection, session.reader
    if chosen.hide_dead and not all(reader.is_ready(layer, i) for i in range(session.batch_size)):
        return False
    if chosen.order == WEIGHT:
        if not reader.gradients.knows_scores:
            return False
        target = explained(reader, session.explained_target(sample))
        return reader.gradients.has(layer, sample, target)
    return chosen.order == INDEX or reader.is_ready(layer, sample)
