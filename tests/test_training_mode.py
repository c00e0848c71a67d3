"""The model as it is called in training, on demand: batch statistics, dropout, gradients through both."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import act_widgets as aw
from tests.zoo import batch, shaken

from .zoo import gradient_of

layers = keras.layers
CLOSE = {"rtol": 1e-4, "atol": 1e-6}


@pytest.fixture
def normalised():
    x = keras.Input((6, 6, 2), name="image")
    y = layers.BatchNormalization(name="bn")(layers.Conv2D(3, 3, name="conv")(x))
    y = layers.GlobalAveragePooling2D(name="gap")(layers.Activation("tanh", name="tanh")(y))
    return shaken(keras.Model(x, layers.Dense(4, name="out")(y))), batch(5, 6, 6, 2)


@pytest.fixture
def dropping():
    x = keras.Input((200,), name="x")
    y = layers.Dropout(0.5, seed=3, name="drop")(layers.Dense(200, name="dense")(x))
    return shaken(keras.Model(x, layers.Dense(2, name="out")(y))), batch(4, 200)


def by_batch_statistics(model, x):
    """Return the output of batch normalisation by the formula, and that of the whole model."""
    conv = model.get_layer("conv")(x)
    bn = model.get_layer("bn")
    mean, variance = tf.nn.moments(conv, [0, 1, 2])
    normal = (conv - mean) / tf.sqrt(variance + bn.epsilon) * bn.gamma.value + bn.beta.value
    return normal, model.get_layer("out")(tf.reduce_mean(tf.tanh(normal), [1, 2]))


@pytest.mark.parametrize("budget", [None, 10_000], ids=["all kept", "small cache"])
def test_batch_normalisation_by_the_statistics_of_the_whole_batch(normalised, budget):
    model, x = normalised
    normal, outputs = by_batch_statistics(model, x)
    session = aw.Session(model, x, training=True, cache_bytes=budget)
    np.testing.assert_allclose(session.activation("bn"), normal, **CLOSE)
    np.testing.assert_allclose(session.outputs(), outputs, **CLOSE)
    assert np.abs(aw.capture(model, x)["bn"] - normal).max() > 0.1, "inference looks the same"
    np.testing.assert_array_equal(aw.capture(model, x, training=True)["bn"], session.activation("bn"))


def test_gradients_see_that_samples_share_statistics(normalised):
    model, x = normalised
    conv = tf.constant(model.get_layer("conv")(x))
    bn = model.get_layer("bn")
    with tf.GradientTape() as tape:
        tape.watch(conv)
        mean, variance = tf.nn.moments(conv, [0, 1, 2])
        normal = (conv - mean) / tf.sqrt(variance + bn.epsilon) * bn.gamma.value + bn.beta.value
        score = model.get_layer("out")(tf.reduce_mean(tf.tanh(normal), [1, 2]))[2, 1]
    expected = tape.gradient(score, conv)[2]
    session = aw.Session(model, x, training=True)
    np.testing.assert_allclose(gradient_of(session, "conv", 2, 1), expected, **CLOSE)


def test_one_dropout_mask_holds_for_every_question(dropping):
    model, x = dropping
    session = aw.Session(model, x, training=True)
    dense, dropped = session.activation("dense"), session.activation("drop")
    kept = dropped != 0
    assert 0.4 < kept.mean() < 0.6
    np.testing.assert_allclose(dropped[kept], 2 * dense[kept], **CLOSE)
    # The gradient passes where the shown mask let the activation pass, and nowhere else.
    gradient = gradient_of(session, "dense", 1, 0)
    weights = np.asarray(model.get_layer("out").kernel.value)[:, 0]
    np.testing.assert_allclose(gradient, np.where(kept[1], 2 * weights, 0), **CLOSE)
    # Compiled passes draw the same numbers as the first, eager one.
    again = aw.Session(model, x, training=True)
    np.testing.assert_allclose(again.activation("drop"), dropped, **CLOSE)
    np.testing.assert_allclose(session.edit("dense", scale=1.0), session.outputs(), **CLOSE)


def test_other_random_numbers_are_noticed(dropping):
    model, x = dropping
    session = aw.Session(model, x, training=True)
    before = session.activation("drop")
    assert not session.stale
    model(x, training=True)  # draws, and moves the seed on
    assert session.stale
    assert (session.activation("drop") != before).mean() > 0.3
    assert not aw.Session(model, x).stale


def test_statistics_and_seeds_stay(normalised, dropping):
    for model, x in (normalised, dropping):
        before = [np.asarray(v.value).copy() for v in model.variables]
        session = aw.Session(model, x, training=True)
        session.attribution(target=1) if "conv" in session.layers else session.edit("dense")
        for variable, value in zip(model.variables, before, strict=True):
            np.testing.assert_array_equal(variable.value, value)


def test_stateful_layers_are_read_with_their_whole_batch():
    x = keras.Input(batch_shape=(3, 5, 2), name="steps")
    y = layers.LSTM(4, stateful=True, return_sequences=True, name="lstm")(x)
    model = shaken(keras.Model(x, layers.Dense(2, name="out")(layers.Flatten(name="flat")(y))))
    steps = batch(3, 5, 2)
    gradient = gradient_of(aw.Session(model, steps), "lstm", 1, 0)
    weights = np.asarray(model.get_layer("out").kernel.value)[:, 0]
    np.testing.assert_allclose(gradient, weights.reshape(5, 4), **CLOSE)
    assert not np.asarray(model.get_layer("lstm").states[0]).any(), "the state moved on"


def test_the_explorer_says_so(normalised):
    model, x = normalised
    explorer = aw.explore(model, x, training=True)
    assert "called as in training" in explorer._head.value
    explorer.close()


class AlwaysOn(layers.Layer):
    """Doubles in training mode, which it takes for granted."""

    def call(self, x, training=True):
        return x * 2 if training else x


class Undecided(keras.Model):
    """Leaves the mode to its layers."""

    def __init__(self):
        super().__init__()
        self.first, self.second = AlwaysOn(name="first"), AlwaysOn(name="second")

    def call(self, x, training=None):
        return self.second(self.first(x, training=None), training=None)


class MustBeTold(layers.Layer):
    """Has no mode of its own to fall back on."""

    def __init__(self) -> None:
        super().__init__(name="told")
        self.dense = layers.Dense(3, name="dense")

    def call(self, x, training):
        return self.dense(x) * (2.0 if training else 1.0)


@pytest.mark.parametrize("training", [False, True])
def test_a_layer_that_must_be_told_the_mode_is_told(training):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2, name="out")(MustBeTold()(inputs, training=False)))
    x = np.ones((2, 4), np.float32)
    expected = model(x, training=training)
    np.testing.assert_array_equal(aw.capture(model, x, training=training)["out"], expected)
    session = aw.Session(model, x, training=training)
    assert "told/dense" in {node.address for node in session.graph.nodes}
    assert session.attribution("saliency").maps.any()


def test_a_mode_of_none_is_handed_on_as_it_is():
    model, x = Undecided(), np.ones((2, 3), np.float32)
    expected = model(x, training=False)
    np.testing.assert_array_equal(aw.capture(model, x)["second"], expected)
