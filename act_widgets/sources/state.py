"""Leave a Keras model as it was found while it is called."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras.src.backend.common import global_state


@contextmanager
def untouched(model: Any) -> Iterator[None]:
    """Call the model inside this block and nothing that a user can see changes.

    Updates of batch statistics, seeds, recurrent states and metrics go into a scope that is thrown
    away; the losses that a call clears are put back. So are Keras's open name scopes: it leaves one
    open when TensorFlow refuses its name, and would put it before every later variable's.
    """
    scopes = global_state.get_global_attribute("name_scope_stack", default=[], set_to_default=True)
    depth = len(scopes)
    layers = list(model._flatten_layers())
    losses = [(layer, list(layer._losses), set(layer._loss_ids)) for layer in layers]
    try:
        with keras.StatelessScope():
            yield
    finally:
        del scopes[depth:]
        for layer, kept, ids in losses:
            layer._losses[:] = kept
            layer._loss_ids.clear()
            layer._loss_ids |= ids
