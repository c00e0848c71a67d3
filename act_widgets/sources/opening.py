"""Find the loader for a raw model of TensorFlow: a function, a SavedModel, a file, a session."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context

from ..errors import ModelError, said
from .function_loaders import ConcreteLoader, FunctionLoader, signature_of
from .graph_def_loaders import FrozenLoader, SessionLoader, read_graph_def
from .graph_source import GraphSource
from .loader import Loader

_SESSIONS = (tf.compat.v1.Session, tf.compat.v1.InteractiveSession)
_KINDS: tuple[tuple[Any, Callable[[Any], Loader]], ...] = (
    (_SESSIONS, SessionLoader),
    (tf.types.experimental.ConcreteFunction, ConcreteLoader),
    (tf.types.experimental.PolymorphicFunction, FunctionLoader),
)
_loaders: weakref.WeakKeyDictionary[Any, Loader] = weakref.WeakKeyDictionary()
_looking_up = threading.RLock()


def open_raw(model: Any, signature: str | None) -> GraphSource | None:
    """Return a raw model behind the reading protocol; None for whatever is no raw model."""
    if isinstance(model, str | os.PathLike):
        return _from_path(os.fspath(model), signature)
    if signature is not None:
        return None
    if isinstance(model, tuple) and len(model) == 2 and isinstance(model[0], tf.Graph):
        return _of_session(*model)
    if isinstance(model, tf.Graph):
        raise ModelError(
            "A graph alone holds no values for its variables. Received: a tf.Graph. Expected: the pair "
            "(graph, session), or the session."
        )
    found = (loader for kinds, loader in _KINDS if isinstance(model, kinds))
    return next((_shared(model, loader) for loader in found), None)


def _from_path(path: str, signature: str | None) -> GraphSource | None:
    if Path(path).is_dir():
        with context.eager_mode():
            loaded = _loaded(path)
            chosen = signature_of(loaded, signature, path)
        return GraphSource((loaded, chosen), ConcreteLoader(chosen, Path(path).name))
    if path.endswith(".pb") and signature is None:
        return GraphSource(path, FrozenLoader(read_graph_def(path), Path(path).stem))
    return None


def _loaded(path: str) -> Any:
    try:
        return tf.saved_model.load(path)
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise ModelError(
            f"No SavedModel could be loaded. Received: folder '{path}'. Expected: one that holds "
            f"saved_model.pb. TensorFlow said: {said(error)}"
        ) from error


def _of_session(graph: Any, session: Any) -> GraphSource:
    if not isinstance(session, _SESSIONS):
        raise ModelError(
            f"A graph is read with its session. Received: {session!r:.80}. Expected: a tf.compat.v1.Session."
        )
    if session.graph is not graph:
        raise ModelError(
            "The session is that of another graph. Expected: tf.compat.v1.Session(graph=graph), or the "
            "session alone."
        )
    return _shared(session, SessionLoader)


def _shared(model: Any, loader: Callable[[Any], Loader]) -> GraphSource:
    """Return a source with the loader that all others of the same model have."""
    with _looking_up:
        if model not in _loaders:
            _loaders[model] = loader(model)
        return GraphSource(model, _loaders[model])
