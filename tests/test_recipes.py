"""What people do by hand today to look inside a model, on the models of those recipes, in a line or two.

Each test is named after its recipe. The models are the recipes' own, mended only where today's Keras
demands it.
"""

from __future__ import annotations

import time

import keras
import numpy as np
import pytest
import tensorflow as tf

import act_widgets as aw

from .graphviz import assert_drawn, draw
from .zoo import batch


class MyCustomLayer(keras.layers.Layer):
    """The custom layer of R14."""

    def call(self, inputs):
        return tf.math.sin(inputs)


@pytest.fixture
def two_dense():
    """The model of R11 and R14, and a batch for it."""
    stack = [keras.layers.Dense(64, activation="relu"), keras.layers.Dense(10, activation="softmax")]
    return keras.Sequential([keras.Input((10,)), *stack]), batch(4, 10)


def softmax(x):
    exponents = np.exp(x - x.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


def test_r11_chosen_layers_are_tapped_during_inference(two_dense):
    model, x = two_dense
    first, second = model.layers

    tapped = aw.capture(model, x, [first.name, second.name])

    hidden = np.maximum(x @ first.kernel.numpy() + first.bias.numpy(), 0)
    np.testing.assert_allclose(tapped[first.name], hidden, rtol=1e-5, atol=1e-6)
    expected = softmax(hidden @ second.kernel.numpy() + second.bias.numpy())
    np.testing.assert_allclose(tapped[second.name], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("custom", [False, True], ids=["dense", "custom layer"])
def test_r14_the_whole_graph_of_a_custom_model_as_dot(two_dense, custom):
    model, x = two_dense
    if custom:
        model = keras.Sequential([MyCustomLayer(), keras.layers.Dense(10)])

    dot = aw.graph(model, x).to_dot()

    first, second = model.layers
    kinds = ["Input", type(first).__name__, type(second).__name__]
    names = ["input", first.name, second.name]
    drawn = draw(dot)
    assert [shape.texts[:2] for shape in drawn.nodes.values()] == list(zip(kinds, names, strict=True))
    assert drawn.edges == {("n0", "n1"), ("n1", "n2")}
    assert_drawn(aw.graph(model, x))


def test_r15_the_same_graph_with_measured_time_on_each_node():
    model, x = keras.Sequential([MyCustomLayer(), keras.layers.Dense(10)]), batch(1, 512, 512)
    session = aw.Session(model, x)

    measured, whole = clocked(session.measure, "time")
    dot = session.graph.to_dot({layer: f"{ms:.3f} ms" for layer, ms in measured.values.items()})

    given, *drawn = (shape.texts for shape in draw(dot).nodes.values())
    assert given == ("Input", "input", "? × 512 × 512")
    assert [texts[1] for texts in drawn] == [layer.name for layer in model.layers]
    shown = [float(texts[-1].removesuffix(" ms")) for texts in drawn]
    # Other work on the machine makes a pass longer, never shorter. Half of three passes or more are longer.
    assert sum(shown) < whole / 2
    for milliseconds, layer in zip(shown, model.layers, strict=True):
        assert milliseconds > min(clocked(layer, x)[1] for _ in range(9)) / 2
        x = layer(x)


def clocked(do, *given):
    """Return what a function returns, and the milliseconds that it took."""
    begun = time.perf_counter()
    made = do(*given)
    return made, 1000 * (time.perf_counter() - begun)
