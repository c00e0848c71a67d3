"""The models behind the pictures of docs/views.md, each in a session: what the cells of the gallery look at.

They hold layers of every number of axes. The sample model is trained; the others need only maps that are
easy to recognise, so their weights are drawn at random.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

import act_widgets as aw
from tests import ranks


def shapes(layer: str = "block2_relu2") -> aw.Session:
    """Return the sample model, on drawn pictures."""
    model, images, labels = aw.samples.shapes()
    session = aw.Session(model, images, labels=labels)
    session.selection.layer = layer
    session.selection.channel = 5
    return session


def silenced() -> aw.Session:
    """Return the sample model with channels silenced."""
    session = shapes("block3_relu2")
    session.selection.channel = 28
    session.silenced = ("block3_relu2", (3, 19, 28))
    return session


def lit() -> aw.Session:
    """Return the sample model with a range of values lit up."""
    session = shapes()
    session.selection.value_range = (0.6, 2.0)
    return session


def nested() -> aw.Session:
    """Return a network whose first part is a model of its own."""
    keras.utils.set_random_seed(0)
    shape = (96, 96, 3)
    backbone = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=shape, name="backbone"
    )
    given = keras.Input(shape, name="image")
    y = layers.GlobalAveragePooling2D(name="pool")(backbone(given))
    model = keras.Model(given, layers.Dense(4, activation="softmax", name="head")(y), name="classifier")
    session = aw.Session(model, ranks.scene(1, 96))
    session.selection.layer = "backbone/block_2_add"
    return session


def recorded() -> aw.Session:
    """Return a recording of a network that is trained in rising steps, in which a channel died."""
    keras.utils.set_random_seed(5)
    _, images, _ = aw.samples.shapes()
    kinds = np.arange(len(images)) % 4
    model = keras.Sequential(
        [
            keras.Input(images.shape[1:], name="image"),
            layers.Conv2D(8, 5, strides=2, activation="relu", name="edges"),
            layers.Conv2D(16, 3, strides=2, activation="relu", name="parts"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(4, activation="softmax", name="head"),
        ],
        name="classifier",
    )
    model.compile(keras.optimizers.SGD(0.6, momentum=0.9), "sparse_categorical_crossentropy")
    recorder = aw.Recorder(images[:8], every=4, share=None)
    model.fit(images, kinds, batch_size=8, epochs=12, callbacks=[recorder], verbose=0)
    session = aw.Session(recorder)
    session.selection.layer = "edges"
    steps = [session.died("edges", channel) for channel in range(8)]
    session.selection.channel = max(range(8), key=lambda channel: steps[channel] or 0)
    session.step = session.steps[len(session.steps) // 2]
    return session


def vectors() -> aw.Session:
    """Return a network of dense layers."""
    return _at("wide", *ranks.vectors(40))


def sequences() -> aw.Session:
    """Return a recurrent network on waves."""
    return _at("norm", *ranks.recurrent())


def volumes() -> aw.Session:
    """Return a network on a shell in space."""
    given = keras.Input((24, 32, 32, 1), name="scan")
    y = layers.Conv3D(6, 3, padding="same", activation="relu", name="edges")(given)
    return _at("edges", _answering(given, y), _ball(24, 32)[None])


def films() -> aw.Session:
    """Return a recurrent network on a disc that moves."""
    given = keras.Input((12, 32, 32, 1), name="film")
    y = layers.ConvLSTM2D(6, 3, padding="same", return_sequences=True, name="frames")(given)
    return _at("frames", _answering(given, y), _moving_disc(12, 32)[None])


def transformer(layer: str) -> aw.Session:
    """Return a vision transformer at a layer of tokens, or of attention."""
    return _at(layer, *ranks.vision_transformer())


def _answering(given: Any, y: Any) -> Any:
    y = layers.Flatten(name="flat")(y)
    keras.utils.set_random_seed(2)
    return keras.Model(given, layers.Dense(3, activation="softmax", name="out")(y))


def _at(layer: str, model: Any, inputs: Any) -> aw.Session:
    session = aw.Session(model, inputs)
    session.selection.layer = layer
    session.selection.channel = 1
    return session


def _ball(depth: int, side: int) -> np.ndarray:
    """Return a bright shell around a core, ``(depth, side, side, 1) float32``."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in (depth, side, side)), indexing="ij")
    distance = np.sqrt(x**2 + y**2 + z**2)
    core = np.hypot(np.hypot(x - 0.2, y + 0.2), z) < 0.25
    return ((np.abs(distance - 0.75) < 0.12) + 0.6 * core)[..., None].astype("float32")


def _moving_disc(frames: int, side: int) -> np.ndarray:
    """Return a disc on its way from left to right, ``(frames, side, side, 1) float32``."""
    time, y, x = np.meshgrid(*(np.linspace(0, 1, n) for n in (frames, side, side)), indexing="ij")
    return (np.hypot(x - 0.2 - 0.6 * time, y - 0.5) < 0.18)[..., None].astype("float32")
