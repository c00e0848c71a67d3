"""Reading models: the only part of the package that knows Keras and TensorFlow."""

from __future__ import annotations

import os
from typing import Any

from ..errors import ModelError
from .protocol import Source

__all__ = ["Source", "open_source"]


def open_source(model: Any, training: bool = False) -> Source:
    """Return `model` behind the protocol that the rest of the package reads.

    Parameters
    ----------
    model : keras.Layer, str or path
        A Keras model, or the path of a ``.keras`` or ``.h5`` file.
    training : bool
        Whether it is called as in training: with dropout, and statistics of the batch.

    Raises
    ------
    ModelError
        If it is neither, or Keras runs on another backend than TensorFlow.
    """
    import keras

    from .keras_model import KerasSource, is_keras, load_keras

    if keras.config.backend() != "tensorflow":
        raise ModelError(
            f"Only Keras on TensorFlow can be read. Received: the backend '{keras.config.backend()}'. "
            "Set the environment variable KERAS_BACKEND=tensorflow before Keras is imported."
        )
    if isinstance(model, KerasSource):
        return model
    if isinstance(model, str | os.PathLike):
        model = load_keras(os.fspath(model))
    if not is_keras(model):
        what = f"the class {model.__name__}" if isinstance(model, type) else f"{model!r:.80}"
        raise ModelError(
            f"This is no Keras model. Received: {what} of type {type(model).__name__}. "
            "Expected: a keras.Model or keras.Layer object, or the path of a .keras or .h5 file."
        )
    return KerasSource(model, training)
