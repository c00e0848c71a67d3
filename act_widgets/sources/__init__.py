"""Reading models: the only part of the package that knows Keras and TensorFlow."""

from __future__ import annotations

import os
from typing import Any

from ..errors import InputError, ModelError
from .protocol import Source

__all__ = ["Source", "open_source"]


def open_source(model: Any, training: bool = False, signature: str | None = None) -> Source:
    """Return `model` behind the protocol that the rest of the package reads.

    Parameters
    ----------
    model : object
        A Keras model, or the path of a ``.keras`` or ``.h5`` file; a ``tf.function`` or
        ``ConcreteFunction``; the path of a SavedModel folder or of a frozen ``.pb`` file; a
        ``tf.compat.v1.Session``, or a pair of its graph and itself.
    training : bool
        Whether it is called as in training: with dropout, and statistics of the batch. For Keras models.
    signature : str, optional
        Which signature of a SavedModel; ``"serving_default"``, or the only one, if left out.

    Raises
    ------
    ModelError
        If it is none of these, or Keras runs on another backend than TensorFlow.
    InputError
        If there is no such signature, or the model has no mode of training.
    """
    import keras

    from .graph_source import GraphSource
    from .keras_model import KerasSource, is_keras, load_keras
    from .opening import open_raw

    if keras.config.backend() != "tensorflow":
        raise ModelError(
            f"Only Keras on TensorFlow can be read. Received: the backend '{keras.config.backend()}'. "
            "Set the environment variable KERAS_BACKEND=tensorflow before Keras is imported."
        )
    if isinstance(model, KerasSource | GraphSource):
        return model
    raw = open_raw(model, signature)
    if raw is None and signature is not None:
        raise InputError(
            f"Only a SavedModel has signatures. Received: signature={signature!r} with {model!r:.80}. "
            "Expected: the path of a SavedModel folder, or no signature."
        )
    if raw is not None:
        if training:
            raise InputError(
                "A graph runs as it was made. Received: training=True. Expected: a Keras model, or a "
                "function that was traced with training=True."
            )
        return raw
    if isinstance(model, str | os.PathLike):
        model = load_keras(os.fspath(model))
    if not is_keras(model):
        what = f"the class {model.__name__}" if isinstance(model, type) else f"{model!r:.80}"
        hint = " A function that makes a model must return it." if model is None else ""
        raise ModelError(
            f"This is no model that can be read. Received: {what} of type {type(model).__name__}. "
            "Expected: a keras.Model or keras.Layer object, a tf.function or ConcreteFunction, a "
            "tf.compat.v1.Session, or the path of a .keras or .h5 file, of a frozen .pb file or of a "
            f"SavedModel folder; for explore and Session also a recording.{hint}"
        )
    return KerasSource(model, training)
