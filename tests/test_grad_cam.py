"""Grad-CAM against numbers worked out by hand and against gradient tapes."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import act_widgets as aw

from .zoo import batch, build, digits

# One sample, 2 x 2 positions, 2 channels: the channels are [[1, 2], [3, 4]] and [[4, 0], [0, -4]].
TWO_CHANNELS = np.array([[[[1, 4], [2, 0]], [[3, 0], [4, -4]]]], "float32")
WEIGHTS = np.array([[1.0, -0.5], [0.5, 1.0]], "float32")  # channels x classes


def pooled_model(weights: np.ndarray = WEIGHTS, activation: Any = None, name: str = "maps") -> Any:
    """Maps, their means, and one dense layer: here Grad-CAM is the class activation map itself."""
    x = keras.Input((2, 2, weights.shape[0]), name="picture")
    y = layers.Activation("linear", name=name)(x)
    y = layers.GlobalAveragePooling2D(name="gap")(y)
    dense = layers.Dense(weights.shape[1], use_bias=False, activation=activation, name="out")
    model = keras.Model(x, dense(y))
    dense.set_weights([weights])
    return model


# --- worked out by hand ---


def test_before_pooling_and_one_dense_layer_grad_cam_is_cam():
    """y_c = sum_k w_kc mean(A_k), so alpha_k = w_kc / 4 and the map is relu(sum_k w_kc A_k) / 4."""
    first = aw.attribute(pooled_model(), TWO_CHANNELS, layer="maps", target=0)
    # 1 [[1, 2], [3, 4]] + 1/2 [[4, 0], [0, -4]] = [[3, 2], [3, 2]]
    np.testing.assert_allclose(first.maps, [[[0.75, 0.5], [0.75, 0.5]]], rtol=1e-6)
    second = aw.attribute(pooled_model(), TWO_CHANNELS, layer="maps", target=1)
    # -1/2 [[1, 2], [3, 4]] + 1 [[4, 0], [0, -4]] = [[3.5, -1], [-1.5, -6]]
    np.testing.assert_allclose(second.maps, [[[0.875, 0], [0, 0]]], rtol=1e-6)
    np.testing.assert_allclose(second.values[0, ..., 0], [[-0.125, -0.25], [-0.375, -0.5]], rtol=1e-6)
    np.testing.assert_allclose(second.values[0, ..., 1], [[1, 0], [0, -1]], rtol=1e-6)


def test_the_weight_of_a_channel_is_the_mean_of_its_gradient():
    """y = A_00^2 / 2 has the gradient A_00 at one place of four, so alpha = A_00 / 4."""

    class Squared(keras.Model):
        def __init__(self):
            super().__init__()
            self.maps = layers.Activation("linear", name="maps")

        def call(self, x):
            y = self.maps(x)
            return tf.stack([y[:, 0, 0, 0] ** 2 / 2, -y[:, 1, 1, 0]], axis=1)

    picture = np.array([[[[6.0], [1.0]], [[2.0], [-4.0]]]], "float32")
    squared = aw.attribute(Squared(), picture, layer="maps", target=0)
    np.testing.assert_allclose(squared.maps, [[[9.0, 1.5], [3.0, 0.0]]], rtol=1e-6)
    negative = aw.attribute(Squared(), picture, layer="maps", target=1)
    np.testing.assert_allclose(negative.maps, [[[0.0, 0.0], [0.0, 1.0]]], rtol=1e-6)


def test_a_nested_layer():
    """Behind the inner convolution stand ReLU, a mean of 16 places and one dense layer."""
    model, x = build("nested_two_deep")
    weights = np.asarray(model.get_layer("out").kernel.value)
    maps = aw.capture(model, x)["conv"]
    for target in range(4):
        alpha = ((maps > 0) * weights[:, target] / 16).mean((1, 2), keepdims=True)
        found = aw.attribute(model, x, layer="conv", target=target)
        assert found.layer == "middle/inner/conv"
        np.testing.assert_allclose(found.values, alpha * maps, rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(found.maps, np.maximum((alpha * maps).sum(-1), 0), rtol=1e-4, atol=1e-6)


def test_the_two_calls_of_a_shared_layer_have_maps_of_their_own():
    model, pair = build("shared_layer")
    weights = np.asarray(model.get_layer("out").kernel.value)
    captured = aw.capture(model, pair)
    for address, rows in (("tower/relu", weights[:3]), ("tower#2/relu", weights[3:])):
        maps = captured[address]
        found = aw.attribute(model, pair, layer=address, target=2)
        np.testing.assert_allclose(found.values, maps * rows[:, 2] / 16, rtol=1e-4, atol=1e-7)


def test_of_several_outputs_the_first_with_units_is_explained():
    """A dictionary's outputs come in the order of its keys: here the age, which has one unit."""
    model, x = build("dict_to_dict")
    session = aw.Session(model, x)
    assert session.head.units == 1 and session.head.classes == 2
    weights = np.asarray(model.get_layer("age").kernel.value)[:3, 0]
    maps = session.activation("conv")
    for target, sign in ((0, -1), (1, 1)):
        found = session.attribution(layer="conv", target=target)
        np.testing.assert_allclose(found.values, sign * maps * weights / 16, rtol=1e-4, atol=1e-7)


