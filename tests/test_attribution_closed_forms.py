"""Attribution methods against numbers worked out by hand."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import act_widgets as aw

from .test_grad_cam import TWO_CHANNELS, WEIGHTS, pooled_model

# What multiplies the two channels of 2 x 2 places, for two classes: (2, 2, 2 channels, 2 classes).
LINEAR = np.array([[[[1, 0], [-2, 1]], [[3, 0], [1, 2]]], [[[-1, 4], [0, -5]], [[2, 1], [2, -1]]]], "float32")
PICTURE = np.array([[[[2, 1], [1, 3]], [[4, -2], [0, 5]]]], "float32")
CLOSE = {"rtol": 1e-5, "atol": 1e-6}


def linear_model(weights: np.ndarray = LINEAR, activation: Any = None) -> Any:
    """S_k = sum of w x over all places and channels."""
    x = keras.Input(weights.shape[:-1], name="picture")
    dense = layers.Dense(weights.shape[-1], use_bias=False, activation=activation, name="out")
    model = keras.Model(x, dense(layers.Flatten(name="flat")(x)))
    dense.set_weights([weights.reshape(-1, weights.shape[-1])])
    return model


# --- a linear score ---


@pytest.mark.parametrize("method", ["saliency", "guided_backprop", "deconvnet"])
@pytest.mark.parametrize("target", [0, 1])
def test_the_gradient_of_a_linear_score_is_its_weights(method, target):
    """Without a ReLU all three are the plain gradient; the map is its largest channel, in size."""
    found = aw.attribute(linear_model(), PICTURE, method, target=target)
    np.testing.assert_allclose(found.values[0], LINEAR[..., target], **CLOSE)
    expected = [[[2, 3], [1, 2]], [[1, 2], [5, 1]]][target]
    np.testing.assert_allclose(found.maps, [expected], **CLOSE)
    assert not found.signed and found.scores == "logits"
    assert found.completeness is None and found.spread is None


def test_gradient_x_input_of_a_linear_score_is_its_terms():
    """w x = [[[2, -2], [3, 3]], [[-4, 0], [0, 10]]], summed over the channels."""
    found = aw.attribute(linear_model(), PICTURE, "gradient_x_input", target=0)
    np.testing.assert_allclose(found.values, [[[[2, -2], [3, 3]], [[-4, 0], [0, 10]]]], **CLOSE)
    np.testing.assert_allclose(found.maps, [[[0, 6], [-4, 10]]], **CLOSE)
    assert found.signed


@pytest.mark.parametrize(
    ("baseline", "maps"),
    [
        (0.0, [[0, 6], [-4, 10]]),
        # w (x - 1) = [[[1, 0], [0, 2]], [[-3, 0], [-2, 8]]]
        (1.0, [[1, 2], [-3, 6]]),
        # The baseline is the picture itself but for one place, where it is 0: 3 (1 - 0) + 1 (3 - 0).
        (PICTURE[0] * [[[1], [0]], [[1], [1]]], [[0, 6], [0, 0]]),
    ],
)
def test_integrated_gradients_of_a_linear_score_are_exact(baseline, maps):
    """The gradient is w all along the path, so that the integral is w (x - x0) and nothing is missing."""
    found = aw.attribute(linear_model(), PICTURE, "integrated_gradients", target=0, baseline=baseline)
    start = np.broadcast_to(baseline, PICTURE.shape)
    np.testing.assert_allclose(found.values, LINEAR[..., 0] * (PICTURE - start), **CLOSE)
    np.testing.assert_allclose(found.maps, [maps], **CLOSE)
    np.testing.assert_allclose(found.completeness, [0], atol=1e-6)


def test_smooth_grad_of_a_linear_score_has_no_spread():
    found = aw.attribute(linear_model(), PICTURE, "smooth_grad", target=0, samples=10)
    np.testing.assert_allclose(found.values[0], LINEAR[..., 0], **CLOSE)
    np.testing.assert_allclose(found.maps, [[[2, 3], [1, 2]]], **CLOSE)
    np.testing.assert_allclose(found.spread, np.zeros((1, 2, 2, 2)), atol=1e-6)


def test_occlusion_of_one_cell_takes_its_terms_away():
    """S(x) - S(x without a place) = sum_c w (x - fill)."""
    ask = {"method": "occlusion", "target": 0, "patch": 1, "stride": 1}
    black = aw.attribute(linear_model(), PICTURE, **ask, fill=0)
    np.testing.assert_allclose(black.maps, [[[0, 6], [-4, 10]]], **CLOSE)
    assert black.values.shape == (1, 2, 2, 1) and black.signed
    white = aw.attribute(linear_model(), PICTURE, **ask, fill=1)
    np.testing.assert_allclose(white.maps, [[[1, 2], [-3, 6]]], **CLOSE)
    # The channels' means are 7/4 and 15/4: (1/4, -3/4), (-3/4, 5/4), (9/4, -15/4), (-7/4, 13/4) times w.
    own = aw.attribute(linear_model(), PICTURE + np.array([0, 2], "float32"), **ask)
    np.testing.assert_allclose(own.maps, [[[1.75, -1], [-2.25, 3]]], **CLOSE)


def test_a_place_has_the_mean_of_the_patches_that_cover_it():
    """A signal 1, 2, 4, 8 with the weights 1: the pairs lose 3, 6, 12, and the ends lie in one pair."""
    model = linear_model(np.ones((4, 1, 2), "float32"))
    signal = np.array([[[1], [2], [4], [8]]], "float32")
    ask = {"method": "occlusion", "target": 0, "patch": 2, "fill": 0}
    every = aw.attribute(model, signal, **ask, stride=1)
    np.testing.assert_allclose(every.maps, [[3, 4.5, 9, 12]], **CLOSE)
    tiles = aw.attribute(model, signal, **ask, stride=2)
    np.testing.assert_allclose(tiles.maps, [[3, 3, 12, 12]], **CLOSE)


def test_patches_that_do_not_fit_leave_no_place_out():
    """Seven places of weight 1, patches of 3 every 3: the last place is hidden by one of them too."""
    model = linear_model(np.ones((7, 7, 1, 2), "float32"))
    found = aw.attribute(
        model, np.ones((1, 7, 7, 1), "float32"), "occlusion", target=0, patch=3, stride=3, fill=0
    )
    assert np.isfinite(found.maps).all() and (found.maps > 0.5).all()


def test_occlusion_alone_chooses_an_eighth_of_each_side_and_half_of_it_as_stride():
    """On 16 x 16 ones of weight 1: patches of 2 x 2, each of which takes 4 away."""
    model = linear_model(np.ones((16, 16, 1, 2), "float32"))
    found = aw.attribute(model, np.ones((1, 16, 16, 1), "float32"), "occlusion", target=0, fill=0)
    np.testing.assert_allclose(found.maps, np.full((1, 16, 16), 4.0), **CLOSE)


# --- RISE ---


def test_rise_of_a_constant_score_is_that_constant():
    """E[S M] / p = S E[M] / p = S, and a mean of 4000 masks is off by at most 1/(2 p sqrt(4000)) = 0.016."""
    x = keras.Input((12, 12, 1), name="picture")
    dense = layers.Dense(2, name="out")
    model = keras.Model(x, dense(layers.Flatten(name="flat")(x)))
    dense.set_weights([np.zeros((144, 2), "float32"), np.array([3, -1], "float32")])
    picture = np.ones((1, 12, 12, 1), "float32")
    for target, constant in ((0, 3), (1, -1)):
        found = aw.attribute(model, picture, "rise", target=target, masks=4000, cells=4)
        np.testing.assert_allclose(found.maps, np.full((1, 12, 12), constant), rtol=5 * 0.016)
        assert np.ptp(found.maps) > 0


def test_rise_finds_the_one_place_that_counts():
    """S = 8 x_j: the expectation at i is 8 E[M_i M_j] / p, with E[M_i M_j] = p^2 far from j.

    Near j it is larger, at most 8 E[M_j] / p = 8. A mean of 4000 masks is off by 8/(2 p sqrt(4000)).
    """
    weights = np.zeros((16, 16, 1, 2), "float32")
    weights[3, 4, 0, 0] = 8
    picture = np.ones((1, 16, 16, 1), "float32")
    for keep in (0.3, 0.6):
        error = 8 / (2 * keep * np.sqrt(4000))
        found = aw.attribute(linear_model(weights), picture, "rise", target=0, masks=4000, cells=4, keep=keep)
        far = found.maps[0, 13:, 13:]
        np.testing.assert_allclose(far, np.full((3, 3), 8 * keep), atol=5 * error)
        at = np.unravel_index(found.maps[0].argmax(), (16, 16))
        assert np.abs(np.subtract(at, (3, 4))).max() <= 2
        assert 8 * keep + 1 < found.maps[0, 3, 4] < 8
        # The mask of the place itself: M_j is a bilinear mix of four cells, with weights a and 1 - a on
        # each axis. The mean of a^2 + (1 - a)^2 over the shifts a = 1/8, 3/8, 5/8, 7/8 is 21/32.
        mixed = (21 / 32) ** 2
        exact = 8 * (keep + (1 - keep) * mixed)
        np.testing.assert_allclose(found.maps[0, 3, 4], exact, atol=5 * error)


def test_what_rise_hides_is_filled():
    """With the picture equal to the fill, masks change nothing: S = 256 * 0.5 / 64 = 2 whatever they are."""
    weights = np.full((16, 16, 1, 2), 1 / 64, "float32")
    picture = np.full((1, 16, 16, 1), 0.5, "float32")
    found = aw.attribute(linear_model(weights), picture, "rise", target=0, masks=4000, cells=4, fill=0.5)
    np.testing.assert_allclose(found.maps, np.full((1, 16, 16), 2.0), rtol=5 * 0.016)


# --- scores that bend ---


def bent_model(function: Any, shape: tuple[int, ...] = (2, 2, 1)) -> Any:
    """S_0 = sum of f(x), S_1 = -S_0."""
    x = keras.Input(shape, name="picture")
    y = layers.Flatten(name="flat")(layers.Lambda(function, name="bent")(x))
    dense = layers.Dense(2, use_bias=False, name="out")
    model = keras.Model(x, dense(y))
    dense.set_weights([np.tile(np.array([[1, -1]], "float32"), (int(np.prod(shape)), 1))])
    return model


BENT = np.array([[[[1], [-2]], [[3], [0.5]]]], "float32")


def test_gradients_of_a_square_are_twice_the_input():
    """f = 3 x^2, f' = 6 x: the saliency is |6 x| and the gradient times the input 6 x^2."""
    model = bent_model(lambda x: 3 * x**2)
    plain = aw.attribute(model, BENT, "saliency", target=0)
    np.testing.assert_allclose(plain.values[..., 0], [[[6, -12], [18, 3]]], **CLOSE)
    np.testing.assert_allclose(plain.maps, [[[6, 12], [18, 3]]], **CLOSE)
    times = aw.attribute(model, BENT, "gradient_x_input", target=1)
    np.testing.assert_allclose(times.maps, [[[-6, -24], [-54, -1.5]]], **CLOSE)


