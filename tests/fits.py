"""A model in training in a thread of its own, with all that a test compares with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import layers

X = np.random.default_rng(0).normal(size=(64, 8, 8, 1)).astype("float32")
Y = np.arange(64) % 3
LOOKED_AT = X[:3]
PATIENCE = 300
"""Seconds: what takes so long has come to a standstill, on a busy machine too."""


def network(**compiled: Any) -> keras.Model:
    """Return a small network with all that a training changes: weights, statistics, seeds."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(3)
    given = keras.Input((8, 8, 1), name="image")
    y = layers.Conv2D(4, 3, activation="relu", name="conv")(given)
    y = layers.Dropout(0.3, seed=1, name="drop")(layers.BatchNormalization(name="norm")(y))
    y = layers.GlobalAveragePooling2D(name="pool")(y)
    model = keras.Model(given, layers.Dense(3, activation="softmax", name="out")(y))
    model.compile("adam", "sparse_categorical_crossentropy", **compiled)
    return model


class Steps(keras.callbacks.Callback):
    """Keeps loss and weights of each step, and ends the training once a test has seen enough.

    Parameters
    ----------
    is_enough : callable, optional
        Asked after each step.
    on_step : callable, optional
        Called with the number of each step, in the thread that trains.
    """

    def __init__(
        self, is_enough: Callable[[], bool] | None = None, on_step: Callable[[int], None] | None = None
    ) -> None:
        super().__init__()
        self._is_enough = is_enough or (lambda: False)
        self._on_step = on_step or (lambda step: None)
        self.losses: list[float] = []
        self.weights: list[list[np.ndarray]] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.losses.append(logs["loss"])
        self.weights.append([np.array(weight) for weight in self.model.get_weights()])
        self._on_step(len(self.losses))
        if self._is_enough():
            self.model.stop_training = True

    def restored(self, step: int) -> keras.Model:
        """Return the network with the weights after a step, counted from 1."""
        model = network()
        model.set_weights(self.weights[step - 1])
        return model


class Fit:
    """A ``fit`` in a thread of its own; what it raised is in `error`."""

    def __init__(self, model: keras.Model, *callbacks: keras.callbacks.Callback, **options: Any) -> None:
        self.error: BaseException | None = None
        given = {"x": X, "y": Y, "batch_size": 8, "epochs": 2000, "verbose": 0} | options

        def train() -> None:
            try:
                model.fit(callbacks=list(callbacks), **given)
            except BaseException as error:  # noqa: BLE001 handed to the test
                self.error = error

        self.thread = threading.Thread(target=train, daemon=True)
        self.thread.start()

    def finish(self) -> None:
        """Wait until it ends by itself."""
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


class Flow:
    """Batches that come as long as a tap is open: a training that waits in the middle of a step."""

    def __init__(self) -> None:
        self._open, self.waits = threading.Event(), threading.Event()
        self._open.set()

    def close(self) -> None:
        self.waits.clear()
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    @property
    def options(self) -> dict[str, Any]:
        """What `Fit` takes for one epoch of these batches."""
        return {"x": self._batches(), "y": None, "batch_size": None, "epochs": 1, "shuffle": False}

    def _batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        while True:
            if not self._open.is_set():
                self.waits.set()
            assert self._open.wait(PATIENCE)
            yield X[:8], Y[:8]
