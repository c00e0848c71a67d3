"""Models of Keras 2 (the package tf_keras), read only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import act_widgets as aw
from act_widgets import testing
from tests.some import some
from tests.zoo import batch, tokens

from . import independent_attribution as by_hand

layers = tf_keras.layers
CLOSE = {"rtol": 1e-4, "atol": 1e-6}
Pair = tuple[Any, Any]


def shaken(model: Any) -> Any:
    rng = np.random.default_rng(1)
    for weight in model.weights:
        values = rng.normal(0, 0.5, weight.shape)
        weight.assign(np.abs(values) + 0.5 if "moving_variance" in weight.name else values)
    return model


def residual() -> Pair:
    x = tf_keras.Input((6, 6, 2), name="image")
    a = layers.Conv2D(3, 3, padding="same", activation="relu", name="left")(x)
    y = layers.Add(name="sum")([a, layers.Conv2D(3, 1, name="right")(x)])
    y = layers.Dropout(0.5, name="drop")(layers.BatchNormalization(name="bn")(y)) * 2.0
    y = layers.GlobalAveragePooling2D(name="gap")(y)
    return shaken(tf_keras.Model(x, layers.Dense(4, activation="softmax", name="out")(y))), batch(3, 6, 6, 2)


def nested() -> Pair:
    inner = tf_keras.Sequential([layers.Conv2D(3, 3, name="conv"), layers.ReLU(name="relu")], name="inner")
    a, b = tf_keras.Input((6, 6, 1), name="a"), tf_keras.Input((6, 6, 1), name="b")
    both = layers.Concatenate(name="both")([inner(a), inner(b)])
    y = layers.Dense(2, name="out")(layers.Flatten(name="flat")(both))
    return shaken(tf_keras.Model([a, b], {"y": y})), [batch(3, 6, 6, 1), batch(3, 6, 6, 1, seed=1)]


class Own(tf_keras.Model):
    def __init__(self) -> None:
        super().__init__(name="own")
        self.conv = layers.Conv2D(2, 3, name="conv")
        self.head = layers.Dense(3, name="head")

    def call(self, x):
        return tf.nn.softmax(self.head(tf.reduce_mean(tf.nn.relu(self.conv(x)), [1, 2])))


def subclassed() -> Pair:
    model, x = Own(), batch(3, 6, 6, 1)
    model(x)
    return shaken(model), x


def recurrent() -> Pair:
    x = tf_keras.Input((5,), dtype="int32", name="words")
    y = layers.Embedding(9, 4, mask_zero=True, name="embed")(x)
    y = layers.Bidirectional(layers.LSTM(3, name="lstm"), name="both_ways")(y)
    return shaken(tf_keras.Model(x, layers.Dense(2, activation="sigmoid", name="out")(y))), tokens(3, 5)


MODELS = {make.__name__: make for make in (residual, nested, subclassed, recurrent)}


@pytest.mark.parametrize("name", some(MODELS, 2))
def test_they_keep_the_contract(name):
    model, x = MODELS[name]()
    testing.check_model(model, x)
    expected = tf.nest.flatten(model(x, training=False))
    for ours, theirs in zip(tf.nest.flatten(aw.Session(model, x).outputs()), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, **CLOSE)


def test_layers_are_read_at_each_call():
    model, (a, b) = nested()
    conv = model.get_layer("inner").get_layer("conv")
    seen = aw.capture(model, [a, b])
    np.testing.assert_allclose(seen["inner/conv"], conv(a), **CLOSE)
    np.testing.assert_allclose(seen["inner#2/conv"], conv(b), **CLOSE)
    np.testing.assert_array_equal(seen["a"], a)


def test_the_explorer_and_a_map():
    model, x = residual()
    attribution = aw.attribute(model, x, layer="left", target=1)
    assert attribution.scores == "logits" and attribution.maps.shape == (3, 6, 6)
    explorer = aw.explore(model, x)
    assert not [view for view in explorer.views if view._alert.value]
    explorer.close()


def test_nothing_of_a_trained_stateful_model_changes():
    x = tf_keras.Input(batch_shape=(3, 5, 2), name="steps")
    y = layers.LSTM(4, stateful=True, name="lstm")(x)
    y = layers.Dense(2, activity_regularizer="l2", name="out")(layers.Dropout(0.5)(y))
    model = tf_keras.Model(x, y)
    steps = batch(3, 5, 2)
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(steps, np.ones((3, 2), np.float32), batch_size=3, epochs=2, verbose=0)
    model(steps)
    before = [v.numpy() for v in [*model.variables, *model.optimizer.variables]]
    losses = [float(loss) for loss in model.losses]
    session = aw.Session(model, steps)
    session.edit("lstm")
    assert session.graph.nodes
    after = [v.numpy() for v in [*model.variables, *model.optimizer.variables]]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)
    assert [float(loss) for loss in model.losses] == losses
    assert "fit" not in model.__dict__ and model.metrics_names == ["loss", "mae"]


def test_changed_weights_are_noticed():
    model, x = residual()
    session = aw.Session(model, x)
    assert not session.stale
    model.get_layer("left").bias.assign([9.0, 0.0, 0.0])
    assert session.stale
    np.testing.assert_allclose(session.activation("left"), model.get_layer("left")(x), **CLOSE)


class Decides(Own):
    def call(self, x):
        y = tf.nn.relu(self.conv(x))
        y = y * 2 if float(tf.reduce_sum(y)) > 0 else y
        return tf.nn.softmax(self.head(tf.reduce_mean(y, [1, 2])))


def test_a_model_that_is_called_takes_rules_for_relus_and_no_other_weights():
    model, x = Decides(), batch(3, 6, 6, 1)
    model(x)
    shaken(model)
    session = aw.Session(model, x)

    def score(x):
        y = tf.nn.conv2d(x, model.conv.kernel, 1, "VALID") + model.conv.bias
        y = tf.reduce_mean(2 * by_hand.GUIDED.relu(y), [1, 2])
        return (y @ model.head.kernel + model.head.bias)[:, 1]

    found = session.attribution("guided_backprop", target=1)
    np.testing.assert_allclose(found.values, by_hand.saliency(score, x).values, **CLOSE)
    with pytest.raises(aw.ModelError, match="Keras 2 takes other weights only if it can be traced"):
        session.shuffled()