@pytest.mark.parametrize(("baseline", "maps"), [(0.0, [[3, 12], [27, 0.75]]), (1.0, [[0, 9], [24, -2.25]])])
def test_integrated_gradients_of_a_square_are_exact(baseline, maps):
    """The integral of 6 (x0 + a (x - x0)) over a is 3 (x + x0), so that the values are 3 (x^2 - x0^2)."""
    found = aw.attribute(
        bent_model(lambda x: 3 * x**2), BENT, "integrated_gradients", target=0, baseline=baseline
    )
    np.testing.assert_allclose(found.maps, [maps], **CLOSE)
    np.testing.assert_allclose(found.completeness, [0], atol=1e-5)


@pytest.mark.parametrize("bound", [0.05, 0.001])
def test_integrated_gradients_refine_until_the_bound_is_kept(bound):
    """f = x^6: the values are x^6, and all of them are off by the same share."""
    picture = np.array([[[[1], [2]], [[-1.5], [0.5]]], [[[3], [0]], [[1], [-1]]]], "float32")
    found = aw.attribute(
        bent_model(lambda x: x**6), picture, "integrated_gradients", target=0, bound=bound, steps=1024
    )
    np.testing.assert_allclose(found.values, picture**6, rtol=1.01 * bound, atol=1e-6)
    # It stops when the bound is kept, and does not go on to the limit.
    assert (found.completeness <= bound).all() and (found.completeness > bound / 20).all()
    gap = np.abs(found.values.sum((1, 2, 3)) / (picture**6).sum((1, 2, 3)) - 1)
    np.testing.assert_allclose(found.completeness, gap, atol=1e-5)


def test_the_limit_of_steps_leaves_a_gap_that_is_told():
    """Eight nodes can't bring x^6 to a ten-thousandth: the gap that is left is above the bound."""
    found = aw.attribute(
        bent_model(lambda x: x**6), BENT, "integrated_gradients", target=0, bound=0.0001, steps=8
    )
    # The trapezoid rule lies above a convex function: too much is found, never too little.
    gap = found.values.sum() / (BENT**6).sum() - 1
    assert gap > 0.0001
    np.testing.assert_allclose(found.completeness, [gap], atol=1e-5)


