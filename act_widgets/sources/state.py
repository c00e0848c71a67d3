"""Leave a Keras model as it was found while it is called."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras


@contextmanager
def untouched(model: Any) -> Iterator[None]:
    """Call the model inside this block and nothing that a user can see changes.

    Updates of batch statistics, seeds, recurrent states and metrics go into a scope that is thrown
    away; the losses that a call clears are put back.
    """
    layers = list(model._flatten_layers())
    losses = [(layer, list(layer._losses), set(layer._loss_ids)) for layer in layers]
    try:
        with keras.StatelessScope():
            yield
    finally:
        for layer, kept, ids in losses:
            layer._losses[:] = kept
            layer._loss_ids.clear()
            layer._loss_ids |= ids
