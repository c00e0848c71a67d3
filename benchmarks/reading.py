"""What reading a model costs, side by side with the model itself, in one run.

Run it by ``make bench``. Every figure is a ratio of medians of calls that take turns, so that a busy
machine slows both sides alike.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import act_widgets as aw
from act_widgets.reading.reader import Reader
from act_widgets.sources import open_source
from act_widgets.sources.protocol import BackwardPass

MODELS = {
    "MobileNetV2": keras.applications.MobileNetV2,
    "EfficientNetV2B0": keras.applications.EfficientNetV2B0,
    "ResNet50": keras.applications.ResNet50,
}
ROUNDS = 9


def medians(*functions: Callable[[], Any], rounds: int = ROUNDS) -> list[float]:
    """Return the median seconds of each function; they take turns in any order, after one call unmeasured."""
    times: list[list[float]] = [[] for _ in functions]
    order = random.Random(0)
    for turn in range(rounds + 1):
        # Whoever follows one that kept much finds memory that is mapped already.
        for index in order.sample(range(len(functions)), len(functions)):
            start = time.perf_counter()
            functions[index]()
            if turn:
                times[index].append(time.perf_counter() - start)
    return [statistics.median(t) for t in times]


def first_look(model: Any, images: np.ndarray) -> Any:
    """Read all layers as a fresh session does: nothing kept, nothing traced."""
    source = open_source(model)
    return Reader(source, source.read_inputs(images)).activations()


def measure(name: str) -> None:
    """Print the ratios of one model."""
    keras.utils.set_random_seed(0)
    model = MODELS[name](weights=None)
    images = np.random.default_rng(0).random((1, 224, 224, 3), np.float32)
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    rival = keras.Model(model.inputs, [layer.output for layer in layers])

    given = [images]  # in the structure that it takes, or Keras warns at every call
    eager, ours, theirs, arrays, built = medians(
        lambda: model(images, training=False),
        partial(first_look, model, images),
        lambda: rival(given, training=False),
        lambda: [tensor.numpy() for tensor in rival(given, training=False)],
        lambda: keras.Model(model.inputs, [layer.output for layer in layers])(given, training=False),
        rounds=25,
    )
    print(f"{name}: first look at all layers / one eager call {ours / eager:.2f}")
    print(f"{name}: first look / eager call of one sub-model of all layers {ours / theirs:.2f}")
    print(f"{name}: first look / that call, and its outputs as arrays {ours / arrays:.2f}")
    print(f"{name}: first look / building that sub-model and calling it {ours / built:.2f}")

    compiled = tf.function(lambda x: model(x, training=False))
    source = open_source(model)
    inputs = source.read_inputs(images)
    source.traces.trace(inputs)
    everything = source.forward(inputs)
    mask = np.zeros((1, 1000), np.float32)
    mask[0, 7] = 1
    floats = [tap.address for tap in everything.taps.values() if tap.is_float]
    asked = BackwardPass(mask, floats)
    compiled_rival = tf.function(lambda x: rival([x], training=False))
    plain, every, all_outputs, gradients, known = medians(
        lambda: compiled(images),
        lambda: source.forward(inputs),
        lambda: compiled_rival(images),
        lambda: source.gradients(inputs, {}, asked),
        lambda: source.gradients(inputs, everything.values, asked),
    )
    print(f"{name}: all activations / compiled forward pass {every / plain:.2f}")
    print(f"{name}: all activations / compiled sub-model of all layers {every / all_outputs:.2f}")
    print(f"{name}: gradients of one class for every layer / compiled forward pass {gradients / plain:.2f}")
    print(f"{name}: the same from kept activations / compiled forward pass {known / plain:.2f}")

    deep = floats[len(floats) * 3 // 4]
    edited = everything.values[deep] * np.float32(0.5)
    plain, resumed, asked = medians(
        lambda: compiled(images),
        lambda: source.resume(inputs, deep, edited, everything.values),
        source.weights_version,
        rounds=25,
    )
    print(f"{name}: an edit at three quarters of the depth / compiled forward pass {resumed / plain:.2f}")
    print(f"{name}: asking whether weights changed / compiled forward pass {asked / plain:.3f}")
    print(f"{name}: asking whether weights changed / one eager call {asked / eager:.3f}")

    session = aw.Session(model, images)
    middle = layers[len(layers) // 2]
    built = keras.Model(model.inputs, middle.output)
    look, again = medians(
        lambda: session.activation(middle.name), lambda: built.predict(images, verbose=0), rounds=25
    )
    fresh, _ = medians(
        lambda: keras.Model(model.inputs, middle.output).predict(images, verbose=0), lambda: None, rounds=2
    )
    print(f"{name}: build a sub-model and predict / pick a kept layer {fresh / look:,.0f}")
    print(f"{name}: predict on a sub-model built earlier / pick a kept layer {again / look:,.0f}")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or MODELS:
        measure(chosen)