def test_integrated_gradients_see_what_has_saturated():
    """f = 1 - relu(1 - x) at 2, as in the paper: the gradient is 0, yet x made the whole score of 1."""
    model, two = bent_model(lambda x: 1 - tf.nn.relu(1 - x), (1,)), np.array([[2]], "float32")
    assert not aw.attribute(model, two, "saliency", target=0).maps.any()
    found = aw.attribute(model, two, "integrated_gradients", target=0)
    assert found.maps.shape == (1, 1) and found.values.shape == (1, 1, 1)
    np.testing.assert_allclose(found.values, [[[1]]], rtol=0.05)


def test_noise_on_a_square_spreads_the_gradient():
    """f = 3 x^2 at x + n has the gradient 6 x + 6 n: its mean is 6 x, its standard error 6 sd / sqrt(N).

    The values go from -2 to 3, so that a noise of 0.2 has the standard deviation 1.
    """
    found = aw.attribute(
        bent_model(lambda x: 3 * x**2), BENT, "smooth_grad", target=0, samples=900, noise=0.2
    )
    np.testing.assert_allclose(found.spread, np.full((1, 2, 2, 1), 6 / 30), rtol=0.12)
    assert (np.abs(found.values - 6 * BENT) < 5 * 6 / 30).all()
    assert (found.values != 6 * BENT).any()


def test_the_noise_goes_by_each_sample_of_its_own():
    """The second sample spans ten times as much, and so does its noise."""
    pictures = np.concatenate([BENT, 10 * BENT])
    found = aw.attribute(
        bent_model(lambda x: 3 * x**2), pictures, "smooth_grad", target=0, samples=900, noise=0.2
    )
    np.testing.assert_allclose(found.spread[1] / found.spread[0], np.full((2, 2, 1), 10.0), rtol=0.2)
    without = aw.attribute(bent_model(lambda x: 3 * x**2), pictures, "smooth_grad", target=0, noise=0)
    np.testing.assert_allclose(without.values, 6 * pictures, **CLOSE)


# --- class activation maps ---


def test_grad_cam_can_keep_its_signs():
    """-1/2 [[1, 2], [3, 4]] + 1 [[4, 0], [0, -4]] = [[3.5, -1], [-1.5, -6]], a quarter of it."""
    found = aw.attribute(pooled_model(), TWO_CHANNELS, layer="maps", target=1, signed=True)
    np.testing.assert_allclose(found.maps, [[[0.875, -0.25], [-0.375, -1.5]]], **CLOSE)
    assert found.signed
    assert not aw.attribute(pooled_model(), TWO_CHANNELS, layer="maps", target=1).signed


def test_grad_cam_pp_weighs_channels_by_their_share():
    """S = mean(A_0) + mean(A_1) / 2 has the gradients 1/4 and 1/8; the maps sum to 10 and 0.

    alpha_0 = 1 / (2 + 10/4) = 2/9 and alpha_1 = 1/2, so that the weights are 4 (2/9) (1/4) = 2/9 and
    4 (1/2) (1/8) = 1/4.
    """
    found = aw.attribute(pooled_model(), TWO_CHANNELS, "grad_cam_pp", layer="maps", target=0)
    np.testing.assert_allclose(found.values[..., 0], [[[2 / 9, 4 / 9], [6 / 9, 8 / 9]]], **CLOSE)
    np.testing.assert_allclose(found.values[..., 1], [[[1, 0], [0, -1]]], **CLOSE)
    np.testing.assert_allclose(found.maps, [[[11 / 9, 4 / 9], [6 / 9, 0]]], **CLOSE)
    signed = aw.attribute(pooled_model(), TWO_CHANNELS, "grad_cam_pp", layer="maps", target=0, signed=True)
    np.testing.assert_allclose(signed.maps, [[[11 / 9, 4 / 9], [6 / 9, -1 / 9]]], **CLOSE)


def test_grad_cam_pp_gives_a_negative_gradient_no_weight():
    """S = -mean(A_0) / 2 + mean(A_1): relu of -1/8 is 0, and the other weight is 4 (1/2) (1/4) = 1/2."""
    found = aw.attribute(pooled_model(), TWO_CHANNELS, "grad_cam_pp", layer="maps", target=1)
    np.testing.assert_allclose(found.values[..., 0], np.zeros((1, 2, 2)), **CLOSE)
    np.testing.assert_allclose(found.maps, [[[2, 0], [0, 0]]], **CLOSE)


def test_grad_cam_pp_where_the_denominator_is_zero():
    """g = 1/4 and a map that sums to -8: 2/16 - 8/64 = 0, so that alpha and the weight are 0."""
    picture = np.array([[[[-1, 4], [-2, 0]], [[-3, 0], [-2, -4]]]], "float32")
    found = aw.attribute(pooled_model(), picture, "grad_cam_pp", layer="maps", target=0)
    np.testing.assert_allclose(found.values[..., 0], np.zeros((1, 2, 2)), **CLOSE)
    np.testing.assert_allclose(found.maps, [[[1, 0], [0, 0]]], **CLOSE)


def test_layer_cam_gives_every_place_its_own_weight():
    """Class 0: relu of w in channel 0 is [[1, 3], [0, 2]], in channel 1 [[0, 1], [0, 2]]."""
    x = keras.Input((2, 2, 2), name="picture")
    flat = layers.Flatten(name="flat")(layers.Activation("linear", name="maps")(x))
    model = keras.Model(x, layers.Dense(2, use_bias=False, name="out")(flat))
    model.get_layer("out").set_weights([LINEAR.reshape(8, 2)])
    found = aw.attribute(model, TWO_CHANNELS, "layer_cam", layer="maps", target=0)
    np.testing.assert_allclose(found.values[..., 0], [[[1, 6], [0, 8]]], **CLOSE)
    np.testing.assert_allclose(found.values[..., 1], [[[0, 0], [0, -8]]], **CLOSE)
    np.testing.assert_allclose(found.maps, [[[1, 6], [0, 0]]], **CLOSE)
    # Grad-CAM's one weight for each channel is the mean of w: (1 + 3 - 1 + 2) / 4 and (-2 + 1 + 2) / 4.
    cam = aw.attribute(model, TWO_CHANNELS, "grad_cam", layer="maps", target=0)
    np.testing.assert_allclose(cam.values[..., 0], 5 / 4 * TWO_CHANNELS[..., 0], **CLOSE)
    np.testing.assert_allclose(cam.values[..., 1], 1 / 4 * TWO_CHANNELS[..., 1], **CLOSE)


def test_layer_cam_without_positive_weights_is_that_of_the_others():
    """S = -mean(A_0) / 2 + mean(A_1): only the second channel counts, with 1/4 at every place."""
    found = aw.attribute(pooled_model(), TWO_CHANNELS, "layer_cam", layer="maps", target=1)
    np.testing.assert_allclose(found.maps, [[[1, 0], [0, 0]]], **CLOSE)
    signed = aw.attribute(pooled_model(), TWO_CHANNELS, "layer_cam", layer="maps", target=1, signed=True)
    np.testing.assert_allclose(signed.maps, [[[1, 0], [0, -1]]], **CLOSE)


