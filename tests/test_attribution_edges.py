"""Attribution where a formula meets the limits of numbers, and models of unusual builds."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import act_widgets as aw

from . import independent_attribution as by_hand
from .independent_attribution import DECONVNET, GUIDED
from .test_attribution_closed_forms import bent_model, channels_first_model
from .test_grad_cam import TWO_CHANNELS, WEIGHTS, pooled_model
from .zoo import batch, build, shaken


@pytest.mark.parametrize("power", [-80, 50])
def test_grad_cam_pp_of_very_small_and_very_large_gradients(power):
    """g = 2^power / 4 in a channel that sums to 0: alpha = 1/2 whatever g is, and the weight 2 g.

    The square of 2^-82 and the cube of 2^48 are beyond float32; alpha = 1 / (2 + sum(A) g) is not.
    """
    scale = np.float32(2.0**power)
    found = aw.attribute(pooled_model(WEIGHTS * scale), TWO_CHANNELS, "grad_cam_pp", layer="maps", target=1)
    np.testing.assert_allclose(found.values[0, ..., 1] / scale, [[2, 0], [0, -2]], rtol=1e-5)
    np.testing.assert_array_equal(found.values[0, ..., 0], 0)


def test_score_cam_of_a_channel_that_is_flat_only_in_the_size_of_the_input():
    """A chessboard of 4 x 4 is 1/2 everywhere on 2 x 2: it masks nothing, and the other has all weight."""
    x = keras.Input((2, 2, 1), name="picture")
    board = (np.indices((4, 4)).sum(0) % 2).astype("float32")[None, ..., None]
    y = layers.UpSampling2D(2, name="large")(x)
    y = layers.Lambda(lambda t: tf.concat([t, 0 * t + board], -1), name="maps")(y)
    model = keras.Model(x, layers.Dense(2, name="out")(layers.GlobalAveragePooling2D(name="gap")(y)))
    picture = np.array([[[[1], [2]], [[3], [4]]]], "float32")
    found = aw.attribute(model, picture, "score_cam", layer="maps", target=0)
    np.testing.assert_allclose(found.values[0, ..., 0], np.kron([[1, 2], [3, 4]], np.ones((2, 2))), rtol=1e-6)
    np.testing.assert_array_equal(found.values[0, ..., 1], 0)


@pytest.mark.parametrize(("layer", "number"), [("tower/relu", 0), ("tower#2/relu", 1)])
def test_score_cam_masks_the_picture_that_a_map_is_made_of(layer, number):
    """Two pictures go through one tower; maps of the second say nothing about the first."""
    model, pair = build("shared_layer")

    def score(picture: Any) -> Any:
        both = [picture if i == number else other for i, other in enumerate(pair)]
        return tf.convert_to_tensor(model(both))[:, 2]

    session = aw.Session(model, pair)
    expected = by_hand.score_cam(score, session.activation(layer), pair[number])
    found = session.attribution("score_cam", layer=layer, target=2)
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-4, atol=1e-6)


# --- ReLUs in graphs of their own ---


class OwnFunction(keras.layers.Layer):
    """A layer whose author compiled its call."""

    @tf.function
    def call(self, x: Any) -> Any:
        return tf.nn.relu(x)


class InBranch(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return tf.cond(tf.reduce_sum(x) > -1e9, lambda: tf.nn.relu(x), lambda: x)


class ForEachSample(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return tf.map_fn(tf.nn.relu, x)


class Compiled(keras.layers.Layer):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function = tf.function(tf.nn.relu, jit_compile=True)

    def call(self, x: Any) -> Any:
        return self.function(x)


class ZeroFirst(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return tf.maximum(0.0, x)


RULES = {"guided_backprop": GUIDED, "deconvnet": DECONVNET}


def gated(kind: type) -> Any:
    x = keras.Input((5,), name="numbers")
    y = kind(name="gate")(layers.Dense(4, name="first")(x))
    return shaken(keras.Model(x, layers.Dense(2, name="out")(y)))


@pytest.mark.parametrize("method", RULES)
@pytest.mark.parametrize("kind", [OwnFunction, ZeroFirst])
def test_a_relu_of_unusual_writing_obeys_the_rule(kind, method):
    model, numbers = gated(kind), batch(3, 5)
    first, out = model.get_layer("first"), model.get_layer("out")

    def score(x: Any) -> Any:
        return by_hand.multiply(out, RULES[method].relu(by_hand.multiply(first, x)))[:, 0]

    found = aw.attribute(model, numbers, method, target=0)
    expected = by_hand.saliency(score, numbers)
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-4, atol=1e-6)


REFUSED = "ReLUs where no other rule reaches them.*inside a branch, loop or compiled function"


@pytest.mark.parametrize("method", RULES)
@pytest.mark.parametrize("kind", [InBranch, ForEachSample, Compiled])
def test_a_relu_that_no_rule_reaches_is_refused(kind, method):
    """Never may the plain gradient be given under another method's name."""
    with pytest.raises(aw.ModelError, match=REFUSED):
        aw.attribute(gated(kind), batch(3, 5), method, target=0)


