"""Let one thread see every layer call of a model, without touching the model.

``Layer.__call__`` and ``Operation.__call__`` are exchanged on the classes (Python looks
``__call__`` up on the type, so an instance can't be patched) while at least one recorder is
active. The recorder itself lives in a context variable: calls made by other threads, such as a
running ``fit``, go straight through.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import keras
import tensorflow as tf


class CallListener(Protocol):
    """What is told of each call."""

    def call(self, operation: Any, original: Callable, args: tuple, kwargs: dict) -> Any:
        """Make the call, and return what the caller is to receive."""


_listener: ContextVar[CallListener | None] = ContextVar("act_widgets_listener", default=None)
_lock = threading.RLock()
_active = 0
_originals: list[tuple[type, str, Callable]] = []
_NOT_IN_A_SCOPE = r"[^A-Za-z0-9_.-]|^[^A-Za-z0-9.]"
_COMPILED = type(tf.function(lambda: None))


def _layer_call(original: Callable) -> Callable:
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        listener = _listener.get()
        if listener is None or _is_symbolic(args, kwargs):
            return original(self, *args, **kwargs)
        return listener.call(self, original, args, kwargs)

    return __call__


def _operation_call(original: Callable) -> Callable:
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        listener = _listener.get()
        # A layer's own __call__ ends here too, by super(): it was already seen.
        if listener is None or isinstance(self, keras.Layer) or _is_symbolic(args, kwargs):
            return original(self, *args, **kwargs)
        return listener.call(self, original, args, kwargs)

    return __call__


def _compiled_call(original: Callable) -> Callable:
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        function = self.python_function
        if _listener.get() is None or getattr(function, "__module__", "").startswith("keras."):
            return original(self, *args, **kwargs)
        # Traced inside our stateless scope, the user's compiled function would keep that trace
        # for good and never update its state again: run its Python body instead.
        return tf.autograph.to_graph(function)(*args, **kwargs) if _in_graph() else function(*args, **kwargs)

    return __call__


def _in_graph() -> bool:
    return not tf.executing_eagerly()


def _is_symbolic(args: tuple, kwargs: dict) -> bool:
    leaves = keras.tree.flatten((args, kwargs))
    return any(isinstance(leaf, keras.KerasTensor) for leaf in leaves)


def _opened_scope(original: Callable) -> Callable:
    def _open_name_scope(self: Any) -> Any:
        scope = original(self)
        if _listener.get() is not None and _in_graph():
            # Keras allows any text as a layer's name; a graph's scopes allow few characters.
            scope._tf_name_scope = tf.name_scope(re.sub(_NOT_IN_A_SCOPE, "_", scope.name))
        return scope

    return _open_name_scope


_EXCHANGED = (
    (keras.Layer, "__call__", _layer_call),
    (keras.Operation, "__call__", _operation_call),
    (_COMPILED, "__call__", _compiled_call),
    (keras.Layer, "_open_name_scope", _opened_scope),
)


def _patch() -> None:
    for owner, name, wrap in _EXCHANGED:
        original = getattr(owner, name)
        _originals.append((owner, name, original))
        setattr(owner, name, wrap(original))


def _restore() -> None:
    while _originals:
        setattr(*_originals.pop())


@contextmanager
def intercept(listener: CallListener) -> Iterator[None]:
    """Send every layer and operation call of this thread to `listener`."""
    global _active
    with _lock:
        if _active == 0:
            _patch()
        _active += 1
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
        with _lock:
            _active -= 1
            if _active == 0:
                _restore()