def test_score_cam_weighs_a_channel_by_what_it_lets_through():
    """The masks are (A_0 - 1) / 3 = [[0, 1/3], [2/3, 1]] and (A_1 + 4) / 8 = [[1, 1/2], [1/2, 0]].

    S = mean(A_0) + mean(A_1) / 2. Through the first mask pass (2/3 + 2 + 4) / 4 = 5/3 and -4/4 = -1,
    so that S = 7/6; through the second (1 + 1 + 3/2) / 4 = 7/8 and 4/4 = 1, so that S = 11/8.
    """
    found = aw.attribute(pooled_model(), TWO_CHANNELS, "score_cam", layer="maps", target=0)
    second = 1 / (1 + np.exp(7 / 6 - 11 / 8))
    np.testing.assert_allclose(found.values[..., 0], (1 - second) * TWO_CHANNELS[..., 0], **CLOSE)
    np.testing.assert_allclose(found.values[..., 1], second * TWO_CHANNELS[..., 1], **CLOSE)
    total = (1 - second) * np.array([[1, 2], [3, 4]]) + second * np.array([[4, 0], [0, -4]])
    assert total.min() < 0
    np.testing.assert_allclose(found.maps, [np.maximum(total, 0)], **CLOSE)


def test_score_cam_weighs_by_the_probability():
    """The two classes' scores are 7/6 and -5/6 - 1 through the first mask, 11/8 and -7/16 + 1 else."""
    found = aw.attribute(
        pooled_model(activation="softmax"), TWO_CHANNELS, "score_cam", layer="maps", target=0
    )
    assert found.scores == "probabilities"
    through = [1 / (1 + np.exp(-11 / 6 - 7 / 6)), 1 / (1 + np.exp(9 / 16 - 11 / 8))]
    second = 1 / (1 + np.exp(through[0] - through[1]))
    np.testing.assert_allclose(found.values[..., 1], second * TWO_CHANNELS[..., 1], **CLOSE)


def test_score_cam_leaves_out_a_channel_that_shows_nothing():
    """The second map is the same everywhere: its weight is 0, and the first has the whole of 1."""
    picture = TWO_CHANNELS.copy()
    picture[..., 1] = 3
    found = aw.attribute(pooled_model(), picture, "score_cam", layer="maps", target=0)
    np.testing.assert_allclose(found.values[..., 1], np.zeros((1, 2, 2)), **CLOSE)
    np.testing.assert_allclose(found.maps, [[[1, 2], [3, 4]]], **CLOSE)


def test_score_cam_enlarges_maps_between_the_centres_of_their_cells():
    """Maps [0, 4] and [2, 0] of a signal of four: the masks are 0, 1/4, 3/4, 1 and 1, 3/4, 1/4, 0.

    S = mean(x_0) + mean(x_1) / 2. The first mask lets through [0, 0, 3, 4] and [0, 1/2, 0, 0], that is
    7/4 + 1/16; the second [0, 0, 1, 0] and [2, 3/2, 0, 0], that is 1/4 + 7/16.
    """
    x = keras.Input((4, 2), name="signal")
    y = layers.GlobalAveragePooling1D(name="gap")(layers.AveragePooling1D(2, name="maps")(x))
    model = keras.Model(x, layers.Dense(2, use_bias=False, name="out")(y))
    model.get_layer("out").set_weights([WEIGHTS])
    signal = np.array([[[0, 2], [0, 2], [4, 0], [4, 0]]], "float32")
    found = aw.attribute(model, signal, "score_cam", layer="maps", target=0)
    second = 1 / (1 + np.exp(29 / 16 - 11 / 16))
    np.testing.assert_allclose(found.values, [[[0, 2 * second], [4 * (1 - second), 0]]], **CLOSE)


# --- through a ReLU ---

SIGNS = np.array([[[[2], [-1]], [[3], [-2]]]], "float32")
DOWN = np.array([1, 1, -1, -1], "float32")
# Where x > 0, v passes; guided, only where v > 0 too; deconvolved, wherever v > 0.
THREE = {
    "saliency": [[1, 0], [-1, 0]],
    "guided_backprop": [[1, 0], [0, 0]],
    "deconvnet": [[1, 1], [0, 0]],
}


class OwnReLU(keras.Model):
    def __init__(self) -> None:
        super().__init__(name="own")
        self.out = layers.Dense(2, use_bias=False, name="out")

    def call(self, x: Any) -> Any:
        return self.out(tf.reshape(tf.nn.relu(x), [-1, 4]))


def one_relu(kind: str) -> Any:
    """S_0 = sum of v relu(x), with v = 1, 1, -1, -1 in reading order; S_1 = -S_0."""
    if kind == "own call":
        model = OwnReLU()
        model(SIGNS)
    else:
        x = keras.Input((2, 2, 1), name="picture")
        if kind == "layer":
            y = layers.ReLU(name="relu")(x)
        elif kind == "relu6":
            y = layers.ReLU(max_value=6, name="relu")(x)
        elif kind == "activation":
            y = layers.Activation("relu", name="relu")(x)
        elif kind == "operation":
            y = keras.ops.relu(x)
        else:
            y = layers.Conv2D(1, 1, activation="relu", kernel_initializer="ones", name="conv")(x)
        model = keras.Model(x, layers.Dense(2, use_bias=False, name="out")(layers.Flatten(name="flat")(y)))
    model.get_layer("out").set_weights([np.stack([DOWN, -DOWN], 1)])
    return model


@pytest.mark.parametrize("method", THREE)
@pytest.mark.parametrize("kind", ["layer", "relu6", "activation", "operation", "fused", "own call"])
def test_three_ways_back_through_a_relu(kind, method):
    found = aw.attribute(one_relu(kind), SIGNS, method, target=0)
    np.testing.assert_allclose(found.values[..., 0], [THREE[method]], **CLOSE)
    np.testing.assert_allclose(found.maps, np.abs([THREE[method]]), **CLOSE)


def test_above_six_relu6_is_shut_but_for_the_deconvnet():
    """The input 7 is beyond the linear part; v is 1 there."""
    high = np.array([[[[7], [5]], [[-1], [5]]]], "float32")
    expected = {
        "saliency": [[0, 1], [0, -1]],
        "guided_backprop": [[0, 1], [0, 0]],
        "deconvnet": [[1, 1], [0, 0]],
    }
    for method, values in expected.items():
        found = aw.attribute(one_relu("relu6"), high, method, target=0)
        np.testing.assert_allclose(found.values[..., 0], [values], err_msg=method, **CLOSE)