def test_one_unit_is_explained_for_and_against():
    model, x = build("one_unit")
    against, pro = (aw.attribute(model, x, target=target) for target in (0, 1))
    weights = np.asarray(model.get_layer("out").kernel.value)[:, 0]
    maps = aw.capture(model, x)["conv"]
    np.testing.assert_allclose(pro.values, maps * weights / 16, rtol=1e-4, atol=1e-7)
    np.testing.assert_array_equal(against.values, -pro.values)
    assert pro.scores == "logits"
    predicted = aw.attribute(model, x)
    assert predicted.target == tuple((np.asarray(model(x))[:, 0] >= 0.5).astype(int))


def test_positions_of_a_segmentation_share_the_score_equally():
    """The score of a class is its mean over 36 places; the last layer's kernel is 1 x 1."""
    model, x = build("segmentation")
    kernel = np.asarray(model.get_layer("classes").kernel.value)[0, 0]
    maps = aw.capture(model, x)["conv"]
    found = aw.attribute(model, x, layer="conv", target=1)
    assert found.scores == "logits"
    np.testing.assert_allclose(found.values, maps * kernel[:, 1] / 36, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("name", "places"), [("convolution_1d", 6), ("convolution_3d", 60)])
def test_maps_of_one_and_three_axes(name, places):
    model, x = build(name)
    maps = aw.capture(model, x)["conv"]
    weights = np.asarray(model.get_layer("out").kernel.value)
    found = aw.attribute(model, x, target=1)
    assert found.layer == "conv" and found.maps.shape == maps.shape[:-1]
    np.testing.assert_allclose(found.values, maps * weights[:, 1] / places, rtol=1e-4, atol=1e-7)


def test_channels_first_layers_are_explained_by_their_channels():
    x = keras.Input((2, 2, 2), name="picture")
    y = layers.MaxPooling2D(1, data_format="channels_first", name="maps")(x)
    y = layers.GlobalAveragePooling2D(data_format="channels_first", name="gap")(y)
    model = keras.Model(x, layers.Dense(2, use_bias=False, name="out")(y))
    model.get_layer("out").set_weights([WEIGHTS])
    found = aw.attribute(model, np.moveaxis(TWO_CHANNELS, -1, 1), layer="maps", target=1)
    np.testing.assert_allclose(found.maps, [[[0.875, 0], [0, 0]]], rtol=1e-6)


def test_half_precision_has_gradients_of_half_precision():
    model, x = build("mixed_precision")
    weights = np.asarray(model.get_layer("scores").kernel.value)
    maps = aw.capture(model, x)["conv"]
    found = aw.attribute(model, x, layer="conv", target=1)
    assert found.scores == "logits" and found.maps.dtype == np.float32
    np.testing.assert_allclose(found.values, maps * weights[:, 1] / 16, rtol=5e-3, atol=1e-4)


# --- against a tape ---


def tape_grad_cam(model: Any, images: np.ndarray, layer: str, targets: list[int]) -> np.ndarray:
    last = model.get_layer("predictions")
    both = keras.Model(model.input, [model.get_layer(layer).output, model.get_layer("gap").output])
    with tf.GradientTape() as tape:
        maps, pooled = both(images, training=False)
        logits = tf.matmul(pooled, last.kernel.value) + last.bias.value
        score = tf.reduce_sum(tf.gather(logits, targets, batch_dims=1))
    alpha = tf.reduce_mean(tape.gradient(score, maps), (1, 2), keepdims=True)
    return tf.nn.relu(tf.reduce_sum(alpha * maps, -1)).numpy()


