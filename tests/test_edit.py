"""Resuming from an edited activation: outputs equal those of the model with the edit made by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import act_widgets as aw
from act_widgets.sources import open_source

layers = keras.layers


@pytest.fixture(scope="module")
def digits():
    model, images, labels = aw.samples.digits()
    return model, images[:5], labels


def call_by_hand(model: keras.Model, x: np.ndarray, edited: str, change) -> np.ndarray:
    """Call a flat model layer by layer along Keras's own records, and change one output on the way."""
    values = {}
    for layer in model.layers:
        if isinstance(layer, layers.InputLayer):
            value = tf.constant(x)
        else:
            parents = [t._keras_history.operation.name for t in layer._inbound_nodes[0].input_tensors]
            given = [values[name] for name in parents]
            value = layer(given if len(given) > 1 else given[0], training=False)
        values[layer.name] = change(value) if layer.name == edited else value
    return values[model.layers[-1].name].numpy()


@pytest.mark.parametrize(
    "layer", ["image", "stem_relu", "block1_relu", "block2_bn2", "block3_shortcut", "gap", "predictions"]
)
def test_silenced_channels(digits, layer):
    model, x, _ = digits
    session = aw.Session(model, x)
    last = session.activation(layer).shape[-1] - 1
    mask = np.ones(last + 1, np.float32)
    mask[[0, last]] = 0
    expected = call_by_hand(model, x, layer, lambda value: value * mask)
    edited = session.edit(layer, [0, last])
    np.testing.assert_allclose(edited, expected, rtol=1e-4, atol=1e-6)
    assert np.abs(edited - session.outputs()).max() > 1e-6
    stats = session.stats()
    assert (stats["forward_passes"], stats["resumed_passes"]) == (1, 1)


def test_scaled_swapped_and_exchanged_channels(digits):
    model, x, _ = digits
    session = aw.Session(model, x)
    own = session.activation("block2_relu2")
    twice = call_by_hand(model, x, "block2_relu2", lambda v: tf.concat([v[..., :3] * 2, v[..., 3:]], -1))
    np.testing.assert_allclose(session.edit("block2_relu2", [0, 1, 2], scale=2), twice, rtol=1e-4, atol=1e-6)
    swapped = call_by_hand(
        model, x, "block2_relu2", lambda v: tf.gather(v, [1, 0, *range(2, v.shape[-1])], axis=-1)
    )
    edited = session.edit("block2_relu2", [0, 1], replace=own[..., [1, 0]])
    np.testing.assert_allclose(edited, swapped, rtol=1e-4, atol=1e-6)
    # Everything of another image: its prediction.
    other = session.edit("block2_relu2", replace=own[[3]])
    shortcut_too = np.repeat(session.outputs()[[3]], len(x), axis=0)
    np.testing.assert_allclose(other, shortcut_too, rtol=1e-4, atol=1e-6)


def test_an_edit_leaves_the_model_and_what_is_kept_as_they_were(digits):
    model, x, _ = digits
    session = aw.Session(model, x)
    before = [session.activation("stem_relu").copy(), session.outputs().copy(), model(x).numpy()]
    session.edit("stem_relu", scale=5.0)
    after = [session.activation("stem_relu"), session.outputs(), model(x).numpy()]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


def test_only_what_lies_behind_the_edit_is_computed(digits):
    model, x, _ = digits
    source = open_source(model)
    inputs = source.read_inputs(x)
    known = source.forward(inputs).values
    trace = source.traces.trace(inputs)
    trace.resume(inputs, "block3_conv2", known["block3_conv2"], known)
    graphs = [cut.function.graph for key, cut in trace._cuts.items() if key[-1] == "block3_conv2"]
    kinds = [op.type for op in graphs[0].get_operations()]
    assert "Conv2D" not in kinds
    assert "MatMul" in kinds


def test_a_dropout_and_its_input_are_edited_apart():
    # Dropout hands its input on: both would be one tensor without an identity of their own.
    given = keras.Input((4,), name="given")
    dense = layers.Dense(3, use_bias=False, name="dense")(given)
    dropped = layers.Dropout(0.5, name="dropped")(dense)
    model = keras.Model(given, layers.Add(name="sum")([dense, dropped]))
    x = np.ones((1, 4), np.float32)
    session = aw.Session(model, x)
    np.testing.assert_allclose(session.edit("dropped"), session.outputs() / 2, rtol=1e-6)
    np.testing.assert_allclose(session.edit("dense"), 0 * session.outputs(), atol=1e-9)


def test_nested_shared_and_several_outputs():
    inner_in = keras.Input((3,), name="inner_in")
    inner = keras.Model(inner_in, layers.Dense(3, name="inner_dense")(inner_in), name="tower")
    left, right = keras.Input((3,), name="left"), keras.Input((3,), name="right")
    first, second = inner(left), inner(right)
    model = keras.Model(
        [left, right], {"difference": first - second, "first": layers.Dense(2, name="out")(first)}
    )
    x = [np.ones((2, 3), np.float32), np.full((2, 3), 2, np.float32)]
    session = aw.Session(model, x)
    edited = session.edit("tower#2/inner_dense")
    np.testing.assert_allclose(edited["difference"], inner(x[0]), rtol=1e-5)
    np.testing.assert_array_equal(edited["first"], session.outputs()["first"])
    edited = session.edit("tower/inner_dense")
    np.testing.assert_allclose(edited["difference"], -inner(x[1]).numpy(), rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"layer": "stem_relu", "channels": 99}, ["channels=99", "0 to 15"]),
        ({"layer": "stem_relu", "channels": [0.5]}, ["channels=[0.5]", "integers"]),
        ({"layer": "stem_relu", "scale": "loud"}, ["scale='loud'"]),
        ({"layer": "stem_relu", "replace": np.ones((3, 2))}, ["(3, 2)", "('batch', 8, 8, 16)"]),
        ({"layer": "stem_rel"}, ["'stem_rel'", "'stem_relu'"]),
    ],
)
def test_bad_edits(digits, arguments, words):
    session = aw.Session(*digits[:2])
    with pytest.raises((aw.InputError, aw.UnknownLayerError)) as caught:
        session.edit(**arguments)
    for word in words:
        assert word in str(caught.value)


def test_blocks_of_a_small_cache_give_the_same(digits):
    model, x, _ = digits
    small = aw.Session(model, x, cache_bytes=200_000)
    own = aw.Session(model, x)
    replace = own.activation("block1_relu")[::-1]
    for session in (small, own):
        np.testing.assert_allclose(
            session.edit("block1_relu", replace=replace), own.outputs()[::-1], rtol=1e-4, atol=1e-6
        )