def test_two_relus_in_a_row_are_passed_one_after_the_other():
    """h = relu(x_0 + x_1), relu(x_1 - x_0); u = relu(h_0 - h_1 + 5), relu(h_1 - 9).

    S_0 = u_0 + u_1 and S_1 = 2 u_1 - u_0. At x = (1, 2) h is (3, 1), and u_1 = relu(-8) is shut.
    """
    x = keras.Input((2,), name="pair")
    y = layers.Dense(2, activation="relu", use_bias=False, name="first")(x)
    y = layers.Dense(2, activation="relu", name="second")(y)
    model = keras.Model(x, layers.Dense(2, use_bias=False, name="out")(y))
    model.get_layer("first").set_weights([np.array([[1, -1], [1, 1]], "float32")])
    model.get_layer("second").set_weights(
        [np.array([[1, 0], [-1, 1]], "float32"), np.array([5, -9], "float32")]
    )
    model.get_layer("out").set_weights([np.array([[1, -1], [1, 2]], "float32")])
    pair = np.array([[1, 2]], "float32")
    # S_0 = h_0 - h_1 + 5 = 2 x_0 + 5.
    plain = aw.attribute(model, pair, "saliency", target=0)
    np.testing.assert_allclose(plain.values[..., 0], [[2, 0]], **CLOSE)
    # (1, 0) comes out of the second ReLU, (1, -1) arrives at h, (1, 0) passes: x_0 + x_1.
    guided = aw.attribute(model, pair, "guided_backprop", target=0)
    np.testing.assert_allclose(guided.values[..., 0], [[1, 1]], **CLOSE)
    # Of (-1, 2) the second ReLU passes (0, 2), which is (0, 2) at h: 2 (x_1 - x_0).
    deconvolved = aw.attribute(model, pair, "deconvnet", target=1)
    np.testing.assert_allclose(deconvolved.values[..., 0], [[-2, 2]], **CLOSE)
    # S_1 = -u_0 = -2 x_0 - 5.
    against = aw.attribute(model, pair, "saliency", target=1)
    np.testing.assert_allclose(against.values[..., 0], [[-2, 0]], **CLOSE)


def test_a_leaky_relu_is_no_relu():
    """Its slope of 1/4 below zero stays, for every method."""
    x = keras.Input((2, 2, 1), name="picture")
    y = layers.Flatten(name="flat")(layers.LeakyReLU(0.25, name="leaky")(x))
    model = keras.Model(x, layers.Dense(2, use_bias=False, name="out")(y))
    model.get_layer("out").set_weights([np.stack([DOWN, -DOWN], 1)])
    for method in THREE:
        found = aw.attribute(model, SIGNS, method, target=0)
        np.testing.assert_allclose(found.values[..., 0], [[[1, 0.25], [-1, -0.25]]], **CLOSE)


# --- targets ---


def places_model(activation: Any = None) -> Any:
    """Every place has two scores of its own: 2 x and -3 x."""
    x = keras.Input((2, 2, 1), name="picture")
    y = layers.Conv2D(2, 1, use_bias=False, activation=activation, name="places")(x)
    model = keras.Model(x, y)
    model.get_layer("places").set_weights([np.array([2, -3], "float32").reshape(1, 1, 1, 2)])
    return model


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_the_places_of_an_output_are_averaged_or_taken_one_by_one(activation):
    """The mean over four places has 2/4 and -3/4 everywhere; one place has 2 or -3 there alone."""
    model = places_model(activation)
    for unit, weight in ((0, 2), (1, -3)):
        for target in (unit, aw.Target(unit)):
            found = aw.attribute(model, SIGNS, "saliency", target=target)
            np.testing.assert_allclose(found.values, np.full((1, 2, 2, 1), weight / 4), **CLOSE)
        one = aw.attribute(model, SIGNS, "saliency", target=aw.Target(unit, at=(0, 1)))
        np.testing.assert_allclose(one.values[..., 0], [[[0, weight], [0, 0]]], **CLOSE)


def hidden_model() -> Any:
    """The layer `hidden` has the channels x^2 and -x^2 + 1; its mean goes into two classes."""
    x = keras.Input((2, 2, 1), name="picture")
    y = layers.Lambda(lambda t: tf.concat([t**2, 1 - t**2], -1), name="hidden")(x)
    y = layers.GlobalAveragePooling2D(name="gap")(y)
    return keras.Model(x, layers.Dense(2, activation="softmax", name="out")(y))


def test_a_unit_of_a_layer_is_explained_as_it_is():
    """The mean of x^2 has the gradient 2 x / 4; the place (1, 0) alone has 2 * 3."""
    for unit, sign in ((0, 1), (1, -1)):
        found = aw.attribute(hidden_model(), SIGNS, "saliency", target=aw.Target(unit, layer="hidden"))
        assert found.scores == "activations"
        np.testing.assert_allclose(found.values[..., 0], [[[sign, -sign / 2], [1.5 * sign, -sign]]], **CLOSE)
        one = aw.attribute(
            hidden_model(), SIGNS, "gradient_x_input", target=aw.Target(unit, layer="hidden", at=(1, 0))
        )
        np.testing.assert_allclose(one.maps, [[[0, 0], [18 * sign, 0]]], **CLOSE)


def test_a_unit_of_a_layer_loses_what_is_hidden():
    """Without a place, the mean of x^2 loses x^2 / 4."""
    found = aw.attribute(
        hidden_model(),
        SIGNS,
        "occlusion",
        target=aw.Target(0, layer="hidden"),
        patch=1,
        stride=1,
        fill=0,
    )
    assert found.scores == "activations"
    np.testing.assert_allclose(found.maps, [[[1, 0.25], [2.25, 1]]], **CLOSE)


ONE = np.array([[[[1], [-1]], [[2], [0.5]]]], "float32")


def one_unit_model() -> Any:
    """The logit is x_00 + x_01 + 2 x_10 - 4 x_11, at ONE 1 - 1 + 4 - 2 = 2."""
    weights = np.array([1, 1, 2, -4], "float32").reshape(2, 2, 1, 1)
    return linear_model(weights, "sigmoid")


@pytest.mark.parametrize(("target", "sign"), [(1, 1), (0, -1)])
def test_one_unit_speaks_for_and_against(target, sign):
    w = np.array([[1, 1], [2, -4]])
    plain = aw.attribute(one_unit_model(), ONE, "saliency", target=target)
    np.testing.assert_allclose(plain.values[..., 0], [sign * w], **CLOSE)
    p = 1 / (1 + np.exp(-2))
    probable = aw.attribute(one_unit_model(), ONE, "saliency", target=target, scores="probabilities")
    np.testing.assert_allclose(probable.values[..., 0], [sign * p * (1 - p) * w], **CLOSE)
    # Without each of its places the logit is 2 - w x = 1, 3, -2, 4.
    hidden = aw.attribute(one_unit_model(), ONE, "occlusion", target=target, patch=1, stride=1, fill=0)
    left = 1 / (1 + np.exp([[-1, -3], [2, -4]]))
    np.testing.assert_allclose(hidden.maps, [sign * (p - left)], **CLOSE)


