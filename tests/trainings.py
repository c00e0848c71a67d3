"""Small trainings to be recorded."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

CLASSES = 3


def data(samples: int = 48, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noise with a bright row: which one is the class."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, CLASSES, samples)
    x = rng.normal(0, 0.3, (samples, 6, 6, 1)).astype("float32")
    x[np.arange(samples), 2 * y] += 2
    return x, y


def network(seed: int = 0, **compiled: Any) -> keras.Model:
    """Return a small compiled classifier, the same for the same seed."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1), name="image"),
            keras.layers.Conv2D(4, 3, activation="relu", name="conv"),
            keras.layers.Flatten(name="flat"),
            keras.layers.Dropout(0.2, name="drop"),
            keras.layers.Dense(CLASSES, activation="softmax", name="out"),
        ],
        name="small",
    )
    settings = {"optimizer": "adam", "loss": "sparse_categorical_crossentropy", **compiled}
    model.compile(**settings)
    return model


class KeepsWeights(keras.callbacks.Callback):
    """Keeps the weights after each step, by its number; 0 is before the first."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[list[np.ndarray]] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.weights.append(self.model.get_weights())

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.weights.append(self.model.get_weights())
