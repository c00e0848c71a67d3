"""Attention weights that a layer keeps to itself are those that it gives when it is asked for them."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import act_widgets as aw
from act_widgets.reading.attention import attention_weights
from act_widgets.testing import check_model

from .zoo import batch, shaken

# Keras says of the inner layers that they pass no mask on.
pytestmark = pytest.mark.filterwarnings("ignore:Layer '.*' .* was passed an input with a mask")

WORDS = np.array([[1, 2, 3, 0, 0], [4, 5, 0, 0, 0]], "int32")
CLOSE = {"rtol": 1e-5, "atol": 1e-6}

MAKERS: dict[str, Callable[[], Any]] = {
    "multi-head": lambda: layers.MultiHeadAttention(2, 3, name="heads"),
    "with dropout": lambda: layers.MultiHeadAttention(2, 3, dropout=0.2, name="heads"),
    "groups of heads": lambda: layers.GroupQueryAttention(3, 4, 2, name="heads"),
    "one head, product": lambda: layers.Attention(name="heads"),
    "one head, sum": lambda: layers.AdditiveAttention(name="heads"),
}
if "sliding_window" in signature(layers.MultiHeadAttention).parameters:  # not yet in Keras 3.12
    MAKERS["sliding window"] = lambda: layers.MultiHeadAttention(2, 3, sliding_window=2, name="heads")


def attended(layer: Any, query: Any, value: Any, **options: Any) -> Any:
    if isinstance(layer, layers.Attention):
        return layer([query, value], **options)
    return layer(query, value, **options)


def as_keras_gives_them(layer: Any, query: Any, value: Any, **options: Any) -> np.ndarray:
    scores = np.asarray(attended(layer, query, value, return_attention_scores=True, **options)[1])
    return scores if scores.ndim == 4 else scores[:, None]


@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
@pytest.mark.parametrize("kind", MAKERS)
def test_self_attention_has_the_weights_that_keras_gives(kind, padded, causal):
    words = keras.Input((5,), dtype="int32", name="words")
    embed, layer = layers.Embedding(9, 8, mask_zero=padded, name="embed"), MAKERS[kind]()
    embedded = embed(words)
    model = keras.Model(words, attended(layer, embedded, embedded, use_causal_mask=causal))
    expected = as_keras_gives_them(
        shaken(model).get_layer("heads"), *[embed(WORDS)] * 2, use_causal_mask=causal
    )
    session = aw.Session(model, WORDS)
    np.testing.assert_allclose(session.attention("heads"), expected, **CLOSE)
    assert session.stats()["forward_passes"] == 1
    if padded and isinstance(layer, layers.MultiHeadAttention):
        assert expected[1, :, 0, 1:].any() != causal and not expected[1, :, 0, 2:].any()


@pytest.mark.parametrize("kind", MAKERS)
def test_cross_attention_has_as_many_keys_as_the_other_sequence(kind):
    steps, words = keras.Input((4, 8), name="steps"), keras.Input((5,), dtype="int32", name="words")
    embed, layer = layers.Embedding(9, 8, mask_zero=True, name="embed"), MAKERS[kind]()
    model = shaken(keras.Model([steps, words], attended(layer, steps, embed(words))))
    given = batch(2, 4, 8)
    expected = as_keras_gives_them(layer, given, embed(WORDS))
    found = aw.Session(model, [given, WORDS]).attention("heads")
    assert found.shape[2:] == (4, 5)
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_a_mask_given_by_the_caller_counts():
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.heads = layers.MultiHeadAttention(2, 3, name="heads")

        def call(self, x: Any) -> Any:
            even = keras.ops.reshape(keras.ops.arange(25), (1, 5, 5)) % 2 == 0
            return self.heads(x, x, attention_mask=even)

    model, x = Own(), batch(2, 5, 4)
    model(x)
    found = aw.Session(shaken(model), x).attention("heads")
    even = (np.arange(25) % 2 == 0).reshape(5, 5)
    assert not found[:, :, ~even].any() and found[:, :, even].all()
    np.testing.assert_allclose(
        found, as_keras_gives_them(model.heads, x, x, attention_mask=even[None]), **CLOSE
    )


def test_the_weights_are_the_same_once_the_model_is_traced():
    words = keras.Input((5,), dtype="int32", name="words")
    embedded = layers.Embedding(9, 8, mask_zero=True, name="embed")(words)
    y = attended(layers.MultiHeadAttention(2, 3, name="heads"), embedded, embedded, use_causal_mask=True)
    y = attended(layers.Attention(name="one"), y, embedded)
    model = shaken(keras.Model(words, layers.Dense(3, name="out")(layers.Flatten(name="flat")(y))))
    first = aw.Session(model, WORDS)
    before = {name: first.attention(name) for name in ("heads", "one")}
    assert first.graph.nodes
    again = aw.Session(model, WORDS)
    for name, weights in before.items():
        np.testing.assert_allclose(again.attention(name), weights, **CLOSE)
    check_model(model, WORDS)


def test_a_mask_is_a_tensor_of_the_model_like_any_other():
    """Letting every word look everywhere is an edit, and the model answers otherwise."""
    words = keras.Input((5,), dtype="int32", name="words")
    embedded = layers.Embedding(9, 8, mask_zero=True, name="embed")(words)
    y = attended(layers.MultiHeadAttention(2, 3, name="heads"), embedded, embedded)
    model = shaken(keras.Model(words, layers.Dense(3, name="out")(layers.Flatten(name="flat")(y))))
    session = aw.Session(model, WORDS)
    mask = session.activation("heads/~mask")
    assert mask.dtype == bool and mask.sum() == 3 * 3 + 2 * 2
    everywhere = session.edit("heads/~mask", replace=np.ones((2, 5, 5)))
    assert not np.allclose(everywhere, session.outputs(), atol=1e-3)
    edges = {(edge.source, edge.target) for edge in session.graph.edges}
    assert {("words", "heads/~mask"), ("heads/~mask", "heads/attention_output")} <= edges


def test_weights_that_a_layer_returns_have_heads_for_channels():
    given = keras.Input((5, 4), name="steps")
    y, scores = layers.MultiHeadAttention(2, 3, name="heads")(given, given, return_attention_scores=True)
    session = aw.Session(shaken(keras.Model(given, [y, scores])), batch(2, 5, 4))
    assert session.tap("heads:1").channels == 2
    np.testing.assert_array_equal(session.attention("heads"), session.activation("heads:1"))


def test_by_hand():
    """Two queries and two keys of size 4: the products are 2 and 0, halved by the root of the size."""
    query = np.array([[[1, 1, 0, 0]], [[0, 0, 0, 0]]], "float32")
    key = np.array([[[1, 1, 5, 5]], [[0, 0, 5, 5]]], "float32")
    e = np.exp(1)
    np.testing.assert_allclose(
        attention_weights(query, key)[0], [[e / (e + 1), 1 / (e + 1)], [0.5, 0.5]], **CLOSE
    )
    mask = np.array([[False, True], [False, False]])
    np.testing.assert_allclose(attention_weights(query, key, mask)[0], [[0, 1], [0, 0]], **CLOSE)


def test_a_layer_without_attention_says_so():
    given = keras.Input((5, 4), name="steps")
    session = aw.Session(keras.Model(given, layers.Dense(3, name="dense")(given)), batch(2, 5, 4))
    with pytest.raises(aw.LayerKindError, match=r"'dense' has no attention weights\. Received: .*Dense"):
        session.attention("dense")