def depth_model() -> Any:
    """Two classes, and at every place a depth of -3 x: at ONE -3, 3, -6, -1.5, in the mean -1.875."""
    x = keras.Input((2, 2, 1), name="picture")
    depth = layers.Conv2D(1, 1, use_bias=False, name="depth")
    kind = layers.Dense(2, activation="softmax", name="kind")
    model = keras.Model(x, {"depth": depth(x), "kind": kind(layers.Flatten(name="flat")(x))})
    depth.set_weights([np.full((1, 1, 1, 1), -3, "float32")])
    return model


@pytest.mark.parametrize("place", [{"output": "depth"}, {"layer": "depth"}])
def test_the_only_unit_of_an_output_or_layer_is_its_value(place):
    found = aw.attribute(depth_model(), ONE, "gradient_x_input", target=aw.Target(0, **place))
    np.testing.assert_allclose(found.score, [-1.875], **CLOSE)
    np.testing.assert_allclose(found.maps, [[[-0.75, 0.75], [-1.5, -0.375]]], **CLOSE)
    one = aw.attribute(depth_model(), ONE, "gradient_x_input", target=aw.Target(0, at=(1, 0), **place))
    np.testing.assert_allclose(one.score, [-6], **CLOSE)
    with pytest.raises(aw.TargetError, match=r"depth' has no such unit.*unit=1.*from 0 to 0"):
        aw.attribute(depth_model(), ONE, "saliency", target=aw.Target(1, **place))


def test_the_only_unit_of_the_main_output_is_its_value():
    """`Target(0)` is the logit of 2, the class 0 what speaks against it."""
    found = aw.attribute(one_unit_model(), ONE, "gradient_x_input", target=aw.Target(0))
    np.testing.assert_allclose(found.score, [2], **CLOSE)
    np.testing.assert_allclose(found.maps, [[[1, -1], [4, -2]]], **CLOSE)
    alone = aw.Session(one_unit_model(), ONE).attribution("saliency", target=aw.Target(0), sample=0)
    assert alone.target == 1
    with pytest.raises(aw.TargetError, match="output has no such unit"):
        aw.attribute(one_unit_model(), ONE, "saliency", target=aw.Target(1))


def test_what_a_plain_regressor_gives_is_explained_where_it_is_negative_too():
    """Of 3 x_0 - 2 x_1: 4 and -3."""
    x = keras.Input((2,), name="numbers")
    model = keras.Model(x, layers.Dense(1, use_bias=False, name="out")(x))
    model.set_weights([np.array([[3], [-2]], "float32")])
    numbers = np.array([[2, 1], [1, 3]], "float32")
    found = aw.attribute(model, numbers, "gradient_x_input")
    assert found.target == (1, 1)
    np.testing.assert_allclose(found.score, [4, -3], **CLOSE)
    np.testing.assert_allclose(found.values[..., 0], [[6, -2], [3, -6]], **CLOSE)
    against = aw.attribute(model, numbers, "gradient_x_input", target=0)
    np.testing.assert_array_equal(against.values, -found.values)
    session = aw.Session(model, numbers, labels=["price"])
    session.selection.sample = 1
    chooser = aw.ClassSelector(session)
    told = [(option.name, option.facts) for option in chooser._list.options]
    assert told == [("as predicted", "for price"), ("for price", "-3"), ("against price", "3")]
    assert session.target_name(aw.Target(0)) == "for price"


def two_outputs(nest: str) -> Any:
    """Classes of weights 1 and 2 in the first output, 3, 4 and 5 in the second."""
    x = keras.Input((2, 2, 1), name="picture")
    flat = layers.Flatten(name="flat")(x)
    first = layers.Dense(2, use_bias=False, activation="softmax", name="kind")
    second = layers.Dense(3, use_bias=False, name="age")
    outputs = [first(flat), second(flat)]
    model = keras.Model(x, dict(zip(["a", "b"], outputs, strict=True)) if nest == "dict" else outputs)
    first.set_weights([np.tile(np.array([[1, 2]], "float32"), (4, 1))])
    second.set_weights([np.tile(np.array([[3, 4, 5]], "float32"), (4, 1))])
    return model


@pytest.mark.parametrize(
    ("nest", "output", "weights"),
    [
        ("list", 0, [1, 2]),
        ("list", 1, [3, 4, 5]),
        ("dict", "a", [1, 2]),
        ("dict", "b", [3, 4, 5]),
        ("dict", 1, [3, 4, 5]),
        ("list", None, [1, 2]),
        ("dict", None, [1, 2]),
    ],
)
def test_an_output_is_chosen_by_its_place_or_its_key(nest, output, weights):
    for unit, weight in enumerate(weights):
        found = aw.attribute(two_outputs(nest), SIGNS, "saliency", target=aw.Target(unit, output=output))
        np.testing.assert_allclose(found.values, np.full((1, 2, 2, 1), weight), **CLOSE)


# --- logits and probabilities ---


class OwnSoftmax(keras.Model):
    def __init__(self) -> None:
        super().__init__(name="own")
        self.out = layers.Dense(2, use_bias=False, name="out")

    def call(self, x: Any) -> Any:
        return tf.nn.softmax(self.out(tf.reshape(x, [-1, 8])))


def softmax_model(ending: str) -> Any:
    if ending == "own call":
        model = OwnSoftmax()
        model(PICTURE)
    else:
        x = keras.Input((2, 2, 2), name="picture")
        fused = "softmax" if ending == "fused" else None
        dense = layers.Dense(2, use_bias=False, activation=fused, name="out")
        y = dense(layers.Flatten(name="flat")(x))
        if ending == "layer":
            y = layers.Softmax(name="last")(y)
        elif ending == "function":
            y = keras.ops.softmax(y)
        elif ending == "activation, then reshaped":
            y = layers.Reshape((2,), name="shape")(layers.Activation("softmax", name="last")(y))
        model = keras.Model(x, y)
    model.get_layer("out").set_weights([LINEAR.reshape(8, 2) / 8])
    return model


