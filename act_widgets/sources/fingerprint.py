"""Tell whether a model is still made of what it was made of."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from .libraries import sublayers

Fingerprint = dict[tuple[int, str], Any]

_PLAIN = (int, float, str, bytes, bool, type(None))
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
    marks: Fingerprint = {}
    for layer in sublayers(model):
        for name, value in vars(layer).items():
            if not _is_of_training(name):
                marks[id(layer), name] = value if isinstance(value, _PLAIN) else id(value)
        # Tracked lists are changed in place.
        marks[id(layer), "()"] = tuple(map(id, layer.weights)) if layer is model else ()
    return marks


@lru_cache(maxsize=4096)
def _is_of_training(name: str) -> bool:
    return name.startswith(_OF_TRAINING)


def differing(before: Fingerprint, now: Fingerprint) -> set[tuple[int, str]]:
    """Return the attributes that differ."""
    if before == now:
        return set()
    nan = float("nan")
    return {key for key in before.keys() | now.keys() if before.get(key, nan) != now.get(key, nan)}
