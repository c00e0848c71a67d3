"""Every layer's numbers, against computations that share no code with the package."""

from __future__ import annotations

import collections
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import act_widgets as aw
from act_widgets.sources.keras_model import KerasSource

from .zoo import ZOO, arrays_of, batch, build, digits, gradient_of

CLOSE = {"rtol": 1e-4, "atol": 1e-5}
IN_THE_LOOP = "it is called once per time step, inside the loop of its layer"


def assert_captured(model: Any, inputs: Any, expected: dict[str, Any]) -> None:
    """Exactly these addresses in this order with these numbers, read eagerly and from the trace."""
    eager = aw.capture(model, inputs)
    aw.graph(model, inputs)
    for captured in (eager, aw.capture(model, inputs)):
        assert list(captured) == list(expected)
        for address, value in expected.items():
            np.testing.assert_allclose(captured[address], np.asarray(value), err_msg=address, **CLOSE)


# --- against an independent computation ---


def test_every_layer_of_the_digits_model():
    model, images, _ = digits()
    inner = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    reference = keras.Model(model.input, [layer.output for layer in inner])(images, training=False)
    names = [layer.name for layer in inner]
    expected = {"image": images, **dict(zip(names, arrays_of(reference), strict=True))}
    assert len(expected) > 10
    assert_captured(model, images, expected)


def test_operators_between_layers_have_addresses():
    model, x = build("functional_sum")
    call = model.get_layer
    left, right = call("left")(x), call("right")(x)
    total = left + right
    plus = next(operation.name for operation in model.operations if type(operation).__name__ == "Add")
    normed = call("bn")(total, training=False)
    pooled = tf.reduce_mean(normed, [1, 2])
    assert_captured(
        model,
        x,
        {
            "image": x,
            "left": left,
            "right": right,
            plus: total,
            "drop": total,
            "bn": normed,
            "gap": pooled,
            "out": call("out")(pooled),
        },
    )


def test_nested_models_are_read_to_their_innermost_layer():
    model, x = build("nested_two_deep")
    conv = model.get_layer("middle").get_layer("inner").get_layer("conv")(x)
    relu = np.maximum(conv, 0)
    pooled = relu.mean((1, 2))
    assert_captured(
        model,
        x,
        {
            "image": x,
            "middle/inner/conv": conv,
            "middle/inner": conv,
            "middle/relu": relu,
            "middle": relu,
            "gap": pooled,
            "out": model.get_layer("out")(pooled),
        },
    )


def test_a_subclassed_model_and_the_second_call_of_its_layer():
    model, x = build("subclassed")
    captured = aw.capture(model, x)
    first = np.asarray(model.conv(x))
    positive = np.maximum(first, 0)
    second = np.asarray(model.conv(positive))
    mixed = model.block.get_layer("mix")(np.sin(second) + 0.5 * positive)
    block = np.maximum(mixed, 0)
    scores = np.asarray(model.head(block.mean((1, 2))))
    assert_captured(
        model,
        x,
        {
            "conv": first,
            "~relu": positive,
            "conv#2": second,
            "~sin": np.sin(second),
            "~multiply": 0.5 * positive,
            "~add": np.sin(second) + 0.5 * positive,
            "block/mix": mixed,
            "block/relu": block,
            "block": block,
            "~reduce_mean": block.mean((1, 2)),
            "head": scores,
            "~softmax": np.exp(scores) / np.exp(scores).sum(-1, keepdims=True),
        },
    )
    assert np.abs(captured["conv"] - captured["conv#2"]).max() > 0.1


def test_a_shared_layer_is_read_at_each_of_its_calls():
    model, (a, b) = build("shared_layer")
    conv = model.get_layer("tower").get_layer("conv")
    at, bt = conv(a), conv(b)
    ar, br = np.maximum(at, 0), np.maximum(bt, 0)
    both = np.concatenate([ar, br], -1)
    expected = {"first": a, "second": b, "tower/conv": at, "tower/relu": ar, "tower": ar}
    expected |= {"tower#2/conv": bt, "tower#2/relu": br, "tower#2": br, "both": both}
    expected |= {"gap": both.mean((1, 2)), "out": model.get_layer("out")(both.mean((1, 2)))}
    assert_captured(model, [a, b], expected)


