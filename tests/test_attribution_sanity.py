"""What every attribution method has to fulfil on a trained model, and that it leaves the model as it was."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import act_widgets as aw

from .fresh import run_fresh
from .test_attribution_agrees import taken_apart
from .zoo import digits

# Few samples and masks: enough for a map, quick enough for a test.
METHODS: dict[str, dict[str, Any]] = {
    "grad_cam": {},
    "grad_cam_pp": {},
    "layer_cam": {},
    # The softmax of 48 probabilities is nearly even, whatever the class; that of logits is not.
    "score_cam": {"scores": "logits"},
    "saliency": {},
    "gradient_x_input": {},
    "smooth_grad": {"samples": 25},
    "integrated_gradients": {},
    "guided_backprop": {},
    "deconvnet": {},
    "occlusion": {},
    "rise": {"masks": 400, "cells": 4},
}
MAP_METHODS = ["grad_cam", "grad_cam_pp", "layer_cam", "score_cam"]


@cache
def session() -> Any:
    model, images, _ = digits()
    return aw.Session(model, images)


@cache
def explained(method: str, target: int | None = None) -> Any:
    return session().attribution(method, target=target, **METHODS[method])


def correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """How each sample's two maps go together, their means aside; 0 where one of them is blank."""
    a, b = (m.reshape(len(m), -1) - m.mean((1, 2)).reshape(-1, 1) for m in (a, b))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(1) / np.where(lengths > 0, lengths, 1)


@pytest.mark.parametrize("method", METHODS)
def test_the_predicted_class_has_a_finite_map_that_shows_something(method):
    found = explained(method)
    assert found.target == (0, 1, 2, 3, 4)
    assert np.isfinite(found.maps).all() and np.isfinite(found.values).all()
    for sample in range(5):
        assert found.blank_reason(sample) is None
        assert np.ptp(found.maps[sample]) > 0


@pytest.mark.parametrize("method", METHODS)
def test_another_class_has_another_map(method):
    """A method that ignores the class gives the same map twice, with a correlation of 1."""
    assert (correlations(explained(method, 0).maps, explained(method, 7).maps) < 0.99).all()


@pytest.mark.parametrize("method", METHODS)
def test_every_map_has_the_shape_of_what_it_is_a_map_of(method):
    found = explained(method)
    assert found.maps.shape == (5, 8, 8) and found.maps.dtype == np.float32
    assert found.values.shape[:-1] == (5, 8, 8) and found.values.dtype == np.float32
    assert (found.layer == "block3_relu2") == (method in MAP_METHODS)
    assert found.signed == (method in ("gradient_x_input", "integrated_gradients", "occlusion"))
    if not found.signed and method != "rise":
        assert found.maps.min() >= 0


@pytest.mark.parametrize("bound", [0.05, 0.002])
@pytest.mark.parametrize("target", [None, 7])
def test_integrated_gradients_keep_the_bound_they_are_given(bound, target):
    found = session().attribution("integrated_gradients", target=target, bound=bound, steps=1024)
    assert found.completeness.shape == (5,) and (found.completeness <= bound).all()


def test_integrated_gradients_add_up_to_what_the_score_gained():
    """The logit of the picture less that of a black one, both by a way of their own."""
    apart = taken_apart("digits", 5)
    score = apart.of_image(7)
    gained = (score(apart.image) - score(np.zeros_like(apart.image))).numpy()
    found = session().attribution("integrated_gradients", target=7, bound=0.001, steps=1024)
    np.testing.assert_allclose(found.values.sum((1, 2, 3)), gained, rtol=0.0011)


@pytest.mark.parametrize("method", ["guided_backprop", "deconvnet"])
def test_other_gradients_leave_the_model_as_it_was(method):
    model, images, _ = aw.samples.digits()
    images = images[:5]
    weights, outputs = model.get_weights(), np.asarray(model(images))
    plain = aw.attribute(model, images, "saliency", target=3).values
    other = aw.attribute(model, images, method, target=3).values
    assert np.abs(other - plain).max() > 0.1 * np.abs(plain).max()
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(outputs, model(images))
    # The next plain gradient is a plain one again, in the same session too.
    same = aw.Session(model, images)
    same.attribution(method, target=3)
    np.testing.assert_allclose(same.attribution("saliency", target=3).values, plain, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(same.attribution(method, target=3).values, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_a_sample_explained_alone_has_its_map_of_the_batch(method):
    found = session().attribution(method, target=7, sample=3, **METHODS[method])
    whole = explained(method, 7)
    assert found.maps.shape == (1, 8, 8)
    if method in ("rise", "smooth_grad"):  # drawn anew: alike, not the same
        assert correlations(found.maps, whole.maps[3:4]) > 0.7
    else:
        np.testing.assert_allclose(
            found.maps[0], whole.maps[3], rtol=1e-3, atol=1e-4 * np.abs(whole.maps[3]).max()
        )


MINI_XCEPTION = """
import keras
import numpy as np
from keras import layers
import act_widgets as aw

def normalised(layer, y):
    return layers.BatchNormalization()(layer(y))

def block(y, filters):
    aside = normalised(layers.Conv2D(filters, 1, strides=2, padding="same", use_bias=False), y)
    for last in (False, True):
        y = normalised(layers.SeparableConv2D(filters, 3, padding="same", use_bias=False), y)
        y = y if last else layers.ReLU()(y)
    return layers.Add()([layers.MaxPooling2D(3, strides=2, padding="same")(y), aside])

keras.utils.set_random_seed(0)
x = keras.Input((32, 32, 1))
y = layers.ReLU()(normalised(layers.Conv2D(4, 3, use_bias=False), x))
for filters in (3, 5, 8):
    y = block(y, filters)
y = layers.GlobalAveragePooling2D()(layers.Conv2D(7, 3, padding="same")(y))
model = keras.Model(x, layers.Activation("softmax")(y))
images = np.random.default_rng(0).normal(size=(3, 32, 32, 1)).astype("float32")
session = aw.Session(model, images)
for method, params in {
    "grad_cam": {}, "grad_cam_pp": {}, "layer_cam": {}, "saliency": {}, "gradient_x_input": {},
    "guided_backprop": {}, "deconvnet": {}, "integrated_gradients": {"steps": 16},
    "smooth_grad": {"samples": 4},
}.items():
    found = session.attribution(method, target=2, **params)
    assert np.isfinite(found.values).all() and found.values.any(), method
    print(method)
"""


def test_gradients_of_strided_and_separable_convolutions_end_normally():
    done = run_fresh(MINI_XCEPTION)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "smooth_grad"
