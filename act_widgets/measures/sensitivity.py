"""How the explained score depends on what calls return: from one backward pass for all of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..reading.explained import ACTIVATIONS, Explained
from ..reading.targets import explained
from .measure import Asked, Measure, Measured, at_once
from .places import ELSEWHERE, EMPTY, NO_BATCH, NO_NUMBERS, of_block, places, tap_at

_APART = "the score does not depend on its first output"
_NOT_FINITE = "it is not finite"


def _measured(
    asked: Asked, name: str, what: str, number: Callable[[np.ndarray, np.ndarray], float]
) -> Measured:
    """Return a number for each call, from the gradient at its first output and this output itself."""
    reader = asked.reader
    found = explained(reader, asked.target)
    where = places(reader)
    real = [address for address in where.values() if tap_at(reader, address).is_float]
    slopes = reader.gradients.of_layers(list(dict.fromkeys(real)), asked.sample, found)
    block, row = divmod(asked.sample, reader.blocks.size)
    known = of_block(reader, block)
    values: dict[str, float] = {}
    missing: dict[str, str] = {}
    for node in asked.graph.nodes:
        address = where.get(node.address, "")
        slope = slopes.get(address)
        activation = known.of(address, row) if address else None
        if slope is None or activation is None or not slope.size:
            blocked = reader.gradients.blocked(address, found)
            missing[node.address] = blocked or _reason(address, address in real, address in slopes, slope)
            continue
        value = number(slope.astype(float), activation.astype(float))
        if np.isfinite(value):
            values[node.address] = value
        else:
            missing[node.address] = _NOT_FINITE
    return Measured(name, values, None, f"{what} {_score(found)}, sample {asked.sample}.", missing)


def _reason(address: str, is_real: bool, is_asked: bool, slope: np.ndarray | None) -> str:
    if not address:
        return ELSEWHERE
    if not is_real:
        return NO_NUMBERS
    if slope is not None:
        return NO_BATCH if slope.size else EMPTY
    return _APART if is_asked else NO_BATCH


def _score(found: Explained) -> str:
    """Return what is explained in words."""
    at = "" if found.target.at is None else f" at {found.target.at}"
    if found.scores == ACTIVATIONS:
        return f"channel {found.unit} of '{found.target.layer}'{at}"
    whose = "" if found.target.output is None else f" of output '{found.target.output}'"
    number = found.asked if isinstance(found.asked, int) else found.unit
    return f"class {number}{whose}{at} ({found.scores})"


def _size(slope: np.ndarray, _: np.ndarray) -> float:
    return float(np.sqrt(np.mean(slope**2)))


def _part(slope: np.ndarray, activation: np.ndarray) -> float:
    with np.errstate(invalid="ignore", over="ignore"):
        return float(np.sum(slope * activation))


GRADIENT = Measure(
    "gradient",
    "gradient size",
    "",
    "Root mean square of the gradient of the explained score with respect to the call's first output.",
    at_once(lambda asked: _measured(asked, "gradient", "Root mean square of the gradient of", _size)),
    per_sample=True,
    per_target=True,
)
RELEVANCE = Measure(
    "relevance",
    "gradient × activation",
    "",
    "Sum of gradient times activation over the call's first output, for the explained score; it has a sign.",
    at_once(lambda asked: _measured(asked, "relevance", "Sum of gradient times activation for", _part)),
    per_sample=True,
    per_target=True,
)
