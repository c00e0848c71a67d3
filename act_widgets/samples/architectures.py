"""The two sample networks. Every layer has a name of its own, because stored weights go by names."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from .data import DIGIT_NAMES
from .pictures import SHAPE_NAMES


def digits_cnn() -> keras.Model:
    """Return the untrained network for digits, ``(batch, 8, 8, 1)`` to ten probabilities.

    The maps stay 8 × 8 to the last, because smaller ones could not tell where in a digit they are.
    """
    image = layers.Input((8, 8, 1), name="image")
    x = _convolution(image, 16, "stem")
    x = _convolution(x, 32, "block1")
    x = _residual(x, 32, "block2")
    x = _residual(x, 48, "block3")
    return _classifier(image, x, len(DIGIT_NAMES), "digits_cnn")


def shapes_cnn() -> keras.Model:
    """Return the untrained network for shapes, ``(batch, 64, 64, 3)`` to eight probabilities."""
    image = layers.Input((64, 64, 3), name="image")
    x = _convolution(image, 16, "stem", size=5)
    x = layers.MaxPooling2D(name="pool")(x)
    x = _residual(x, 16, "block1")
    x = _residual(x, 32, "block2", strides=2)
    x = _residual(x, 48, "block3", strides=2)
    x = _residual(x, 48, "block4")
    return _classifier(image, x, len(SHAPE_NAMES), "shapes_cnn")


def _convolution(x: Any, filters: int, block: str, size: int = 3) -> Any:
    x = _normalised(x, filters, block, size=size)
    return layers.ReLU(name=f"{block}_relu")(x)


def _residual(x: Any, filters: int, block: str, strides: int = 1) -> Any:
    """Add what two convolutions find to their input, projected where its shape changes."""
    shortcut = x
    if strides > 1 or x.shape[-1] != filters:
        shortcut = layers.Conv2D(filters, 1, strides=strides, name=f"{block}_shortcut")(x)
    x = _normalised(x, filters, block, "1", strides=strides)
    x = layers.ReLU(name=f"{block}_relu1")(x)
    x = _normalised(x, filters, block, "2")
    x = layers.Add(name=f"{block}_add")([x, shortcut])
    return layers.ReLU(name=f"{block}_relu2")(x)


def _normalised(x: Any, filters: int, block: str, part: str = "", size: int = 3, strides: int = 1) -> Any:
    # The normalisation shifts each channel itself, so a bias before it would change nothing.
    convolution = layers.Conv2D(
        filters, size, strides=strides, padding="same", use_bias=False, name=f"{block}_conv{part}"
    )
    return layers.BatchNormalization(name=f"{block}_bn{part}")(convolution(x))


def _classifier(image: Any, x: Any, classes: int, name: str) -> keras.Model:
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    x = layers.Dense(classes, activation="softmax", name="predictions")(x)
    return keras.Model(image, x, name=name)
