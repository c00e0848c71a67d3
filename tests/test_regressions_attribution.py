"""Faults that a hostile reader of attribution found, each with the numbers that it got wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

import act_widgets as aw
from act_widgets.widgets.worker import worker_of
from tests import kinds, ranks, zoo
from tests.zoo import batch, shaken

CLOSE = {"rtol": 1e-4, "atol": 1e-6}


def classifier(head: Any = None, middle: Callable[[Any], Any] = lambda y: y) -> keras.Model:
    x = keras.Input((6, 6, 1), name="image")
    y = middle(layers.Conv2D(3, 3, activation="relu", name="conv")(x))
    y = layers.GlobalAveragePooling2D(name="gap")(y)
    return shaken(keras.Model(x, (head or layers.Dense(3, activation="softmax", name="out"))(y)))


def slope(score: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    with tf.GradientTape() as tape:
        given = tf.constant(x)
        tape.watch(given)
        explained = score(given)
    return tape.gradient(explained, given).numpy()


# --- rules for ReLUs, and shuffled weights, in models with gradients of their own ---


@pytest.mark.parametrize("activation", ["silu", "swish"])
def test_guided_backprop_and_shuffled_weights_take_a_model_whose_activation_writes_its_own_gradient(
    activation,
):
    def middle(y):
        return layers.Conv2D(3, 1, activation=activation, name="own")(y)

    model, x = classifier(middle=middle), batch(2, 6, 6, 1)
    conv, own, out = (model.get_layer(name) for name in ("conv", "own", "out"))

    @tf.custom_gradient
    def guided(z):
        y = tf.nn.relu(z)
        return y, lambda g: tf.nn.relu(g) * tf.cast(z > 0, z.dtype)

    def rebuilt(t):
        y = guided(tf.nn.conv2d(t, conv.kernel, 1, "VALID") + conv.bias)
        return tf.reduce_sum((tf.reduce_mean(own(y), [1, 2]) @ out.kernel + out.bias)[:, 1])

    session = aw.Session(model, x)
    found = session.attribution("guided_backprop", target=1)
    np.testing.assert_allclose(found.values, slope(rebuilt, x), **CLOSE)
    assert np.isfinite(session.shuffled().attribution("saliency").maps).all()


@pytest.mark.parametrize("name", ["one_unit", "concrete_function", "quantised_float8"])
def test_rules_and_shuffled_weights_leave_the_graph_its_shapes_and_handles(name):
    model, x = (zoo if name in zoo.ZOO else kinds).build(name)
    session = aw.Session(model, x)
    before = session.attribution("saliency").values
    for method in ("guided_backprop", "deconvnet"):
        assert session.attribution(method).maps.shape[0] == session.batch_size
    assert session.shuffled().attribution("saliency").maps.shape[0] == session.batch_size
    np.testing.assert_array_equal(aw.Session(model, x).attribution("saliency").values, before)


def test_shuffled_weights_give_what_a_model_with_such_weights_gives():
    model, x = classifier(), batch(2, 6, 6, 1)
    other = classifier()
    rng = np.random.default_rng(3)
    other.set_weights([rng.permutation(w.reshape(-1)).reshape(w.shape) for w in model.get_weights()])
    found = aw.Session(model, x).shuffled(3)
    np.testing.assert_allclose(found.outputs(), other(x), **CLOSE)
    np.testing.assert_allclose(
        found.attribution("saliency", target=1).values,
        aw.attribute(other, x, "saliency", target=1).values,
        **CLOSE,
    )


def test_shuffled_weights_follow_the_model_when_it_is_trained_further():
    model, x = classifier(), batch(2, 6, 6, 1)
    shuffled = aw.Session(model, x).shuffled(3)
    before = shuffled.outputs()
    shaken(model, seed=7)
    assert shuffled.stale
    after = shuffled.outputs()
    assert not np.allclose(before, after)
    np.testing.assert_allclose(after, aw.Session(model, x).shuffled(3).outputs(), **CLOSE)


@pytest.mark.parametrize("method", ["guided_backprop", "deconvnet"])
@pytest.mark.parametrize(
    "relu",
    [
        lambda y: ops.maximum(0.0, y),
        lambda y: ops.maximum(y, 0.0),
        lambda y: ops.maximum(y, ops.zeros_like(y)),
    ],
)
def test_a_maximum_with_zero_is_a_relu_in_either_order(method, relu):
    x, numbers = keras.Input((4,), name="numbers"), batch(3, 4)
    hidden = layers.Dense(5, name="hidden")
    model = shaken(keras.Model(x, layers.Dense(2, name="out")(relu(hidden(x)))))
    passed = np.maximum(model.get_layer("out").kernel.numpy()[:, 0], 0)
    on = hidden(numbers).numpy() > 0 if method == "guided_backprop" else np.ones((3, 5))
    found = aw.attribute(model, numbers, method, target=0)
    np.testing.assert_allclose(found.values[..., 0], (on * passed) @ hidden.kernel.numpy().T, **CLOSE)
    assert not found.remarks


def test_relus_in_a_branch_that_no_rule_reaches_are_an_error():
    def branch(t):
        return tf.cond(tf.reduce_sum(t) > -1e9, lambda: tf.nn.relu(t), lambda: t)

    x = keras.Input((4,), name="numbers")
    y = layers.Dense(5, activation="relu", name="outside")(x)
    y = layers.Lambda(branch, name="branch")(layers.Dense(5, name="hidden")(y))
    with pytest.raises(aw.ModelError, match="inside a branch, loop or compiled function"):
        aw.attribute(shaken(keras.Model(x, layers.Dense(2)(y))), batch(3, 4), "guided_backprop")


def test_weights_of_a_loaded_model_are_shuffled_though_no_rule_reaches_its_relus():
    model, x = kinds.build("from_a_saved_model")
    session = aw.Session(model, x)
    with pytest.raises(aw.ModelError, match="inside a branch, loop or compiled function"):
        session.attribution("guided_backprop")
    assert session.shuffled().attribution("saliency").maps.shape[0] == session.batch_size


# --- which number is explained ---


def test_the_gradient_of_one_sample_is_its_own_where_samples_mix():
    def middle(y):
        return layers.ReLU(name="relu")(layers.BatchNormalization(name="bn")(y))

    model, x = classifier(layers.Dense(3, name="out"), middle), batch(3, 6, 6, 1)
    session = aw.Session(model, x, training=True)
    expected = slope(lambda t: model(t, training=True)[1, 2], x)[1]
    given = {"target": 2, "sample": 1}
    np.testing.assert_allclose(session.attribution("saliency", **given).values[0], expected, **CLOSE)
    smooth = session.attribution("smooth_grad", noise=0.0, samples=2, **given)
    np.testing.assert_allclose(smooth.values[0], expected, **CLOSE)
    assert session.attribution("integrated_gradients", **given).completeness[0] <= 0.05


def test_a_sigmoid_for_each_of_several_classes_gives_probabilities():
    model, x = classifier(layers.Dense(4, activation="sigmoid", name="out")), batch(3, 6, 6, 1)
    covered = aw.attribute(model, x, "occlusion", target=2)
    assert covered.scores == "probabilities"
    np.testing.assert_allclose(covered.score, model(x)[:, 2], **CLOSE)
    found = aw.attribute(model, x, "saliency", target=2, scores="probabilities")
    np.testing.assert_allclose(found.values, slope(lambda t: tf.reduce_sum(model(t)[:, 2]), x), **CLOSE)
    assert aw.attribute(model, x, "saliency", target=2).scores == "logits"


def test_outputs_are_numbered_in_the_order_of_the_flat_structure():
    model, x = zoo.build("dict_to_dict")
    flat = keras.tree.flatten(model(x))
    for number, output in enumerate(flat):
        target = aw.Target(0, output=np.int64(number))
        found = aw.attribute(model, x, "occlusion", layer="image", target=target)
        expected = output.numpy()[..., 0].reshape(3, -1).mean(1)
        np.testing.assert_allclose(np.abs(found.score), np.abs(expected), **CLOSE)


def test_a_softmax_of_unknown_rank_is_explained():
    class Own(keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.dense = layers.Dense(3, name="dense")

        def call(self, x):
            return tf.nn.softmax(tf.numpy_function(lambda a: a * 2, [self.dense(x)], tf.float32))

    model, x = Own(), batch(4, 4)
    model(x)
    found = aw.attribute(model, x, "occlusion", target=1, patch=1, fill=0.0)
    covered = x.copy()
    covered[:, 0] = 0
    np.testing.assert_allclose(found.maps[:, 0], (model(x) - model(covered))[:, 1], **CLOSE)
    words = aw.attribute(model, x, "saliency", target=1).blank_reason(0)
    assert words is not None
    assert "has no gradient" in words


# --- passes ---


def test_a_class_change_of_a_batch_is_one_run(monkeypatch):
    from act_widgets.sources.trace import Trace

    model, x = classifier(), batch(8, 6, 6, 1)
    session = aw.Session(model, x)
    session.attribution("saliency", target=0)
    runs = []
    run = Trace._run
    monkeypatch.setattr(Trace, "_run", lambda self, *args: runs.append(1) or run(self, *args))
    found = session.attribution("saliency", target=1)
    assert len(runs) == 1
    logits = np.log(model(x)[:, 1]) - np.log(model(x)[:, 0])
    other = session.attribution("saliency", target=0)
    np.testing.assert_allclose(found.score - other.score, logits, rtol=1e-3, atol=1e-5)


# --- layers and inputs ---


@pytest.mark.parametrize("samples", [1, 3])
def test_what_is_computed_once_for_all_samples_is_varied_too(samples):
    model, x = zoo.build("positions_shared_by_samples")
    session = aw.Session(model, x[:samples])
    plain = session.attribution("saliency", layer="places", target=1)
    smooth = session.attribution("smooth_grad", layer="places", target=1, noise=0.0, samples=5)
    np.testing.assert_allclose(smooth.values, plain.values, **CLOSE)
    whole = session.attribution("integrated_gradients", layer="places", target=1)
    assert (whole.completeness <= 0.05).all()


def pictures_of_integers() -> zoo.Pair:
    x = keras.Input((6, 6, 1), dtype="uint8", name="image")
    y = layers.Conv2D(3, 3, activation="relu", name="conv")(layers.Rescaling(1 / 255)(x))
    y = layers.Dense(3, activation="softmax", name="out")(layers.GlobalAveragePooling2D()(y))
    pictures = np.random.default_rng(0).integers(0, 256, (2, 6, 6, 1)).astype("uint8")
    return shaken(keras.Model(x, y)), pictures


def test_score_cam_covers_pictures_of_integers():
    session = aw.Session(*pictures_of_integers())
    found = session.attribution("score_cam", layer="conv", target=1)
    assert found.maps.shape == (2, 4, 4)
    assert session.perturbation_curve(found, 1, steps=3).scores.shape == (4,)


def patches_and_words() -> zoo.Pair:
    picture, text = keras.Input((8, 8, 1), name="picture"), keras.Input((16, 3), name="text")
    patches = layers.Reshape((16, 4), name="tokens")(layers.Conv2D(4, 2, strides=2, name="patch")(picture))
    mixed = layers.Dense(4, activation="relu", name="mix")(patches)
    words = layers.Dense(4, activation="relu", name="words")(text)
    both = layers.Concatenate()([layers.GlobalAveragePooling1D()(y) for y in (mixed, words)])
    model = keras.Model([picture, text], layers.Dense(3, activation="softmax", name="out")(both))
    return shaken(model), [batch(2, 8, 8, 1), batch(2, 16, 3)]


def test_only_tokens_of_a_picture_lie_on_its_grid():
    session = aw.Session(*patches_and_words())
    for method in ("grad_cam", "saliency"):
        assert session.attribution(method, layer="mix").maps.shape == (2, 4, 4)
        assert session.attribution(method, layer="words").maps.shape == (2, 16)


def test_the_rows_of_smaller_maps_are_no_patches():
    x = keras.Input((16, 16, 1), name="image")
    y = layers.Reshape((4, 8), name="rows")(layers.Conv2D(2, 4, strides=4, name="maps")(x))
    y = layers.LSTM(5, return_sequences=True, name="lstm")(y)
    model = keras.Model(x, layers.Dense(3, name="out")(layers.GlobalAveragePooling1D()(y)))
    session = aw.Session(model, batch(2, 16, 16, 1))
    assert session.attribution(layer="lstm").maps.shape == (2, 4)
    assert session.axes["lstm"].grid is None


@pytest.mark.parametrize("method", ["saliency", "occlusion", "grad_cam"])
def test_a_curve_is_drawn_for_a_map_on_the_grid_of_tokens(method):
    session = aw.Session(*patches_and_words())
    found = session.attribution(method, layer="mix", target=1)
    curve = session.perturbation_curve(found, 1, steps=4)
    assert np.isfinite(curve.scores).all()
    np.testing.assert_allclose(curve.scores[0], session.predictions(1)[1], **CLOSE)


def test_a_map_with_shuffled_weights_has_the_axes_that_were_chosen():
    model, images, _ = aw.samples.digits()
    session = aw.Session(model, images[:2])
    session.axes["image"] = "channels × height × width"
    for method in ("gradient_x_input", "occlusion"):
        maps, shuffled = (s.attribution(method, target=8).maps for s in (session, session.shuffled()))
        assert maps.shape == shuffled.shape == (2, 8, 1)
        assert np.abs(maps - shuffled).max() > 0

    panel = aw.TrustPanel(session)
    panel.session.selection.method = "gradient_x_input"
    panel.checks = ["Shuffled weights"]
    assert worker_of(session).wait()
    assert panel._alert.value == ""
    assert "Correlation with the map with all weights shuffled" in panel._under.value
    panel.close()


def test_a_curve_is_that_of_the_sample_whose_map_it_follows():
    # Each picture has one light, and the score is the sum: with its light it is gone.
    lights = np.zeros((3, 2, 2, 1), "float32")
    lights[range(3), (0, 0, 1), (0, 1, 0)] = 1
    given = keras.Input((2, 2, 1), name="image")
    session = aw.Session(keras.Model(given, layers.Lambda(lambda t: tf.reduce_sum(t, [1, 2]))(given)), lights)
    gone_at_once = {"kind": "deletion", "steps": 4, "fill": 0.0}

    alone = session.attribution("gradient_x_input", sample=2)
    assert alone.samples == (2,)
    np.testing.assert_array_equal(session.perturbation_curve(alone, **gone_at_once).scores, [1, 0, 0, 0, 0])
    with pytest.raises(aw.InputError, match="sample=1, with the map of sample 2"):
        session.perturbation_curve(alone, 1)

    together = session.attribution("gradient_x_input")
    assert together.samples == (0, 1, 2)
    for sample in together.samples:
        curve = session.perturbation_curve(together, sample, **gone_at_once)
        np.testing.assert_array_equal(curve.scores, [1, 0, 0, 0, 0])


def test_a_map_that_is_flat_favours_no_place_in_its_curves():
    # The score is the mean of the first rows alone, so what a curve does tells where positions go first.
    first_rows = np.zeros((16, 16, 1), np.float32)
    first_rows[:4] = 1 / 64
    given = keras.Input((16, 16, 1), name="image")
    counted = layers.Lambda(lambda t: tf.reduce_sum(t * first_rows, [1, 2]), name="counted")(given)
    session = aw.Session(keras.Model(given, counted), np.ones((1, 16, 16, 1), "float32"))
    flat = replace(session.attribution("saliency"), maps=np.zeros((1, 16, 16), np.float32))
    curves = [session.perturbation_curve(flat, kind="deletion", fill=0.0) for _ in range(2)]
    np.testing.assert_allclose(curves[0].scores, 1 - curves[0].shares, atol=0.15)
    np.testing.assert_array_equal(curves[0].scores, curves[1].scores)

    # Where values differ, they alone decide: the first rows are the least, and go last.
    told = replace(flat, maps=-(first_rows[None, ..., 0] > 0).astype(np.float32))
    curve = session.perturbation_curve(told, kind="deletion", fill=0.0)
    np.testing.assert_allclose(curve.scores, np.clip((1 - curve.shares) * 4, 0, 1), atol=0.01)


def test_a_curve_follows_the_weights_of_the_layer_that_it_changes():
    model, x = classifier(), batch(2, 6, 6, 1)
    session = aw.Session(model, x)
    found = session.attribution("saliency", layer="conv", target=1)
    shaken(model, seed=7)
    curve = session.perturbation_curve(found, 0, steps=3)
    np.testing.assert_allclose(curve.scores[0], model(x)[0, 1], **CLOSE)


def test_a_baseline_has_the_layout_of_its_layer():
    x = keras.Input((2, 6, 5), name="image")
    y = layers.GlobalAveragePooling2D(data_format="channels_first")(x)
    model, pictures = shaken(keras.Model(x, layers.Dense(3, name="out")(y))), batch(2, 2, 6, 5)
    session = aw.Session(model, pictures)
    found = session.attribution("integrated_gradients", baseline=pictures[1])
    np.testing.assert_allclose(found.maps[1], 0, atol=1e-6)
    with pytest.raises(aw.InputError, match=r"Received: \(6, 5, 2\)\. Expected: \(2, 6, 5\)"):
        session.attribution("integrated_gradients", baseline=np.zeros((6, 5, 2)))


# --- reasons and remarks ---


def test_score_cam_is_done_where_every_channel_is_constant():
    model, x = classifier(), batch(2, 6, 6, 1)
    model.get_layer("conv").set_weights([np.zeros((3, 3, 1, 3)), np.ones(3)])
    shares = []
    found = aw.attribute(model, x, "score_cam", on_progress=lambda share, _: shares.append(share))
    assert not found.maps.any()
    assert shares[-1] == 1
    assert "same everywhere" in found.blank_reason(0)


def against() -> keras.Model:
    model = classifier(layers.Dense(2, name="out"))
    model.get_layer("out").set_weights([-np.ones((3, 2)), np.zeros(2)])
    return model


@pytest.mark.parametrize("method", ["grad_cam_pp", "layer_cam"])
def test_a_map_without_positive_gradients_says_so(method):
    reason = aw.attribute(against(), batch(2, 6, 6, 1), method, target=0).blank_reason(0)
    assert "No gradient at 'conv' is positive" in reason


@pytest.mark.parametrize("method", ["guided_backprop", "deconvnet"])
def test_a_rule_that_lets_nothing_through_says_so(method):
    reason = aw.attribute(against(), batch(2, 6, 6, 1), method, target=0).blank_reason(0)
    assert "lets no gradient through to 'image'" in reason


def test_gradients_that_cancel_out_are_told_from_channels_that_are_off():
    x = keras.Input((4, 4, 1), name="image")
    y = layers.Flatten()(layers.Conv2D(1, 1, use_bias=False, name="conv")(x))
    model = keras.Model(x, layers.Dense(2, name="out")(y))
    signs = np.repeat([[1.0, -1.0], [-1.0, 1.0]], 8, axis=0)
    model.set_weights([np.ones((1, 1, 1, 1)), signs, np.zeros(2)])
    found = aw.attribute(model, np.ones((1, 4, 4, 1), "float32"), target=0)
    assert "cancel out" in found.blank_reason(0)


def test_the_reason_names_the_layer_where_the_gradient_of_this_branch_ends():
    x = keras.Input((6, 6, 1), name="image")

    def dead(name: str) -> Any:
        y = layers.Rescaling(0.0, offset=-1.0)(layers.Conv2D(2, 3, name=f"{name}_conv")(x))
        return layers.ReLU(name=f"{name}_relu")(y)

    y = layers.GlobalAveragePooling2D()(layers.Concatenate()([dead("left"), dead("right")]))
    model = keras.Model(x, layers.Dense(3, name="out")(y))
    for side in ("left", "right"):
        found = aw.attribute(model, batch(1, 6, 6, 1), layer=f"{side}_conv", target=0)
        assert f"ends in '{side}_relu'" in found.blank_reason(0)


@pytest.mark.parametrize("method", ["grad_cam", "saliency"])
def test_a_gradient_at_the_class_token_alone_is_no_gradient_of_zero(method):
    x = keras.Input((8, 8, 1), name="image")
    patches = layers.Reshape((16, 4))(layers.Conv2D(4, 2, strides=2)(x))
    tokens = layers.Dense(4, name="tokens")(layers.ZeroPadding1D((1, 0))(patches))
    model = shaken(keras.Model(x, layers.Dense(3, name="out")(tokens[:, 0])))
    found = aw.attribute(model, batch(1, 8, 8, 1), method, layer="tokens", target=0)
    assert found.maps.shape == (1, 4, 4) and not found.maps.any()
    assert "arrives only at tokens before the patches" in found.blank_reason(0)


@pytest.mark.parametrize("method", ["grad_cam", "layer_cam", "score_cam"])
def test_the_usual_layer_of_a_vision_transformer_is_one_whose_patches_have_a_gradient(method):
    model, pictures = ranks.vision_transformer(blocks=2)
    signed = {"signed": True} if method == "score_cam" else {}
    found = aw.attribute(shaken(model), pictures, method, **signed)
    # Behind the last attention only the class token is read.
    assert found.layer == "norm_1" and found.maps.shape == (2, 8, 8)
    assert found.reasons == (None, None) and np.ptp(found.maps[0]) > 0 and np.ptp(found.maps[1]) > 0
    last = aw.attribute(model, pictures, method, layer="mix_1")
    if method != "score_cam":
        assert "'norm_1'" in last.blank_reason(0)


@pytest.mark.parametrize("method", ["score_cam", "occlusion", "rise"])
def test_a_map_of_a_score_that_never_changes_says_so(method):
    model, few = classifier(layers.Dense(3, activation="softmax", name="out")), {}
    model.get_layer("out").set_weights([np.zeros((3, 3)), np.zeros(3)])
    if method == "rise":
        few = {"masks": 10}
    found = aw.attribute(model, batch(1, 6, 6, 1), method, target=0, **few)
    assert "stays at 0.333333" in found.blank_reason(0)


def test_one_patch_over_all_changes_the_score():
    found = aw.attribute(classifier(), batch(1, 6, 6, 1), "occlusion", target=0, patch=6, fill=3.0)
    assert np.ptp(found.maps) == 0 and found.maps.any()
    assert "same everywhere" in found.blank_reason(0)


def test_score_cam_of_a_layer_beside_the_score_says_so():
    x = keras.Input((6, 6, 1), name="image")
    aside = layers.Conv2D(2, 3, name="aside")(x)
    y = layers.Dense(3, name="out")(layers.Flatten()(x))
    found = aw.attribute(keras.Model(x, [y, aside]), batch(1, 6, 6, 1), "score_cam", layer="aside", target=0)
    assert "does not depend on 'aside'" in found.blank_reason(0)


def test_against_a_tiny_probability_the_slope_is_not_lost():
    """p = 1 / (1 + exp(20 - x)): of 1 - p the slope is -p (1 - p), exact where p is tiny."""
    x = keras.Input((2, 2, 1), name="image")
    y = layers.Dense(1, activation="sigmoid", name="out")(layers.Flatten()(x))
    model, picture = keras.Model(x, y), np.zeros((1, 2, 2, 1), "float32")
    model.get_layer("out").set_weights([np.arange(4.0).reshape(4, 1), np.array([-20.0])])
    found = aw.attribute(model, picture, "saliency", target=0, scores="probabilities")
    np.testing.assert_allclose(found.values.ravel(), -np.exp(-20.0) * np.arange(4.0), rtol=1e-5)
    assert found.blank_reason(0) is None


def test_noise_on_an_input_of_nan_is_told_as_such():
    pictures = batch(2, 6, 6, 1)
    pictures[1, 2, 2] = np.nan
    found = aw.attribute(classifier(), pictures, "smooth_grad", target=0, samples=4)
    assert found.blank_reason(0) is None and "NaN" in found.blank_reason(1)


def test_positions_between_patches_are_counted():
    found = aw.attribute(classifier(), batch(1, 6, 6, 1), "occlusion", patch=1, stride=3)
    covered = 9  # rows and columns 0, 3 and 5
    assert f"{36 - covered} of 36 positions" in found.remarks[0]
    assert not aw.attribute(classifier(), batch(1, 6, 6, 1), "occlusion", patch=2).remarks


# --- what is no number ---


@pytest.mark.parametrize(
    "target",
    [
        np.array([1]),
        np.array(1.5),
        aw.Target(np.array([1]), layer="conv"),
        aw.Target(0, layer="conv", at=(1, (2, 3))),
        aw.Target(0, layer="conv", at=(True, 2)),
        aw.Target(0, layer="conv", at=(1.0, 2)),
    ],
)
def test_a_target_that_is_no_number_is_a_target_error(target):
    with pytest.raises(aw.TargetError, match="Expected"):
        aw.attribute(classifier(), batch(1, 6, 6, 1), "saliency", target=target)


@pytest.mark.parametrize("sample", [1.0, True, "a", [0], np.array([0, 1])])
def test_a_sample_that_is_no_number_is_an_input_error(sample):
    session = aw.Session(classifier(), batch(2, 6, 6, 1))
    with pytest.raises(aw.InputError, match="Expected: 0 to 1"):
        session.attribution("saliency", sample=sample)


def test_a_layer_that_is_no_string_is_told():
    with pytest.raises(aw.UnknownLayerError, match="a string"):
        aw.attribute(classifier(), batch(1, 6, 6, 1), "saliency", layer=["conv"])


@pytest.mark.parametrize("baseline", [np.array("a"), np.full((6, 6, 1), "a"), np.array(1e30)])
def test_a_baseline_that_is_no_number_within_bounds_is_an_input_error(baseline):
    with pytest.raises(aw.InputError, match="Expected"):
        aw.attribute(classifier(), batch(1, 6, 6, 1), "integrated_gradients", baseline=baseline)


# --- what is kept ---


def test_a_kept_result_cannot_be_changed():
    session = aw.Session(classifier(), batch(2, 6, 6, 1))
    baseline = np.zeros((6, 6, 1), "float32")
    given = {"method": "integrated_gradients", "baseline": baseline, "sample": 0, "target": 1}
    found = session.attribution(**given)
    kept = found.maps.copy()
    with pytest.raises(ValueError, match="read-only"):
        found.maps[:] = 7
    found.params["bound"] = 7
    again = session.attribution(**given)
    np.testing.assert_array_equal(again.maps, kept)
    assert again.params["bound"] == 0.05
    baseline[:] = 7
    assert not again.params["baseline"].any()


def test_a_path_of_nan_ends_at_once():
    model, x = classifier(layers.Dense(3, name="out")), batch(1, 6, 6, 1)
    model.get_layer("out").bias.assign([np.nan] * 3)
    session = aw.Session(model, x)
    session.attribution("integrated_gradients", target=0)
    assert session.stats()["varied_samples"] < 20


def test_a_baseline_that_is_the_input_itself_is_no_dead_layer():
    model, x = classifier(), batch(1, 6, 6, 1)
    found = aw.attribute(model, x, "integrated_gradients", target=0, baseline=x[0])
    assert "from the baseline" in found.blank_reason(0)
