"""Models whose call takes several inputs one by one."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import act_widgets as aw
from act_widgets import testing
from act_widgets.errors import InputError


class Answers(keras.Model):
    """Answers a question about a picture, with or without a hint."""

    def __init__(self):
        super().__init__(name="answers")
        self.see = keras.layers.Conv2D(3, 3, activation="relu", name="see")
        self.pool = keras.layers.GlobalAveragePooling2D(name="pool")
        self.ask = keras.layers.Dense(3, name="ask")
        self.head = keras.layers.Dense(4, activation="softmax", name="head")

    def call(self, picture, question, hint=None, training=False):
        seen = self.pool(self.see(picture)) * self.ask(question)
        return self.head(seen if hint is None else seen + hint)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return Answers()


@pytest.fixture(scope="module")
def given():
    rng = np.random.default_rng(0)
    shapes = (5, 8, 8, 1), (5, 6), (5, 3)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("count", [2, 3])
def test_by_place_and_by_name_are_what_the_call_computes(model, given, count):
    expected = model(*given[:count])
    by_name = dict(zip(("picture", "question", "hint"), given, strict=False))
    by_name = {name: by_name[name] for name in list(by_name)[:count]}
    for inputs in (given[:count], tuple(given[:count]), by_name):
        found = aw.capture(model, inputs)
        np.testing.assert_allclose(found["head"], expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found["see"], model.see(given[0]), rtol=1e-5, atol=1e-6)


def test_attribution_is_the_gradient_of_a_tape(model, given):
    with tf.GradientTape() as tape:
        seen = model.see(given[0])
        tape.watch(seen)
        mixed = model.pool(seen) * model.ask(given[1])
        score = tf.reduce_sum((mixed @ model.head.kernel + model.head.bias)[:, 2])
    slopes = tape.gradient(score, seen).numpy()
    expected = np.maximum((seen.numpy() * slopes.mean((1, 2), keepdims=True)).sum(-1), 0)
    found = aw.attribute(model, given[:2], "grad_cam", layer="see", target=2)
    np.testing.assert_allclose(found.maps, expected, rtol=1e-4, atol=1e-6)
    assert found.scores == "logits"


def test_a_session_edits_and_takes_other_inputs(model, given):
    session = aw.Session(model, {"picture": given[0], "question": given[1]})
    silent = session.edit("ask")
    bias = keras.ops.softmax(model.head.bias)
    np.testing.assert_allclose(silent, np.tile(bias, (5, 1)), rtol=1e-5)
    session.inputs = [given[0][:2], given[1][:2]]
    np.testing.assert_allclose(session.outputs(), model(given[0][:2], given[1][:2]), rtol=1e-5)
    assert len(session.inputs) == 2


def test_the_contract_holds(model, given):
    testing.check_model(model, given[:2])


def test_a_layer_of_several_inputs_is_a_model_too():
    attention = keras.layers.MultiHeadAttention(2, 4, name="attention")
    query, value = np.random.default_rng(0).normal(size=(2, 3, 5, 8)).astype(np.float32)
    session = aw.Session(attention, [query, value])
    np.testing.assert_allclose(session.outputs(), attention(query, value), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda given: given[0], "Received: one ndarray. Expected: a list or tuple of 'picture', 'question'"),
        (lambda given: given[:1], "Received: 1 of them"),
        (lambda given: [*given, given[0]], "Received: 4 of them"),
        (lambda given: {"picture": given[0], "asked": given[1]}, "Received: 'picture', 'asked'"),
        (lambda given: {"picture": given[0]}, "Received: 'picture'. Expected: .* 'question'"),
    ],
)
def test_other_inputs_are_told_what_the_call_takes(model, given, wrong, words):
    with pytest.raises(InputError, match=words):
        aw.Session(model, wrong(given))


class Hinted(keras.Model):
    """Takes its second input by name alone."""

    def __init__(self):
        super().__init__(name="hinted")
        self.first = keras.layers.Dense(3, name="first")
        self.second = keras.layers.Dense(3, name="second")

    def call(self, picture, *, question, factor=1.0):
        return self.first(picture) + factor * self.second(question)


def test_an_input_that_only_its_name_reaches_is_given_by_name():
    rng = np.random.default_rng(0)
    picture, question = rng.normal(size=(2, 5, 4)).astype(np.float32)
    model = Hinted()
    found = aw.capture(model, {"picture": picture, "question": question})
    np.testing.assert_allclose(found["second"], model.second(question), rtol=1e-5)
    for wrong in (picture, [picture, question], {"picture": picture}):
        with pytest.raises(InputError, match="Expected: a dict by the names 'picture', 'question'"):
            aw.Session(model, wrong)
