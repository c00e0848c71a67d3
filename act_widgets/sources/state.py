"""Leave a Keras model as it was found while it is called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf
from keras.src.backend.common import global_state

from .libraries import is_legacy


@contextmanager
def untouched(model: Any, values: Sequence[tuple[Any, Any]] = ()) -> Iterator[None]:
    """Call the model inside this block and nothing that a user can see changes.

    Layers of Keras 3 read the other `values` that some weights are paired with; nobody else sees these.

    Updates of batch statistics, seeds, recurrent states and metrics go into a scope that is thrown
    away. Keras's open name scopes are put back: it leaves one open when TensorFlow refuses its
    name, and would put it before every later variable's.
    """
    if is_legacy(model):
        with _put_back(model):
            yield
        return
    scopes = global_state.get_global_attribute("name_scope_stack", default=[], set_to_default=True)
    depth = len(scopes)
    try:
        with keras.StatelessScope(state_mapping=values):
            yield
    finally:
        del scopes[depth:]


@contextmanager
def _put_back(model: Any) -> Iterator[None]:
    """Keras 2 knows no such scope: variables that an eager call assigned get their values back."""
    if not tf.executing_eagerly():
        yield  # what is traced is not run
        return
    variables = [v for v in model.variables if isinstance(v, tf.Variable)]
    before = [v.read_value() for v in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            if not bool(tf.reduce_all(tf.equal(variable, value))):
                variable.assign(value)
