"""Notice that a model's weights changed, by where their values lie in memory."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context, execute

from .libraries import other_variables, weights_of

_watches: weakref.WeakKeyDictionary[Any, dict[bool, WeightWatch]] = weakref.WeakKeyDictionary()
_asking = threading.RLock()


def weights_version(model: Any, training: bool) -> int:
    """Return a number that goes up when the model's weights changed; in training mode, its seeds too."""
    with _asking:
        watch = _watches.setdefault(model, {}).setdefault(training, WeightWatch())
        return watch.version(weights_of(model, seeds=training), lambda: other_variables(model))


class WeightWatch:
    """Tells versions of a model's weights apart.

    Every way to change a variable (``fit``, ``set_weights``, ``load_weights``, ``assign``) gives it
    another buffer as long as somebody holds the old one, and this object does. One compiled call
    reads all variables without a copy, so asking costs less than a millisecond for a few hundred. The
    price is memory: between a change and the next question the old weights stay beside the new.

    A buffer that moved is compared by its bytes: once a part of a variable was assigned,
    TensorFlow copies it at every reading.
    """

    def __init__(self) -> None:
        self._version = 0
        self._variables: list[weakref.ref] = []
        self._ids: list[int] = []
        self._read: Callable[[], Sequence[np.ndarray]] = list
        self._held: Sequence[np.ndarray] | None = None

    def version(self, weights: Sequence[Any], others: Callable[[], Sequence[Any]]) -> int:
        """Return a number that goes up when `weights` are not those of the last question.

        `others` gives variables beside them; it is asked again only when the weights are other ones.
        """
        variables = [getattr(weight, "_value", weight) for weight in weights]
        if list(map(id, variables)) != self._ids or any(ref() is None for ref in self._variables):
            self._ids = list(map(id, variables))
            self._watch([*variables, *(getattr(other, "_value", other) for other in others())])
        held = self._read()
        before, self._held = self._held, held
        self._version += before is None or not same_buffers(before, held)
        return self._version

    def _watch(self, variables: Sequence[Any]) -> None:
        self._variables = refs = [weakref.ref(variable) for variable in variables]
        self._held = None
        if not variables:
            self._read = list
            return

        def read() -> list[Any]:
            return [ref().read_value() for ref in refs]  # type: ignore[union-attr]

        function = tf.function(read, autograph=False).get_concrete_function()
        captured = function.captured_inputs
        attributes = ("executor_type", "SINGLE_THREADED_EXECUTOR", "config_proto", b"")

        def run() -> list[np.ndarray]:
            # What calling `function` comes down to: its bookkeeping takes as long as the reading.
            name = function._inference_function.name
            tensors = execute.execute(name, len(refs), captured, attributes, context.context())
            return [tensor._numpy_internal() for tensor in tensors]

        self._read = run


def same_buffers(before: Sequence[np.ndarray], now: Sequence[np.ndarray]) -> bool:
    """Return whether arrays lie where they lay, or else hold the same bytes."""
    if all(map(np.may_share_memory, before, now)):
        return True
    return all(map(_equal, before, now))


def _equal(before: np.ndarray, now: np.ndarray) -> bool:
    if np.may_share_memory(before, now):
        return True
    return np.array_equal(before, now) if now.dtype == object else before.tobytes() == now.tobytes()