def test_dictionaries_in_and_out():
    model, x = build("dict_to_dict")
    maps = np.asarray(model.get_layer("conv")(x["image"]))
    both = np.concatenate([maps.mean((1, 2)), x["number"]], -1)
    captured = aw.capture(model, x)
    expected = {"image": x["image"], "number": x["number"], "conv": maps, "gap": maps.mean((1, 2))}
    expected |= {"both": both, "relu": np.maximum(maps, 0)}
    expected |= {"kind": model.get_layer("kind")(both), "age": model.get_layer("age")(both)}
    assert set(captured) == set(expected)
    for address, value in expected.items():
        np.testing.assert_allclose(captured[address], value, err_msg=address, **CLOSE)


def test_the_states_of_a_recurrent_layer_are_outputs_of_their_own():
    model, x = build("recurrent")
    sequence, hidden, cell = model.get_layer("lstm")(x)
    both = model.get_layer("both_ways")
    forward, backward = both.forward_layer(sequence), both.backward_layer(sequence)
    ways = np.concatenate([forward, backward], -1)
    joined = np.concatenate([ways, hidden, cell], -1)
    assert_captured(
        model,
        x,
        {
            "steps": x,
            "lstm": sequence,
            "lstm:1": hidden,
            "lstm:2": cell,
            "both_ways/forward_gru": forward,
            "both_ways/backward_gru": backward,
            "both_ways": ways,
            "joined": joined,
            "out": model.get_layer("out")(joined),
        },
    )


def test_what_is_hidden_in_the_loop_of_a_recurrent_layer_is_named():
    model, x = build("recurrent")
    assert aw.Session(model, x).unreachable == {
        "lstm/lstm_cell": IN_THE_LOOP,
        "both_ways/forward_gru/gru_cell": IN_THE_LOOP,
        "both_ways/backward_gru/gru_cell": IN_THE_LOOP,
    }


def test_what_is_hidden_is_named_under_each_call_of_a_shared_model():
    tower = keras.Sequential([keras.Input((4, 2)), layers.LSTM(3, name="lstm")], name="tower")
    a, b = keras.Input((4, 2)), keras.Input((4, 2))
    session = aw.Session(keras.Model([a, b], tower(a) + tower(b)), [batch(2, 4, 2), batch(2, 4, 2, seed=1)])
    hidden = {"tower/lstm/lstm_cell": IN_THE_LOOP, "tower#2/lstm/lstm_cell": IN_THE_LOOP}
    assert session.unreachable == hidden
    assert not set(session.layers) & set(hidden)


def test_the_projections_inside_attention():
    model, x = build("attention")
    captured = aw.capture(model, x)
    heads = model.get_layer("heads")
    values = {w.path.split("heads/")[1]: np.asarray(w.value) for w in heads.weights}
    for name in ("query", "key", "value"):
        by_hand = np.einsum("btc,chd->bthd", x, values[f"{name}/kernel"]) + values[f"{name}/bias"]
        np.testing.assert_allclose(captured[f"heads/{name}"], by_hand, **CLOSE)
    logits = np.einsum("bqhd,bkhd->bhqk", captured["heads/query"], captured["heads/key"]) / 3**0.5
    weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    seen = np.einsum("bhqk,bkhd->bqhd", weights, captured["heads/value"])
    out = np.einsum("bqhd,hdc->bqc", seen, values["attention_output/kernel"])
    np.testing.assert_allclose(captured["heads"], out + values["attention_output/bias"], **CLOSE)
    np.testing.assert_allclose(captured["sum"], x + captured["heads"], **CLOSE)


def test_a_lambda_layer():
    model, x = build("with_lambda")
    captured = aw.capture(model, x)
    np.testing.assert_allclose(captured["twice"], 2 * np.abs(captured["conv"]), **CLOSE)
    np.testing.assert_array_equal(captured["flat"], captured["twice"].reshape(3, -1))


