"""A model whose call waits until it is told to go on: work as slow as a test wants it."""

from __future__ import annotations

import threading
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from .zoo import batch, shaken


class Gate:
    """What a call of the model waits for.

    Attributes
    ----------
    calls : int
        How often the model was called.
    """

    def __init__(self) -> None:
        self.calls = 0
        self._opened, self._reached = threading.Event(), threading.Event()
        self._opened.set()

    def close(self) -> None:
        """Let the calls to come wait."""
        self._reached.clear()
        self._opened.clear()

    def open(self) -> None:
        """Let every call go on."""
        self._opened.set()

    def wait_reached(self) -> bool:
        """Return once a call waits, or False after a minute."""
        return self._reached.wait(60)

    def layer(self, name: str) -> layers.Layer:
        """Return a layer that passes on what it is given once the gate is open."""

        def wait(values: np.ndarray) -> np.ndarray:
            self.calls += 1
            if not self._opened.is_set():
                self._reached.set()
            assert self._opened.wait(30)
            return values

        @tf.custom_gradient
        def passed(x: Any) -> Any:
            y = tf.numpy_function(wait, [x], x.dtype)
            y.set_shape(x.shape)
            return y, lambda slope: slope

        return layers.Lambda(passed, name=name)


def gated(gate: Gate) -> tuple[keras.Model, np.ndarray]:
    """Return a small network for pictures, with a gate behind its first layer, and four pictures."""
    given = keras.Input((16, 16, 1), name="image")
    y = layers.Conv2D(8, 3, activation="relu", name="first")(given)
    y = gate.layer("gate")(y)
    y = layers.Conv2D(6, 3, activation="relu", name="last")(y)
    y = layers.GlobalAveragePooling2D(name="pool")(y)
    model = shaken(keras.Model(given, layers.Dense(5, activation="softmax", name="out")(y)))
    return model, batch(4, 16, 16, 1)