@pytest.mark.parametrize("method", RULES)
def test_the_relu_of_a_recurrent_layer_is_refused(method):
    x = keras.Input((5, 3), name="steps")
    y = layers.SimpleRNN(4, activation="relu", name="rnn")(x)
    model = shaken(keras.Model(x, layers.Dense(2, name="out")(y)))
    with pytest.raises(aw.ModelError, match=REFUSED):
        aw.attribute(model, batch(3, 5, 3), method, target=0)


# --- layouts and baselines ---


def test_channels_first_behind_a_layer_that_has_no_layout():
    """Rescaling knows no channels: what comes behind it says where they are."""
    x = keras.Input((3, 4, 5), name="picture")
    y = layers.MaxPooling2D(1, data_format="channels_first", name="maps")(layers.Rescaling(2.0)(x))
    model = keras.Model(x, layers.Dense(2, name="out")(layers.Flatten(name="flat")(y)))
    assert aw.attribute(model, batch(2, 3, 4, 5), "saliency", target=0).maps.shape == (2, 4, 5)


def test_a_baseline_of_another_layout_is_told_the_shape_it_should_have():
    model = channels_first_model(np.ones((3, 4, 5, 2), "float32"))
    with pytest.raises(aw.InputError, match=r"Received: \(4, 5, 3\)\. Expected: \(3, 4, 5\)"):
        aw.attribute(
            model,
            batch(1, 3, 4, 5),
            "integrated_gradients",
            target=0,
            baseline=np.zeros((4, 5, 3), "float32"),
        )


def test_a_baseline_equal_to_the_input_gains_nothing_and_misses_nothing():
    x = batch(1, 2, 2, 2)
    found = aw.attribute(pooled_model(), x, "integrated_gradients", target=0, baseline=x[0])
    assert not found.values.any() and found.completeness == 0
    assert found.blank_reason(0)


def test_a_score_that_jumps_ends_at_the_limit_of_steps():
    """S = x + 5 where x > 0.3: no gradient knows of the 5, and no interval is too small to hold the jump."""
    calls = []

    def watched(share: float, words: str) -> None:
        calls.append(share)
        assert len(calls) < 400, f"1024 steps are long used up: {words}"

    found = aw.attribute(
        bent_model(lambda x: x + 5 * tf.cast(x > 0.3, "float32"), (1,)),
        np.ones((1, 1), "float32"),
        "integrated_gradients",
        target=0,
        steps=1024,
        on_progress=watched,
    )
    np.testing.assert_allclose(found.values, [[[1]]], rtol=1e-5)
    np.testing.assert_allclose(found.completeness, [5 / 6], rtol=1e-5)


class Bag(keras.Model):
    """Scores are sums over words of what each is worth; it keeps the words that it was asked about."""

    def __init__(self, worth):
        super().__init__(name="bag")
        self.embedding = layers.Embedding(len(worth), 2, name="embedding")
        self.embedding.build(None)
        self.embedding.embeddings.assign(np.stack([worth, -worth], 1))
        self.seen = set()

    def call(self, words):
        def noted(values):
            self.seen.update(values.reshape(-1).tolist())
            return values

        words = tf.ensure_shape(tf.numpy_function(noted, [words], words.dtype), words.shape)
        return tf.reduce_sum(self.embedding(words), 1)


@pytest.mark.parametrize("stand_in", [None, 5])
@pytest.mark.parametrize("method", ["occlusion", "rise"])
def test_words_are_replaced_as_a_whole_by_one_that_is_told(method, stand_in):
    """No other word is made; a word's part is what the score loses without it, exactly for occlusion."""
    worth = np.array([0.0, 1, 2, 4, 8, 16, 32, 64, 128, 256], np.float32)
    model, sentence = Bag(worth), np.array([[9, 2, 7, 4]], np.int32)
    session = aw.Session(model, sentence)
    model.seen.clear()
    given = {"patch": 1} if method == "occlusion" else {"cells": 4, "masks": 400}
    given |= {} if stand_in is None else {"fill": stand_in}
    found = session.attribution(method, target=0, **given)
    number = stand_in or 0
    assert model.seen <= {9, 2, 7, 4, number}
    assert found.remarks == (f"Words are replaced as a whole, by the number {number}.",)
    lost = worth[sentence] - worth[number]
    if method == "occlusion":
        np.testing.assert_allclose(found.maps, lost)
    else:
        assert np.argsort(found.maps[0]).tolist() == np.argsort(lost[0]).tolist()
    with pytest.raises(aw.InputError, match="number of the word that stands in"):
        session.attribution(method, target=0, fill=0.5)
    model.seen.clear()
    session.perturbation_curve(found)
    assert model.seen <= {9, 2, 7, 4, 0}