def test_half_precision_is_given_as_float32_with_the_values_of_the_layer():
    model, x = build("mixed_precision")
    captured = aw.capture(model, x)
    conv = model.get_layer("conv")(x)
    assert conv.dtype == "float16"
    assert aw.Session(model, x).tap("conv").dtype == "float16"
    assert {array.dtype for array in captured.values()} == {np.dtype("float32")}
    np.testing.assert_array_equal(captured["conv"], np.asarray(conv, "float32"))


def test_masked_steps_do_not_count():
    model, words = build("tokens_with_mask")
    assert (words[0] == 0).sum() == 2 and (words[1] == 0).sum() == 4
    captured = aw.capture(model, words)
    table = np.asarray(model.get_layer("embed").embeddings.value)
    np.testing.assert_array_equal(captured["embed"], table[words])
    for sample, length in enumerate((3, 1, 5)):
        alone = model.get_layer("lstm")(table[words[sample : sample + 1, :length]])
        np.testing.assert_allclose(captured["lstm"][sample], alone[0], **CLOSE)


def test_masks_travel_through_a_subclassed_model():
    class Reads(keras.Model):
        def __init__(self):
            super().__init__()
            self.embed = layers.Embedding(9, 4, mask_zero=True, name="embed")
            self.pass_on = layers.Dropout(0.5, name="drop")
            self.lstm = layers.LSTM(3, name="lstm")

        def call(self, words):
            return self.lstm(self.pass_on(self.embed(words)))

    words = np.array([[3, 1, 4, 0, 0], [5, 0, 0, 0, 0]], "int32")
    model = Reads()
    eager = aw.capture(model, words)["lstm"]
    aw.graph(model, words)
    for sample, length in enumerate((3, 1)):
        alone = model.lstm(model.embed(words[sample : sample + 1, :length]))
        for captured in (eager, aw.capture(model, words)["lstm"]):
            np.testing.assert_allclose(captured[sample], alone[0], **CLOSE)


def test_an_embedding_of_positions_is_no_batch():
    model, x = build("positions_shared_by_samples")
    encode = model.get_layer("encode")
    table = np.asarray(encode.places.embeddings.value)
    captured = aw.capture(model, x)
    np.testing.assert_array_equal(captured["encode/places"], table[None])
    np.testing.assert_allclose(captured["encode"], np.asarray(encode.project(x)) * table, **CLOSE)


def test_outputs_in_an_ordered_dictionary_keep_their_names():
    class Pairs(keras.Model):
        def __init__(self):
            super().__init__()
            self.pair = Pair(name="pair")

        def call(self, x):
            return self.pair(x)["more"] * 1.0

    class Pair(keras.layers.Layer):
        def call(self, x):
            return collections.OrderedDict(more=x + 1, less=x - 1)

    captured = aw.capture(Pairs(), np.zeros((1, 2), "float32"))
    assert captured["pair:more"].tolist() == [[1, 1]]
    assert captured["pair:less"].tolist() == [[-1, -1]]


# --- the whole zoo ---


@pytest.mark.parametrize("name", ZOO)
def test_reading_from_the_trace_equals_reading_eagerly(name):
    model, x = build(name)
    session = aw.Session(model, x)
    source, inputs = session.source, session.reader.inputs
    eager = source.forward(inputs)
    assert session.graph.nodes
    traced = source.forward(inputs)
    assert list(eager.taps.values()) == list(traced.taps.values())
    assert list(eager.values) == list(traced.values)
    assert eager.unreachable == traced.unreachable
    for address, value in eager.values.items():
        assert value.dtype == traced.values[address].dtype
        tolerance = 2e-3 if name == "mixed_precision" else 1e-5
        np.testing.assert_allclose(
            value, traced.values[address], rtol=tolerance, atol=tolerance, err_msg=address
        )


