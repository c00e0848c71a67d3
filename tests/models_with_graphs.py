"""Graphs that are looked at: of large models that everybody knows, nested, subclassed, long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

import act_widgets as aw
from act_widgets.model_graph import Graph

from .big_graphs import chain, scopes


class Residual(keras.layers.Layer):
    """Two convolutions and a shortcut."""

    def __init__(self, filters: int, **options: Any) -> None:
        super().__init__(**options)
        self.first = keras.layers.Conv2D(filters, 3, padding="same")
        self.norm = keras.layers.BatchNormalization()
        self.second = keras.layers.Conv2D(filters, 3, padding="same")

    def call(self, x: Any) -> Any:
        return x + self.second(keras.ops.relu(self.norm(self.first(x))))


class Subclassed(keras.Model):
    """A stem, four residual layers and a head, called in a loop."""

    def __init__(self) -> None:
        super().__init__(name="subclassed")
        self.stem = keras.layers.Conv2D(8, 3)
        self.parts = [Residual(8, name=f"part_{i}") for i in range(4)]
        self.head = keras.layers.Dense(3)

    def call(self, x: Any) -> Any:
        x = self.stem(x)
        for part in self.parts:
            x = part(x)
        return self.head(keras.ops.mean(x, axis=(1, 2)))


def transfer() -> Any:
    """A new head on MobileNetV2."""
    backbone = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(96, 96, 3), name="backbone"
    )
    x = keras.Input((96, 96, 3), name="image")
    y = keras.layers.GlobalAveragePooling2D(name="pool")(backbone(x))
    y = keras.layers.Dense(5, activation="softmax", name="head")(keras.layers.Dropout(0.2, name="drop")(y))
    return keras.Model(x, y, name="transfer")


def known(name: str) -> Callable[[], Graph]:
    """Return what reads the graph of one of Keras's own models, without weights that were trained."""
    return lambda: aw.graph(getattr(keras.applications, name)(weights=None))


GRAPHS: dict[str, Callable[[], Graph]] = {
    "MobileNetV2": known("MobileNetV2"),
    "DenseNet121": known("DenseNet121"),
    "InceptionV3": known("InceptionV3"),
    "NASNetMobile": known("NASNetMobile"),
    "nested transfer model": lambda: aw.graph(transfer()),
    "subclassed": lambda: aw.graph(Subclassed(), np.zeros((1, 32, 32, 3), np.float32)),
    "chain of 1,000": lambda: chain(1000),
    "5,000 operations": lambda: scopes([10] * 500),
    "scope of 1,000 operations": lambda: scopes([1000] + [10] * 400),
}
MORE = ("ResNet50", "Xception", "EfficientNetB0", "MobileNetV3Small", "ConvNeXtTiny", "InceptionResNetV2")


def graphs(more: bool = False) -> Iterator[tuple[str, Graph]]:
    """Yield names and graphs, one after the other: each model is let go of before the next is built."""
    for name, make in GRAPHS.items():
        yield name, make()
    for name in MORE if more else ():
        yield name, known(name)()
