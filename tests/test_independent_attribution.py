"""The reference itself against numbers worked out by hand; no package has a part in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from . import independent_attribution as by_hand
from .independent_attribution import DECONVNET, GUIDED, PLAIN

# As in tests/test_grad_cam.py: the channels [[1, 2], [3, 4]] and [[4, 0], [0, -4]].
TWO = np.array([[[[1, 4], [2, 0]], [[3, 0], [4, -4]]]], "float32")
W = np.array([[[[1, 0.5], [-2, 1]], [[3, -1], [0, 2]]]], "float32")
CLOSE = {"rtol": 1e-6, "atol": 1e-6}


def pooled(a: Any) -> Any:
    """S = mean(A_0) + mean(A_1) / 2."""
    return tf.reduce_mean(a[..., 0], (1, 2)) + tf.reduce_mean(a[..., 1], (1, 2)) / 2


def linear(x: Any) -> Any:
    return tf.reduce_sum(W * x, (1, 2, 3))


def cube(x: Any) -> Any:
    return tf.reduce_sum(x**3, (1, 2, 3))


def test_the_four_activation_maps():
    """Worked out in tests/test_attribution_closed_forms.py."""
    second = 1 / (1 + np.exp(7 / 6 - 11 / 8))
    weights = {
        by_hand.grad_cam: (1 / 4, 1 / 8),
        by_hand.grad_cam_pp: (2 / 9, 1 / 4),
        by_hand.layer_cam: (1 / 4, 1 / 8),
    }
    for method, pair in weights.items():
        np.testing.assert_allclose(method(pooled, TWO).values, TWO * pair, **CLOSE)
    found = by_hand.score_cam(pooled, TWO, TWO)
    np.testing.assert_allclose(found.values, TWO * (1 - second, second), **CLOSE)
    signed = by_hand.grad_cam_pp(pooled, TWO, signed=True)
    np.testing.assert_allclose(signed.maps, [[[11 / 9, 4 / 9], [6 / 9, -1 / 9]]], **CLOSE)
    np.testing.assert_allclose(by_hand.grad_cam_pp(pooled, TWO).maps.min(), 0, **CLOSE)


def test_the_gradients_of_a_linear_score():
    np.testing.assert_allclose(by_hand.saliency(linear, TWO).maps, [[[1, 2], [3, 2]]], **CLOSE)
    np.testing.assert_allclose(by_hand.gradient_x_input(linear, TWO).values, W * TWO, **CLOSE)
    np.testing.assert_allclose(by_hand.integrated_gradients(linear, TWO, 1.0).values, W * (TWO - 1), **CLOSE)
    mean, spread = by_hand.smooth_grad(linear, TWO, 5, 0.1, 0)
    np.testing.assert_allclose(mean, W, **CLOSE)
    np.testing.assert_allclose(spread, 0 * W, **CLOSE)
    lost = by_hand.occlusion(linear, TWO, 1, 1, 0.0)
    np.testing.assert_allclose(lost.maps, (W * TWO).sum(-1), **CLOSE)


def test_the_integral_of_a_cube():
    """The integral of 3 (a x)^2 x is x^3; the midpoints of n steps miss a share of 1/(4 n^2)."""
    np.testing.assert_allclose(by_hand.integrated_gradients(cube, TWO).values, TWO**3, rtol=1e-5)


def test_three_ways_back_through_a_relu():
    x = tf.constant([[2.0, -1.0, 3.0, -2.0, 7.0]])
    v = tf.constant([[1.0, 1.0, -1.0, -1.0, 1.0]])
    for gates, relu, relu6 in (
        (PLAIN, [1, 0, -1, 0, 1], [1, 0, -1, 0, 0]),
        (GUIDED, [1, 0, 0, 0, 1], [1, 0, 0, 0, 0]),
        (DECONVNET, [1, 1, 0, 0, 1], [1, 1, 0, 0, 1]),
    ):
        for passing, expected in zip(gates, (relu, relu6), strict=True):
            found = by_hand.gradient(lambda a, f=passing: tf.reduce_sum(v * f(a), 1), x)
            np.testing.assert_allclose(found, [expected])
            np.testing.assert_allclose(passing(x)[0, :4], [2, 0, 3, 0])


@pytest.mark.parametrize("keep", [0.3, 0.6])
def test_the_masks_of_rise(keep):
    """Their mean is `keep` everywhere, and inside the squares of one place are known.

    A place mixes four cells with the weights a and 1 - a on each axis, a = 1/8, 3/8, 5/8, 7/8 by the
    shift: E[M^2] = keep^2 + keep (1 - keep) (21/32)^2.
    """
    masks = by_hand.rise_masks((16, 16), 4000, 4, keep, np.random.default_rng(0))
    assert masks.shape == (4000, 16, 16) and masks.min() >= 0 and masks.max() <= 1
    np.testing.assert_allclose(masks.mean(0), np.full((16, 16), keep), atol=5 * 0.5 / np.sqrt(4000))
    square = keep**2 + keep * (1 - keep) * (21 / 32) ** 2
    np.testing.assert_allclose((masks[:, 4, 5] ** 2).mean(), square, atol=5 * 0.5 / np.sqrt(4000))