@pytest.mark.parametrize("name", ZOO)
def test_outputs_are_what_the_model_returns(name):
    model, x = build(name)
    eager = aw.Session(model, x)
    eager.outputs()
    assert eager.graph.nodes
    traced = aw.Session(model, x)
    expected = model(x, training=False)
    for session in (eager, traced):
        keras.tree.assert_same_structure(session.outputs(), expected)
        for ours, theirs in zip(keras.tree.flatten(session.outputs()), arrays_of(expected), strict=True):
            np.testing.assert_allclose(ours, theirs, **CLOSE)


@pytest.mark.parametrize("name", ZOO)
def test_a_layer_looks_the_same_for_one_sample_as_in_the_batch(name):
    model, x = build(name)
    batched = aw.Session(model, x)
    for sample in (0, 2):
        alone = aw.Session(model, keras.tree.map_structure(lambda a, s=sample: a[s : s + 1], x))
        for layer in batched.layers:
            np.testing.assert_allclose(
                batched.reader.sample_activation(layer, sample),
                alone.activation(layer)[0],
                rtol=2e-3 if name == "mixed_precision" else 1e-4,
                atol=1e-3 if name == "mixed_precision" else 1e-5,
                err_msg=layer,
            )


def test_channels_first_layers_know_their_channel_axis():
    x = keras.Input((2, 6, 6), name="image")
    y = layers.MaxPooling2D(2, data_format="channels_first", name="pool")(x)
    y = layers.Activation("relu", name="relu")(y)
    y = layers.Flatten(name="flat", data_format="channels_first")(y)
    session = aw.Session(keras.Model(x, layers.Dense(2, name="out")(y)), batch(1, 2, 6, 6))
    assert [session.tap(name).channels for name in ("pool", "relu", "flat", "out")] == [2, 2, 18, 2]
    assert session.tap("relu").spatial == (3, 3)


# --- names ---


def test_the_unique_end_of_an_address_is_enough():
    model, x = build("nested_two_deep")
    captured = aw.capture(model, x, "conv")
    assert list(captured) == ["middle/inner/conv"]
    np.testing.assert_array_equal(captured["conv"], captured["inner/conv"])


def test_a_mapping_answers_like_a_mapping():
    model, images, _ = digits()
    captured = aw.capture(model, images[:1])
    assert captured.get("no_such_layer") is None
    assert captured.get("gap") is captured["gap"]
    nested = aw.capture(*build("nested_two_deep"))
    assert "conv" in nested and "no_such_layer" not in nested


def test_chosen_layers_come_in_call_order():
    model, images, _ = digits()
    assert list(aw.capture(model, images[:1], ["gap", "stem_conv", "gap"])) == ["stem_conv", "gap"]


# --- one trace for many questions ---


