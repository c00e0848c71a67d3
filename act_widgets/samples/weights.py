"""Trained weights of the sample networks: one ``.npz`` file per model, keyed by layer and variable."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import keras
import numpy as np


def load_weights(model: keras.Model) -> keras.Model:
    """Set a sample network's weights from the file shipped under its name, and return it."""
    with files(__package__).joinpath(f"{model.name}.npz").open("rb") as file, np.load(file) as stored:
        for key, variable in _variables(model).items():
            variable.assign(stored[key])
    return model


def save_weights(model: keras.Model, folder: Path) -> Path:
    """Write a trained sample network's weights to ``folder`` and return the file's path."""
    path = folder / f"{model.name}.npz"
    arrays: dict[str, Any] = {key: np.asarray(variable) for key, variable in _variables(model).items()}
    np.savez(path, **arrays)
    return path


def _variables(model: keras.Model) -> dict[str, Any]:
    return {f"{layer.name}/{v.name}": v for layer in model.layers for v in layer.weights}
