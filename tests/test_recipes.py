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


class SimpleModel(keras.Model):
    """The subclassed model of R01."""

    def __init__(self):
        super().__init__()
        self.dense1 = keras.layers.Dense(128, activation="relu", name="dense1")
        self.dense2 = keras.layers.Dense(10, activation="softmax", name="dense2")

    def call(self, inputs):
        return self.dense2(self.dense1(inputs))


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


def test_r01_a_hidden_layer_of_a_subclassed_model_from_a_graph_and_its_session():
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        model = SimpleModel()
        model(tf.compat.v1.placeholder(tf.float32, (None, 784), name="input"))
        session.run(tf.compat.v1.global_variables_initializer())
        kernel, bias = session.run([weight.value for weight in model.dense1.weights])
        x = batch(3, 784)

        hidden = aw.capture((graph, session), x)["Relu"]

    np.testing.assert_allclose(hidden, np.maximum(x @ kernel + bias, 0), rtol=1e-4, atol=1e-5)


def test_r07_pca_and_tsne_of_a_layer(two_dense):
    model, _ = two_dense
    x, layer = batch(40, 10), model.layers[0]

    by_pca = aw.Session(model, x).project(layer.name)
    by_tsne = aw.Session(model, x).project(layer.name, "tsne")

    hidden = np.maximum(x @ layer.kernel.numpy() + layer.bias.numpy(), 0)
    variances = np.linalg.eigvalsh(np.cov(hidden.T))[::-1]
    np.testing.assert_allclose(by_pca.points.var(0, ddof=1), variances[:2], rtol=1e-4)
    np.testing.assert_allclose(by_pca.explained, variances[:2] / variances.sum(), rtol=1e-4)
    nearest = np.linalg.norm(hidden[:, None] - hidden, axis=-1).argsort(1)[:, 1:6]
    apart = np.linalg.norm(by_tsne.points[:, None] - by_tsne.points, axis=-1)
    assert np.take_along_axis(apart, nearest, 1).mean() < 0.7 * apart.mean()


def test_r11_chosen_layers_are_tapped_during_inference(two_dense):
    model, x = two_dense
    first, second = model.layers

    tapped = aw.capture(model, x, [first.name, second.name])

    hidden = np.maximum(x @ first.kernel.numpy() + first.bias.numpy(), 0)
    np.testing.assert_allclose(tapped[first.name], hidden, rtol=1e-5, atol=1e-6)
    expected = softmax(hidden @ second.kernel.numpy() + second.bias.numpy())
    np.testing.assert_allclose(tapped[second.name], expected, rtol=1e-5, atol=1e-6)


def test_r12_the_operations_behind_a_layer(two_dense):
    model, x = two_dense
    function = tf.function(model)

    graph, values = aw.graph(function, x), aw.capture(function, x)

    scopes = [node for node in graph.nodes if node.kind == "Scope" and node.parent]
    behind = [[node.kind for node in graph.nodes if node.parent == scope.address] for scope in scopes]
    assert behind == [["MatMul", "BiasAdd", "Relu"], ["MatMul", "BiasAdd", "Softmax"]]
    for layer, scope in zip(model.layers, scopes, strict=True):
        np.testing.assert_allclose(values[f"{scope.address}/MatMul"], x @ layer.kernel, rtol=1e-4, atol=1e-5)
        x = layer(x)
        np.testing.assert_allclose(values[scope.tap], x, rtol=1e-4, atol=1e-5)


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


class Slow(MyCustomLayer):
    """It takes 20 ms at the least, on any machine."""

    def call(self, inputs):
        end = time.perf_counter() + 0.02
        while time.perf_counter() < end:
            pass
        return super().call(inputs)


def test_r15_the_same_graph_with_measured_time_on_each_node():
    model = keras.Sequential([Slow(), keras.layers.Dense(10)])
    session = aw.Session(model, batch(1, 32, 32))

    begun = time.perf_counter()
    measured = session.measure("time")
    whole = 1000 * (time.perf_counter() - begun)
    dot = session.graph.to_dot({layer: f"{ms:.3f} ms" for layer, ms in measured.values.items()})

    given, *drawn = (shape.texts for shape in draw(dot).nodes.values())
    assert given == ("Input", "input", "? × 32 × 32")
    assert [texts[1] for texts in drawn] == [layer.name for layer in model.layers]
    slow, dense = (float(texts[-1].removesuffix(" ms")) for texts in drawn)
    assert slow >= 20
    assert dense > 0
    # It took three passes or more, and half of them were no quicker than what is shown.
    assert slow + dense < whole / 2
