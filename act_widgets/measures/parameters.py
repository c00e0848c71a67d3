"""Number of weights."""

from __future__ import annotations

from .measure import Asked, Measure, Measured, at_once

_WORDS = (
    "Weights of each layer, those of its inner layers included. A layer that is called more than once shows "
    "the same weights at each of its calls; the total counts them once."
)


def _measured(asked: Asked) -> Measured:
    values = {node.address: float(node.parameters) for node in asked.graph.nodes}
    total = asked.graph.parameters
    return Measured("parameters", values, None if total is None else float(total), _WORDS, {})


PARAMETERS = Measure(
    "parameters",
    "parameters",
    "",
    "How many numbers the layer learns or keeps, those of its inner layers included.",
    at_once(_measured),
)