@pytest.mark.parametrize("layer", ["stem_relu", "block1_conv", "block2_add", "block3_bn1", "block3_relu2"])
def test_digits_agree_with_a_gradient_tape(layer):
    model, images, _ = digits()
    session = aw.Session(model, images)
    for target in (0, 3, 9):
        expected = tape_grad_cam(model, images, layer, [target] * 5)
        found = aw.attribute(model, images, layer=layer, target=target)
        np.testing.assert_allclose(found.maps, expected, rtol=1e-4, atol=1e-5 * max(expected.max(), 1e-3))
        one = session.attribution(layer=layer, target=target, sample=2)
        np.testing.assert_allclose(one.maps[0], expected[2], rtol=1e-4, atol=1e-5 * max(expected.max(), 1e-3))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_each_sample_is_explained_for_its_own_first_class(size):
    model, images, _ = digits()
    predicted = np.asarray(model(images[:size])).argmax(1)
    found = aw.attribute(model, images[:size])
    assert found.target == tuple(predicted)
    assert found.layer == "block3_relu2" and found.maps.shape == (
        size,
        *model.get_layer("block3_relu2").output.shape[1:3],
    )
    expected = tape_grad_cam(model, images[:size], found.layer, list(predicted))
    np.testing.assert_allclose(found.maps, expected, rtol=1e-4, atol=1e-5)


def test_position_embeddings_do_not_disturb_the_other_samples():
    model, x = build("positions_shared_by_samples")
    encode, mix, out = model.get_layer("encode"), model.get_layer("mix"), model.get_layer("out")
    with tf.GradientTape() as tape:
        projected = encode.project(x)
        tape.watch(projected)
        table = encode.places(np.arange(5))
        hidden = tf.reduce_mean(mix(projected * table), 1)
        score = tf.reduce_sum((tf.matmul(hidden, out.kernel.value) + out.bias.value)[:, 1])
    alpha = tf.reduce_mean(tape.gradient(score, projected), 1, keepdims=True)
    expected = tf.nn.relu(tf.reduce_sum(alpha * projected, -1)).numpy()
    session = aw.Session(model, x)
    batched = session.attribution(layer="project", target=1)
    np.testing.assert_allclose(batched.maps, expected, rtol=1e-4, atol=1e-6)
    for sample in range(3):
        one = session.attribution(layer="project", target=1, sample=sample)
        np.testing.assert_allclose(one.maps[0], expected[sample], rtol=1e-4, atol=1e-6)


def test_as_many_positions_as_samples_are_no_batch():
    class Gated(keras.Model):
        def __init__(self):
            super().__init__()
            self.project, self.places = layers.Dense(4, name="project"), layers.Embedding(5, 4, name="places")
            self.out = layers.Dense(2, name="out")

        def call(self, x):
            y = self.project(x) * self.places(tf.range(5))
            return self.out(tf.reduce_mean(tf.nn.relu(y), 1))

    model, x = Gated(), batch(5, 5, 3)
    model(x)
    for weight in model.weights:
        weight.assign(batch(*weight.shape, seed=3))
    session = aw.Session(model, x)
    for sample in range(5):
        found = session.attribution(layer="project", target=1, sample=sample)
        alone = aw.Session(model, x[sample : sample + 1]).attribution(layer="project", target=1, sample=0)
        assert np.ptp(found.values) > 0.1
        np.testing.assert_allclose(found.values, alone.values, rtol=1e-4, atol=1e-6)


def test_a_layer_that_passes_its_input_on_has_a_gradient_of_its_own():
    """y = mean(drop(A)) - 3 mean(A): 1/4 of it goes through the dropout, -2/4 through its input."""
    x = keras.Input((2, 2, 1), name="picture")
    maps = layers.Activation("linear", name="maps")(x)
    drop = layers.Dropout(0.5, name="drop")(maps)
    gap = layers.GlobalAveragePooling2D(name="gap")
    model = keras.Model(x, gap(drop) - 3.0 * gap(maps))
    session = aw.Session(model, np.ones((1, 2, 2, 1), "float32"))
    assert session.head.units == 1
    for layer, alpha in (("drop", 1 / 4), ("maps", -2 / 4)):
        for sample in (None, 0):
            found = session.attribution(layer=layer, target=1, sample=sample)
            np.testing.assert_allclose(found.values, np.full((1, 2, 2, 1), alpha), rtol=1e-6)


