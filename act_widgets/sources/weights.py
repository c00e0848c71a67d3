"""Notice that a model's weights changed, by where their values lie in memory."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf


class WeightWatch:
    """Tells versions of a model's weights apart.

    Every way to change a variable (``fit``, ``set_weights``, ``load_weights``, ``assign``) gives it
    another buffer as long as somebody holds the old one, and this object does. One compiled call
    reads all variables without a copy, so asking costs about a millisecond for a few hundred. The
    price is memory: between a change and the next question the old weights stay beside the new.

    A buffer that moved is compared by its bytes: once a part of a variable was assigned,
    TensorFlow copies it at every reading.
    """

    def __init__(self) -> None:
        self._version = 0
        self._variables: list[weakref.ref] = []
        self._ids: list[int] = []
        self._read: Callable[[], Sequence[Any]] = list
        self._held: list[np.ndarray] | None = None

    def version(self, weights: Sequence[Any]) -> int:
        """Return a number that goes up when `weights` are not those of the last question."""
        variables = [weight._value for weight in weights]
        if (
            self._held is None
            or list(map(id, variables)) != self._ids
            or any(ref() is None for ref in self._variables)
        ):
            self._watch(variables)
        held = [_bytes(tensor) for tensor in self._read()]
        before, self._held = self._held, held
        if before is None:
            self._version += 1
        else:
            pairs = zip(before, held, strict=True)
            moved = (pair for pair in pairs if not np.may_share_memory(*pair))
            self._version += not all(np.array_equal(*pair) for pair in moved)
        return self._version

    def _watch(self, variables: Sequence[Any]) -> None:
        self._variables = [weakref.ref(variable) for variable in variables]
        self._ids = list(map(id, variables))
        self._held = None

        def read() -> list[Any]:
            return [_readable(ref().read_value()) for ref in refs]  # type: ignore[union-attr]

        refs = self._variables
        self._read = tf.function(read, autograph=False).get_concrete_function()


def _readable(tensor: Any) -> Any:
    """Return a tensor of the same memory in a type that Python's buffers know."""
    plain = tensor.dtype == tf.string or np.dtype(tensor.dtype.as_numpy_dtype).kind in "iufcb"
    return tensor if plain else tf.bitcast(tensor, {1: tf.uint8, 2: tf.uint16}[tensor.dtype.size])


def _bytes(tensor: Any) -> np.ndarray:
    """Return a tensor's own memory, which is kept from being used again as long as this is."""
    return np.frombuffer(tensor, np.uint8) if tensor.shape.num_elements() else np.empty(0, np.uint8)
