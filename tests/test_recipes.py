"""What people do by hand today to look inside a model, on the models of those recipes, in a line or two.

Each test is named after its recipe. The models are the recipes' own, mended only where today's Keras
demands it.
"""

from __future__ import annotations

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