def test_other_images_of_the_same_shape_trace_nothing():
    runs: list[bool] = []

    class Counted(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv = layers.Conv2D(2, 3, name="conv")
            self.head = layers.Dense(3, activation="softmax", name="head")

        def call(self, x):
            runs.append(tf.executing_eagerly())
            return self.head(tf.reduce_mean(self.conv(x), [1, 2]))

    model = Counted()
    aw.attribute(model, batch(2, 6, 6, 1))
    source = KerasSource(model)
    trace = source.traces.trace(source.read_inputs(batch(2, 6, 6, 1)))
    seen = len(runs)
    for size in (1, 2, 4):
        x = batch(size, 6, 6, 1, seed=size)
        np.testing.assert_allclose(aw.capture(model, x)["conv"], model.conv(x), **CLOSE)
        aw.attribute(model, x, target=1)
        assert aw.graph(model, x).nodes
        assert KerasSource(model).traces.trace(source.read_inputs(x)) is trace
    assert len(runs) == seen


def test_another_picture_size_is_another_trace_with_its_own_numbers():
    x = keras.Input((None, None, 1), name="image")
    y = layers.GlobalAveragePooling2D(name="gap")(layers.Conv2D(2, 3, name="conv")(x))
    model = keras.Model(x, layers.Dense(2, activation="softmax", name="out")(y))
    for side in (5, 8, 5):
        assert aw.attribute(model, batch(2, side, side, 1)).maps.shape == (2, side - 2, side - 2)


def test_models_that_need_their_batch_size_are_read_at_any():
    class Sized(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv = layers.Conv2D(2, 3, name="conv")
            self.head = layers.Dense(3, activation="softmax", name="head")

        def call(self, x):
            y = self.conv(x)
            return self.head(tf.reshape(y, [int(y.shape[0]), 4 * 4 * 2]))

    model = Sized()
    for size in (3, 2, 5):
        x = batch(size, 6, 6, 1, seed=size)
        session = aw.Session(model, x)
        assert session.graph.nodes
        session.refresh()
        np.testing.assert_allclose(session.activation("conv"), model.conv(x), **CLOSE)
        np.testing.assert_allclose(session.outputs(), model(x), **CLOSE)
        gradient = gradient_of(session, "conv", 1, 2)
        assert gradient.shape == (4, 4, 2) and np.abs(gradient).max() > 0


def test_a_sequential_model_takes_other_batches_than_the_one_it_was_built_with():
    """Keras writes the first batch's size into the model's inputs, and takes any size all the same."""
    model, x = build("sequential_never_built")
    model(x)
    assert model.inputs[0].shape[0] == 3
    for size in (1, 2, 3, 5):
        other = batch(size, 6, 6, 2, seed=size)
        np.testing.assert_allclose(aw.capture(model, other)["out"], model(other), **CLOSE)
        assert aw.attribute(model, other, target=0).maps.shape == (size, 4, 4)
    assert aw.graph(model).nodes


def test_lora_added_after_a_look_is_seen():
    x = keras.Input((4,), name="features")
    model = keras.Model(x, layers.Dense(3, name="dense")(x))
    data = batch(2, 4)
    aw.graph(model, data)
    model.get_layer("dense").enable_lora(2)
    model.get_layer("dense").lora_kernel_b.assign(np.ones((2, 3)))
    np.testing.assert_allclose(aw.capture(model, data)["dense"], model(data), **CLOSE)


# --- real networks ---


@pytest.fixture(scope="module")
def backbone():
    keras.utils.set_random_seed(0)
    return keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, include_top=False, weights=None)


def test_a_mobilenet_under_a_new_head(backbone):
    image = keras.Input((96, 96, 3), name="image")
    y = layers.GlobalAveragePooling2D(name="gap")(backbone(image))
    model = keras.Model(image, layers.Dense(5, activation="softmax", name="out")(y))
    x = batch(1, 96, 96, 3)
    inner = [layer.name for layer in backbone.layers[1:]]
    captured = aw.capture(model, x)
    prefix = backbone.name
    # A padding layer calls an operation of Keras, which is listed inside it.
    own = [address for address in captured if "~" not in address]
    assert own == ["image", *(f"{prefix}/{n}" for n in inner), prefix, "gap", "out"]
    assert set(captured) - set(own) == {f"{prefix}/{n}/~pad" for n in inner if n.endswith("_pad")}
    some = ["Conv1_relu", "block_3_project_BN", "block_5_add", "block_16_depthwise", "out_relu"]
    reference = keras.Model(backbone.input, [backbone.get_layer(name).output for name in some])
    for name, value in zip(some, reference(x, training=False), strict=True):
        np.testing.assert_allclose(captured[f"{prefix}/{name}"], value, err_msg=name, **CLOSE)


def test_a_mobilenet_inside_a_subclassed_model(backbone):
    class Classifier(keras.Model):
        def __init__(self):
            super().__init__()
            self.backbone = backbone
            self.head = layers.Dense(5, name="head")

        def call(self, x):
            return self.head(tf.reduce_mean(self.backbone(x / 2.0, training=False), [1, 2]))

    x = batch(1, 96, 96, 3)
    captured = aw.capture(Classifier(), x)
    assert {f"{backbone.name}/{layer.name}" for layer in backbone.layers[1:]} < set(captured)
    deep = keras.Model(backbone.input, backbone.get_layer("block_12_project").output)
    np.testing.assert_allclose(captured["block_12_project"], deep(x / 2, training=False), **CLOSE)