def test_samples_folded_into_one_axis_are_refused_rather_than_mixed_up():
    class Frames(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv, self.out = layers.Conv2D(2, 3, name="conv"), layers.Dense(2, name="out")

        def call(self, x):
            y = self.conv(tf.reshape(x, [-1, 6, 6, 1]))
            return self.out(tf.reshape(y, [-1, 4 * 4 * 4 * 2]))

    session = aw.Session(Frames(), batch(3, 4, 6, 6, 1))
    assert session.activation("conv").shape == (12, 4, 4, 2)
    for ask in (
        lambda: session.attribution(layer="conv", target=0),
        lambda: session.attribution(layer="conv", target=0, sample=1),
        lambda: session.reader.sample_activation("conv", 1),
    ):
        with pytest.raises(aw.LayerKindError, match=r"first axis of 'conv'.*\(12, 4, 4, 2\)"):
            ask()


# --- which scores ---


def with_ending(ending: str) -> Any:
    x = keras.Input((2, 2, 2), name="picture")
    y = layers.GlobalAveragePooling2D(name="gap")(layers.Activation("linear", name="maps")(x))
    fused = {"fused softmax": "softmax", "fused sigmoid": "sigmoid"}.get(ending)
    y = dense = layers.Dense(2, use_bias=False, activation=fused, name="out")(y)
    if ending == "layer":
        y = layers.Softmax(name="last")(dense)
    elif ending == "activation, then cast":
        y = keras.ops.cast(layers.Activation("softmax", name="last")(dense), "float64")
    elif ending == "operation, then reshaped":
        y = layers.Reshape((2,), name="shape")(keras.ops.softmax(dense))
    elif ending == "nested":
        inner = keras.Input((2,))
        y = keras.Model(inner, layers.Softmax(name="last")(inner), name="inner")(dense)
    model = keras.Model(x, y)
    model.get_layer("out").set_weights([WEIGHTS])
    return model


@pytest.mark.parametrize(
    "ending",
    [
        "none",
        "fused softmax",
        "fused sigmoid",
        "layer",
        "activation, then cast",
        "operation, then reshaped",
        "nested",
    ],
)
def test_the_scores_before_the_last_activation_are_explained(ending):
    found = aw.attribute(with_ending(ending), TWO_CHANNELS, layer="maps", target=1)
    assert found.scores == "logits"
    np.testing.assert_allclose(found.maps, [[[0.875, 0], [0, 0]]], rtol=1e-6)


def test_probabilities_without_a_softmax_are_explained_as_they_are():
    """p_0 = a / (a + b) has the gradients b / (a + b)^2 and -a / (a + b)^2."""
    x = keras.Input((2, 2, 2), name="picture")
    y = layers.GlobalAveragePooling2D(name="gap")(layers.Activation("linear", name="maps")(x))
    y = layers.Lambda(lambda t: t / tf.reduce_sum(t, -1, keepdims=True), name="share")(y)
    picture = np.array([[[[1, 0], [3, 0]], [[0, 2], [0, 2]]]], "float32")  # means: a = b = 1
    found = aw.attribute(keras.Model(x, y), picture, layer="maps", target=0)
    assert found.scores == "probabilities"
    # dp/da = 1/4 and dp/db = -1/4, a quarter of each at every place
    np.testing.assert_allclose(found.maps, [[[1 / 16, 3 / 16], [0, 0]]], rtol=1e-6)


def test_a_softmax_over_places_is_not_taken_for_the_last_activation():
    x = keras.Input((2, 2, 2), name="picture")
    y = layers.Softmax(axis=1, name="over_rows")(layers.Activation("linear", name="maps")(x))
    found = aw.attribute(keras.Model(x, y), TWO_CHANNELS, layer="maps", target=0)
    with tf.GradientTape() as tape:
        maps = tf.constant(TWO_CHANNELS)
        tape.watch(maps)
        score = tf.reduce_sum(tf.reduce_mean(tf.nn.softmax(maps, axis=1)[..., 0], (1, 2)))
    gradient = tape.gradient(score, maps)
    expected = tf.reduce_mean(gradient, (1, 2), keepdims=True) * maps
    np.testing.assert_allclose(found.values, expected, rtol=1e-4, atol=1e-7)


def test_a_batch_of_nan_does_not_change_what_later_batches_explain():
    model, x = build("functional_sum")
    broken = aw.attribute(model, np.full_like(x, np.nan), target=0)
    assert "NaN" in broken.blank_reason(0)
    found = aw.attribute(model, x, target=0)
    untroubled = aw.attribute(build("functional_sum")[0], x, target=0)
    assert found.scores == "logits"
    np.testing.assert_allclose(found.maps, untroubled.maps, rtol=1e-5, atol=1e-7)


# --- why a map is blank ---


def test_a_map_that_shows_something_has_no_reason_to_be_blank():
    assert aw.attribute(pooled_model(), TWO_CHANNELS, layer="maps", target=0).blank_reason(0) is None


def test_every_place_speaks_against_the_class():
    found = aw.attribute(pooled_model(-WEIGHTS), np.abs(TWO_CHANNELS), layer="maps", target=0)
    assert not found.maps.any()
    reason = found.blank_reason(0)
    # -(1 [[1, 2], [3, 4]] + 1/2 [[4, 0], [0, 4]]) / 4: from -6/4 to -2/4
    assert "speaks against this class" in reason and "from -1.5 to -0.5" in reason


def test_a_gradient_of_zero_is_told_from_a_layer_that_is_not_connected():
    x = keras.Input((2, 2, 2), name="picture")
    maps = layers.Activation("linear", name="maps")(x)
    dead = layers.ReLU(name="dead")(layers.Rescaling(-1.0, name="negative")(maps))
    aside = layers.Activation("relu", name="aside")(x)
    y = layers.Dense(2, name="out")(layers.GlobalAveragePooling2D(name="gap")(dead))
    model = keras.Model(x, [y, aside])
    picture = np.abs(TWO_CHANNELS) + 1
    zero = aw.attribute(model, picture, layer="maps", target=0)
    assert zero.connected and "exactly zero" in zero.blank_reason(0)
    apart = aw.attribute(model, picture, layer="aside", target=0)
    assert not apart.connected and "does not depend on 'aside'" in apart.blank_reason(0)
    assert not apart.maps.any()


def test_a_single_position_has_no_places_to_compare():
    x = keras.Input((1, 1, 2), name="picture")
    y = layers.Activation("linear", name="maps")(x)
    y = layers.Dense(2, name="out")(layers.Flatten(name="flat")(y))
    found = aw.attribute(keras.Model(x, y), np.ones((1, 1, 1, 2), "float32"), layer="maps", target=0)
    assert found.maps.shape == (1, 1, 1) and "single position" in found.blank_reason(0)


def test_reasons_are_given_sample_by_sample():
    pictures = np.concatenate([TWO_CHANNELS, -np.abs(TWO_CHANNELS), np.full_like(TWO_CHANNELS, np.inf)])
    found = aw.attribute(pooled_model(), pictures, layer="maps", target=0)
    assert found.blank_reason(0) is None
    assert "speaks against" in found.blank_reason(1)
    assert "infinite" in found.blank_reason(2)


# --- the result ---


def test_upsampled_keeps_a_constant_and_the_ends_of_a_slope():
    found = aw.attribute(pooled_model(), TWO_CHANNELS, layer="maps", target=0)
    large = found.upsampled((4, 6))
    assert large.shape == (1, 4, 6) and large.dtype == np.float32
    np.testing.assert_allclose(large[0, :, 0], 0.75, rtol=1e-6)
    np.testing.assert_allclose(large[0, :, -1], 0.5, rtol=1e-6)
    assert (np.diff(large[0], axis=1) <= 0).all()


def test_maps_of_a_sequence_are_upsampled_along_time():
    found = aw.attribute(*build("convolution_1d"))
    assert found.upsampled((12,)).shape == (3, 12)
    with pytest.raises(aw.InputError, match=r"\(4, 4\).*1 positive integers.*\(6,\)"):
        found.upsampled((4, 4))


@pytest.mark.parametrize("ending", ["summed", "scored"])
def test_the_usual_layer_has_an_entry_for_each_sample_and_is_not_the_output(ending):
    x = keras.Input((5, 4), name="nodes")
    y = layers.Dense(3, activation="relu", name="hidden")(x)
    if ending == "summed":
        y = keras.ops.sum(keras.ops.transpose(y, (1, 0, 2)), 0)
    model = keras.Model(x, layers.Dense(2, name="out")(y))
    assert aw.attribute(model, batch(3, 5, 4)).layer == "hidden"
