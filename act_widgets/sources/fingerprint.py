"""Tell whether a model is still made of what it was made of."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from .libraries import sublayers

Fingerprint = dict[int, dict[str, Any]]

_PLAIN = {int, float, str, bytes, bool, type(None)}
_GONE = float("nan")
# What compiling, training and evaluating write into a model; its call reads none of it.
_OF_TRAINING = (
    "_called",
    "_compile",
    "_compute_loss",
    "_distribute",
    "_eval",
    "_initial_epoch",
    "_jit",
    "_loss",
    "_metrics",
    "_run_eagerly",
    "compiled",
    "history",
    "loss",
    "optimizer",
    "predict_function",
    "steps_per",
    "stop_",
    "test_function",
    "train_function",
)


def fingerprint(model: Any) -> Fingerprint:
    """Return every attribute of every layer: plain values as they are, objects by identity.

    A trace is stale once a layer, a weight, an activation, a rate or a table was exchanged. Nothing
    is held, so that the model can be let go; an object made where another one had just been freed
    could be taken for it.
    """
    marks: Fingerprint = {
        id(layer): {
            name: value if type(value) in _PLAIN else id(value)
            for name, value in vars(layer).items()
            if not _is_of_training(name)
        }
        for layer in sublayers(model)
    }
    # Tracked lists are changed in place.
    marks[id(model)]["()"] = tuple(map(id, model.weights))
    return marks


@lru_cache(maxsize=4096)
def _is_of_training(name: str) -> bool:
    return name.startswith(_OF_TRAINING)


def differing(before: Fingerprint, now: Fingerprint) -> set[tuple[int, str]]:
    """Return the attributes that differ, each with the identity of its layer."""
    if before == now:
        return set()
    found: set[tuple[int, str]] = set()
    for layer in before.keys() | now.keys():
        old, new = before.get(layer, {}), now.get(layer, {})
        found |= {
            (layer, name) for name in old.keys() | new.keys() if old.get(name, _GONE) != new.get(name, _GONE)
        }
    return found
