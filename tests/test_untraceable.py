"""Models whose call decides by values, which no graph can hold: every question is answered all the same."""

from __future__ import annotations

import threading
from itertools import pairwise

import keras
import numpy as np
import pytest
import tensorflow as tf

import act_widgets as aw
from act_widgets.sources import open_source
from act_widgets.sources.other_weights import shuffled
from act_widgets.sources.replay import Replay
from tests.zoo import batch, shaken

from . import independent_attribution as by_hand
from .cards import Cards
from .screen import text_of
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


# --- rules for ReLUs ---


class Gated(Decides):
    """Has ReLUs in a layer's activation and written in several ways, on both sides of its decision."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = layers.Conv2D(4, 3, activation="relu", name="conv")
        self.second = layers.Conv2D(3, 2, name="second")
        self.wide = layers.Dense(6, name="wide")
        self.more = layers.Dense(5, name="more")

    def call(self, x):
        y = tf.nn.relu6(self.second(self.conv(x)))
        y = y * 2 if float(tf.reduce_sum(y)) > 0 else self.never(y)
        y = tf.maximum(np.float32(0), self.wide(tf.reduce_mean(y, [1, 2])))
        return tf.nn.softmax(self.head(keras.ops.maximum(self.more(y), 0.0)))


@pytest.fixture
def gated():
    model, x = Gated(), batch(3, 6, 6, 1)
    model(x)
    return shaken(model), x


def logit_of(model, gates, unit):
    def score(x):
        y = gates.relu6(by_hand.convolve(model.second, gates.relu(by_hand.convolve(model.conv, x))))
        y = gates.relu(by_hand.multiply(model.wide, tf.reduce_mean(2 * y, [1, 2])))
        return by_hand.multiply(model.head, gates.relu(by_hand.multiply(model.more, y)))[:, unit]

    return score


@pytest.mark.parametrize(
    ("method", "gates"), [("guided_backprop", by_hand.GUIDED), ("deconvnet", by_hand.DECONVNET)]
)
def test_rules_for_relus(gated, method, gates):
    model, x = gated
    session = aw.Session(model, x)
    assert isinstance(session.source.traces.trace(session.reader.inputs), Replay)
    found = session.attribution(method, target=1)
    expected, usual = (by_hand.saliency(logit_of(model, g, 1), x).values for g in (gates, by_hand.PLAIN))
    np.testing.assert_allclose(found.values, expected, **CLOSE)
    assert np.abs(expected - usual).max() > 0.01
    assert found.remarks == ()
    np.testing.assert_allclose(session.attribution("saliency", target=1).values, usual, **CLOSE)


class InBranch(Decides):
    def call(self, x):
        y = self.conv(x)
        y = tf.cond(tf.reduce_sum(y) > -1e9, lambda: tf.nn.relu(y), lambda: y)
        return super().call(x) + 0 * tf.reduce_sum(y)


class Differentiates(Decides):
    """Goes on with a gradient, which the rule would change."""

    def call(self, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            energy = tf.reduce_sum(tf.nn.relu(x))
        return super().call(x) + 0 * tf.reduce_sum(tape.gradient(energy, x))


class Recomputes(Decides):
    def call(self, x):
        again = tf.recompute_grad(tf.nn.relu)
        return super().call(x) + 0 * tf.reduce_sum(again(self.conv(x)))


@pytest.mark.parametrize("kind", [InBranch, Differentiates, Recomputes])
@pytest.mark.parametrize("method", ["guided_backprop", "deconvnet"])
def test_a_relu_that_no_rule_reaches_is_refused(kind, method):
    model, x = kind(), batch(2, 6, 6, 1)
    model(x)
    session = aw.Session(shaken(model), x)
    with pytest.raises(aw.ModelError, match="inside a branch, loop or compiled function"):
        session.attribution(method, target=1)


# --- other weights ---


def with_shuffled_weights(kind, model, x, seed):
    other = kind()
    other(x)
    values = shuffled(model, seed)
    for weight, own in zip(other.weights, model.weights, strict=True):
        weight.assign(values[id(own)])
    return other


def test_shuffled_weights(gated):
    model, x = gated
    other = with_shuffled_weights(Gated, model, x, 3)
    session = aw.Session(model, x).shuffled(3)
    np.testing.assert_allclose(session.outputs(), other(x), **CLOSE)
    assert np.abs(session.outputs() - model(x)).max() > 0.01
    np.testing.assert_allclose(session.activation("second"), other.second(other.conv(x)), **CLOSE)
    for method, gates in (("saliency", by_hand.PLAIN), ("guided_backprop", by_hand.GUIDED)):
        expected = by_hand.saliency(logit_of(other, gates, 2), x)
        np.testing.assert_allclose(session.attribution(method, target=2).values, expected.values, **CLOSE)


def test_shuffled_weights_follow_the_model_when_it_is_trained_further(gated):
    model, x = gated
    session = aw.Session(model, x).shuffled(3)
    shaken(model, seed=7)
    assert session.stale
    expected = with_shuffled_weights(Gated, model, x, 3)(x)
    np.testing.assert_allclose(session.outputs(), expected, **CLOSE)


def test_rules_and_other_weights_leave_no_bit_of_the_model_changed(gated):
    model, x = gated
    before, output = [weight.numpy().tobytes() for weight in model.weights], model(x).numpy()
    session = aw.Session(model, x)
    for method in ("guided_backprop", "deconvnet"):
        session.attribution(method, target=1)
    other = session.shuffled()
    for method in ("saliency", "guided_backprop", "occlusion"):
        other.attribution(method, sample=0, target=1)
    assert [weight.numpy().tobytes() for weight in model.weights] == before
    np.testing.assert_array_equal(model(x), output)


class Asked(Decides):
    """Lets another thread use its layers in the middle of its call."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = []

    def call(self, x):
        def use():
            self.seen.append(self.head(tf.ones((1, 2))).numpy())

        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
        return super().call(x)


def test_another_thread_never_sees_the_other_weights():
    model, x = Asked(), batch(3, 6, 6, 1)
    model(x)
    expected = shaken(model).head(tf.ones((1, 2))).numpy()
    session = aw.Session(model, x).shuffled(3)
    model.seen.clear()
    session.refresh()
    assert np.abs(session.activation("head") - aw.Session(model, x).activation("head")).max() > 0.01
    assert model.seen
    for seen in model.seen:
        np.testing.assert_array_equal(seen, expected)


def test_the_trust_panel_compares_with_shuffled_weights(gated):
    cards = Cards(*gated)
    cards.choose("Guided backprop")
    cards.check("Shuffled weights")
    assert cards.alerts() == []
    assert "with all weights shuffled" in text_of(cards.trust._under.value)
    cards.close()


def test_what_is_known_of_a_call_goes_with_the_weights(decides):
    model, x = decides
    bias = model.conv.bias.numpy()
    model.conv.bias.assign([-99.0, -99.0])
    source = open_source(model)
    inputs = source.read_inputs(x)
    source.build(inputs)
    assert "never" in source.explained(inputs)
    model.conv.bias.assign(bias)
    assert "never" not in source.explained(inputs)