@pytest.mark.parametrize("ending", ["fused", "layer", "function", "own call", "activation, then reshaped"])
def test_logits_unless_probabilities_are_asked_for(ending):
    """dp_0/dx = p_0 p_1 (w_0 - w_1), with the logits (0 + 6 - 4 + 10) / 8 and (1 + 6 + 26 - 5) / 8."""
    model = softmax_model(ending)
    found = aw.attribute(model, PICTURE, "saliency", target=0)
    assert found.scores == "logits"
    np.testing.assert_allclose(found.values[0], LINEAR[..., 0] / 8, **CLOSE)
    probable = aw.attribute(model, PICTURE, "saliency", target=0, scores="probabilities")
    assert probable.scores == "probabilities"
    p = 1 / (1 + np.exp(28 / 8 - 12 / 8))
    expected = p * (1 - p) * (LINEAR[..., 0] - LINEAR[..., 1]) / 8
    np.testing.assert_allclose(probable.values[0], expected, **CLOSE)


@pytest.mark.parametrize("function", ["softmax", "sigmoid"])
@pytest.mark.parametrize("shape", [(4, 3), (1, 4, 3), (2, 2, 1, 3)])
def test_probabilities_may_be_reshaped_and_their_logits_are_found(function, shape):
    """z = w_c x at each of four places: dz/dx = w_c, a quarter of it where places are averaged."""
    x = keras.Input((2, 2, 1), name="picture")
    y = layers.Conv2D(3, 1, use_bias=False, activation=function, name="out")(x)
    model = keras.Model(x, layers.Reshape(shape, name="shape")(y))
    model.get_layer("out").set_weights([np.array([1.0, -2, 3], "float32").reshape(1, 1, 1, 3)])
    mean = aw.attribute(model, SIGNS, "saliency", target=1)
    assert mean.scores == "logits"
    np.testing.assert_allclose(mean.values, np.full((1, 2, 2, 1), -0.5), **CLOSE)
    at = np.unravel_index(2, shape[:-1])
    one = aw.attribute(model, SIGNS, "saliency", target=aw.Target(2, at=tuple(map(int, at))))
    np.testing.assert_allclose(one.values[0, ..., 0], [[0, 0], [3, 0]], **CLOSE)


@pytest.mark.parametrize("is_traced", [True, False])
def test_the_only_probability_may_lose_its_axis(is_traced):
    class Squeezed(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="squeezed")
            self.out = layers.Dense(1, use_bias=False, kernel_initializer="ones", activation="sigmoid")

        def call(self, x: Any) -> Any:
            if not is_traced:
                assert float(tf.reduce_sum(x).numpy()) < 1e9
            return tf.squeeze(self.out(tf.reshape(x, [-1, 4])), -1)

    found = aw.attribute(Squeezed(), SIGNS, "saliency", target=0)
    assert found.scores == "logits"
    np.testing.assert_allclose(found.values, np.full((1, 2, 2, 1), -1.0), **CLOSE)


# --- axes ---

SHAPES = [(4, 3), (3, 2, 3), (2, 4, 3, 3)]


@pytest.mark.parametrize("shape", SHAPES)
def test_one_two_and_three_axes(shape):
    """A linear score again: w, w x, w (x - x0), sum_c w x."""
    rng = np.random.default_rng(3)
    w, x = rng.normal(size=(*shape, 2)).astype("float32"), rng.normal(size=(2, *shape)).astype("float32")
    model, weights = linear_model(w), w[..., 1]
    expected = {
        "saliency": np.broadcast_to(np.abs(weights).max(-1), x.shape[:-1]),
        "guided_backprop": np.broadcast_to(np.abs(weights).max(-1), x.shape[:-1]),
        "deconvnet": np.broadcast_to(np.abs(weights).max(-1), x.shape[:-1]),
        "smooth_grad": np.broadcast_to(np.abs(weights).max(-1), x.shape[:-1]),
        "gradient_x_input": (weights * x).sum(-1),
        "integrated_gradients": (weights * x).sum(-1),
    }
    for method, maps in expected.items():
        found = aw.attribute(model, x, method, target=1)
        assert found.values.shape == x.shape
        np.testing.assert_allclose(found.maps, maps, rtol=1e-4, atol=1e-5, err_msg=method)
    hidden = aw.attribute(model, x, "occlusion", target=1, patch=1, stride=1, fill=0)
    np.testing.assert_allclose(hidden.maps, (weights * x).sum(-1), rtol=1e-4, atol=1e-5)
    chance = aw.attribute(model, x, "rise", target=1, masks=50, cells=2)
    assert chance.maps.shape == x.shape[:-1] and np.isfinite(chance.maps).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_activation_maps_of_one_two_and_three_axes(shape):
    """S = sum of w A: the gradient is w at every place, and its mean the weight of a channel."""
    rng = np.random.default_rng(4)
    w, a = rng.normal(size=(*shape, 2)).astype("float32"), rng.normal(size=(2, *shape)).astype("float32")
    x = keras.Input(shape, name="picture")
    y = layers.Flatten(name="flat")(layers.Activation("linear", name="maps")(x))
    model = keras.Model(x, layers.Dense(2, use_bias=False, name="out")(y))
    model.get_layer("out").set_weights([w.reshape(-1, 2)])
    g, places = w[..., 0], tuple(range(len(shape) - 1))
    layer = aw.attribute(model, a, "layer_cam", layer="maps", target=0)
    np.testing.assert_allclose(layer.values, np.maximum(g, 0) * a, **CLOSE)
    cam = aw.attribute(model, a, "grad_cam", layer="maps", target=0)
    np.testing.assert_allclose(cam.values, g.mean(places) * a, **CLOSE)
    chosen = aw.attribute(model, a, "score_cam", layer="maps", target=0)
    axes = tuple(range(1, a.ndim - 1))
    low, high = a.min(axes, keepdims=True), a.max(axes, keepdims=True)
    masks = (a - low) / (high - low)
    # What passes the mask of channel k: sum over places and channels of w a H_k.
    through = np.stack([(g * a * masks[..., k : k + 1]).reshape(2, -1).sum(1) for k in range(3)], 1)
    weights = np.exp(through) / np.exp(through).sum(1, keepdims=True)
    np.testing.assert_allclose(
        chosen.values, weights.reshape(2, *[1] * len(axes), 3) * a, rtol=1e-4, atol=1e-5
    )


def channels_first_model(w: np.ndarray) -> Any:
    """S = sum of w x, with the channels on the first axis of every sample."""
    x = keras.Input(w.shape[:-1], name="picture")
    y = layers.MaxPooling2D(1, data_format="channels_first", name="maps")(x)
    model = keras.Model(x, layers.Dense(2, use_bias=False, name="out")(layers.Flatten(name="flat")(y)))
    model.get_layer("out").set_weights([w.reshape(-1, 2)])
    return model


