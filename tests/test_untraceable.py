"""Models whose call decides by values, which no graph can hold: every question is answered all the same."""

from __future__ import annotations

from itertools import pairwise

import keras
import numpy as np
import pytest
import tensorflow as tf

import act_widgets as aw
from act_widgets.sources import open_source
from act_widgets.sources.replay import Replay
from tests.zoo import batch, shaken

from .zoo import gradient_of

layers = keras.layers
CLOSE = {"rtol": 1e-4, "atol": 1e-6}


class Decides(keras.Model):
    """Takes one of two branches by the sum of an activation; ends in a softmax of its own."""

    def __init__(self) -> None:
        super().__init__(name="decides")
        self.conv = layers.Conv2D(2, 3, name="conv")
        self.drop = layers.Dropout(0.5, name="drop")
        self.head = layers.Dense(3, name="head")
        self.never = layers.Dense(2, name="never")

    def call(self, x):
        y = self.drop(tf.nn.relu(self.conv(x)))
        y = y * 2 if float(tf.reduce_sum(y)) > 0 else self.never(y)
        return tf.nn.softmax(self.head(tf.reduce_mean(y, [1, 2])))


@pytest.fixture
def decides():
    model, x = Decides(), batch(3, 6, 6, 1)
    model(x)
    return shaken(model), x


def scores_of(model, conv):
    return model.head(tf.reduce_mean(2 * tf.nn.relu(conv), [1, 2]))


def test_activations_and_what_was_not_called(decides):
    model, x = decides
    session = aw.Session(model, x)
    np.testing.assert_allclose(session.activation("conv"), model.conv(x), **CLOSE)
    np.testing.assert_allclose(session.outputs(), model(x), **CLOSE)
    assert session.layers == ("conv", "~relu", "drop", "~multiply", "~reduce_mean", "head", "~softmax")
    assert session.unreachable == {"never": "the model does not call it for these inputs"}


def test_gradients_of_the_logits(decides):
    model, x = decides
    conv = tf.constant(model.conv(x))
    with tf.GradientTape() as tape:
        tape.watch(conv)
        score = scores_of(model, conv)[1, 2]
    expected = tape.gradient(score, conv)[1]
    session = aw.Session(model, x)
    np.testing.assert_allclose(gradient_of(session, "conv", 1, 2), expected, **CLOSE)
    attribution = session.attribution(layer="conv", target=2)
    assert attribution.scores == "logits"
    alpha = expected.numpy().mean((0, 1))
    by_hand = np.maximum((alpha * session.activation("conv")[1]).sum(-1), 0)
    np.testing.assert_allclose(attribution.maps[1], by_hand, **CLOSE)
    assert session.selection.layer == "~multiply", "the last entry with positions"


def test_edits(decides):
    model, x = decides
    mask = np.array([0, 1], np.float32)
    expected = tf.nn.softmax(scores_of(model, model.conv(x) * mask))
    session = aw.Session(model, x)
    np.testing.assert_allclose(session.edit("conv", 0), expected, **CLOSE)
    np.testing.assert_allclose(session.edit("head", 0, replace=[[7.0]])[:, 0] > 0.9, True)
    np.testing.assert_allclose(session.edit("conv", scale=1), session.outputs(), **CLOSE)


def test_what_it_computes_without_a_layer(decides):
    model, x = decides
    session = aw.Session(model, x)
    doubled = 2 * np.maximum(model.conv(x), 0)
    np.testing.assert_allclose(session.activation("~multiply"), doubled, **CLOSE)
    weights, bias = (variable.numpy() for variable in model.head.weights)
    halved = tf.nn.softmax((doubled / 2).mean((1, 2)) @ weights + bias)
    np.testing.assert_allclose(session.edit("~multiply", scale=0.5), halved, **CLOSE)
    # Halved before the sum is asked for, as much as after it.
    np.testing.assert_allclose(session.edit("~relu", scale=0.5), halved, **CLOSE)
    slope = np.broadcast_to(weights[:, 1] / doubled[0, ..., 0].size, doubled[2].shape)
    np.testing.assert_allclose(gradient_of(session, "~multiply", 2, 1), slope, **CLOSE)
    np.testing.assert_allclose(gradient_of(session, "~relu", 2, 1), 2 * slope, **CLOSE)


def test_edges(decides):
    graph = aw.graph(*decides)
    path = ["input", "conv", "~relu", "drop", "~multiply", "~reduce_mean", "head", "~softmax"]
    assert [node.address for node in graph.nodes] == path
    assert {(e.source, e.target) for e in graph.edges} == set(pairwise(path))
    assert [node.parameters for node in graph.nodes] == [0, 20, 0, 0, 0, 0, 9, 0]


def test_it_is_called_and_nothing_stays(decides):
    model, x = decides
    source = open_source(model)
    inputs = source.read_inputs(x)
    assert isinstance(source.traces.trace(inputs), Replay)
    assert source.traces.trace(inputs) is source.traces.trace(inputs), "tracing is tried once"
    before_head = {"conv", "~relu", "drop", "~multiply", "~reduce_mean"}
    assert source.explained(inputs) == {"~input:0", "head"} | before_head
    before = [w.numpy().copy() for w in model.weights]
    output = model(x).numpy()
    session = aw.Session(model, x)
    session.attribution(target=0)
    session.edit("conv", scale=2)
    with pytest.raises(aw.ModelError, match="'never', which has no weights yet"):
        session.edit("conv")
    for weight, old in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), old)
    np.testing.assert_array_equal(model(x), output)


def test_its_branch_is_that_of_the_inputs_given(decides):
    model, x = decides
    model.conv.bias.assign([-99.0, -99.0])
    session = aw.Session(model, x)
    assert session.layers == ("conv", "~relu", "drop", "never", "~reduce_mean", "head", "~softmax")