def test_channels_that_come_first_are_given_last():
    rng = np.random.default_rng(5)
    w, x = rng.normal(size=(3, 4, 5, 2)).astype("float32"), rng.normal(size=(2, 3, 4, 5)).astype("float32")
    weights, last = np.moveaxis(w[..., 1], 0, -1), np.moveaxis(x, 1, -1)
    model = channels_first_model(w)
    cam = aw.attribute(model, x, "layer_cam", layer="maps", target=1)
    np.testing.assert_allclose(cam.values, np.maximum(weights, 0) * last, **CLOSE)
    for layer in ("maps", None):
        times = aw.attribute(model, x, "gradient_x_input", layer=layer, target=1)
        np.testing.assert_allclose(times.values, weights * last, **CLOSE)
        assert times.maps.shape == (2, 4, 5)
    start = rng.normal(size=x.shape[1:]).astype("float32")
    path = aw.attribute(model, x, "integrated_gradients", target=1, baseline=start)
    np.testing.assert_allclose(
        path.values, weights * (last - np.moveaxis(start, 0, -1)), rtol=1e-4, atol=1e-5
    )
    hidden = aw.attribute(model, x, "occlusion", target=1, patch=1, stride=1, fill=0)
    np.testing.assert_allclose(hidden.values[..., 0], (weights * last).sum(-1), rtol=1e-4, atol=1e-5)


def test_a_vector_has_a_map_of_its_features():
    """A vector has no channels: every feature is a place."""
    w, x = np.array([[1, 0], [-2, 1], [3, 4]], "float32"), np.array([[2, 1, -1], [0, 1, 2]], "float32")
    found = aw.attribute(linear_model(w), x, "gradient_x_input", target=0)
    np.testing.assert_allclose(found.maps, [[2, -2, -3], [0, -2, 6]], **CLOSE)
    assert found.values.shape == (2, 3, 1)
    start = np.array([1, 1, -1], "float32")  # w (x - x0) = [1, 0, 0] and [-1, 0, 9]
    path = aw.attribute(linear_model(w), x, "integrated_gradients", target=0, baseline=start)
    np.testing.assert_allclose(path.maps, [[1, 0, 0], [-1, 0, 9]], **CLOSE)
    hidden = aw.attribute(linear_model(w), x, "occlusion", target=0, patch=1, stride=1, fill=0)
    np.testing.assert_allclose(hidden.maps, [[2, -2, -3], [0, -2, 6]], **CLOSE)


def test_words_are_explained_by_their_embeddings():
    """Words are no numbers to differentiate by. The words 2 and 0 are embedded as (5, 6) and (1, 2).

    S_0 = 1 (5) - 1 (6) + 2 (1) + 3 (2).
    """
    x = keras.Input((2,), dtype="int32", name="words")
    y = layers.Flatten(name="flat")(layers.Embedding(3, 2, name="embed")(x))
    model = keras.Model(x, layers.Dense(2, use_bias=False, activation="softmax", name="out")(y))
    model.get_layer("embed").set_weights([np.array([[1, 2], [3, 4], [5, 6]], "float32")])
    w = np.array([1, -1, 2, 3], "float32")
    model.get_layer("out").set_weights([np.stack([w, -w], 1)])
    words = np.array([[2, 0]], "int32")
    for method in ("gradient_x_input", "integrated_gradients"):
        found = aw.attribute(model, words, method, layer="embed", target=0)
        assert found.layer == "embed"
        np.testing.assert_allclose(found.values, [[[5, -6], [2, 6]]], **CLOSE)
        np.testing.assert_allclose(found.maps, [[-1, 8]], **CLOSE)
    slopes = aw.attribute(model, words, "saliency", layer="embed", target=1)
    np.testing.assert_allclose(slopes.maps, [[1, 3]], **CLOSE)
    # The logit is 7; without its first word it is 8, without its second -1.
    hidden = aw.attribute(
        model, words, "occlusion", layer="embed", target=0, patch=1, stride=1, fill=0, scores="logits"
    )
    np.testing.assert_allclose(hidden.maps, [[-1, 8]], **CLOSE)


# --- grids of tokens ---


def token_model(class_tokens: int) -> tuple[Any, np.ndarray]:
    """A picture of 4 x 6 in patches of 2 x 2: a grid of 2 x 3 tokens behind the class tokens.

    Every token has two channels: the sum and minus the sum of its patch. A class token has 100.
    S_0 is the sum of v times the tokens.
    """
    x = keras.Input((4, 6, 1), name="picture")
    patches = layers.Conv2D(2, 2, strides=2, use_bias=False, name="patches")
    y = layers.Reshape((6, 2), name="in_a_row")(patches(x))
    if class_tokens:
        aside = layers.Lambda(lambda t: 0 * t[:, :class_tokens] + 100.0, name="aside")(y)
        y = layers.Concatenate(axis=1, name="with_class")([aside, y])
    y = layers.Flatten(name="flat")(layers.Activation("linear", name="tokens")(y))
    out = layers.Dense(2, use_bias=False, name="out")
    model = keras.Model(x, out(y))
    patches.set_weights([np.stack([np.ones((2, 2, 1)), -np.ones((2, 2, 1))], -1).astype("float32")])
    tokens = 6 + class_tokens
    v = np.arange(1, 2 * tokens + 1, dtype="float32").reshape(tokens, 2)
    out.set_weights([np.stack([v.ravel(), -v.ravel()], 1)])
    return model, v[class_tokens:].reshape(2, 3, 2)


# The sums of the six patches of 0..23 in rows of six: 0 + 1 + 6 + 7 = 14, then 8 more each; 62 below.
PICTURE_OF_TOKENS = np.arange(24, dtype="float32").reshape(1, 4, 6, 1)
SUMS = np.array([[14, 22, 30], [62, 70, 78]], "float32")


@pytest.mark.parametrize("class_tokens", [0, 1, 2])
def test_tokens_are_folded_to_the_grid_of_their_patches(class_tokens):
    model, v = token_model(class_tokens)
    tokens = np.stack([SUMS, -SUMS], -1)
    found = aw.attribute(model, PICTURE_OF_TOKENS, "layer_cam", layer="tokens", target=0)
    assert found.maps.shape == (1, 2, 3) and found.values.shape == (1, 2, 3, 2)
    np.testing.assert_allclose(found.values[0], v * tokens, **CLOSE)
    times = aw.attribute(model, PICTURE_OF_TOKENS, "gradient_x_input", layer="tokens", target=1)
    np.testing.assert_allclose(times.maps[0], (-v * tokens).sum(-1), **CLOSE)


@pytest.mark.parametrize("class_tokens", [0, 1, 2])
def test_the_weight_of_a_channel_is_the_mean_over_the_grid(class_tokens):
    """The class tokens are no places: neither their gradients nor their values of 100 count."""
    model, v = token_model(class_tokens)
    tokens = np.stack([SUMS, -SUMS], -1)
    found = aw.attribute(model, PICTURE_OF_TOKENS, "grad_cam", layer="tokens", target=0)
    np.testing.assert_allclose(found.values[0], v.mean((0, 1)) * tokens, **CLOSE)
