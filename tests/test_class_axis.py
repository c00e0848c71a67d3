"""Classes on another axis than the last, as in a segmentation with channels first."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import act_widgets as aw
from act_widgets.testing import check_model

CLOSE = {"rtol": 1e-4, "atol": 1e-6}
# One score for each of three classes at each of 4 x 5 places, from two channels.
WEIGHTS = np.array([[1.0, -2, 3], [0.5, 4, -1]], "float32")
PICTURES = np.random.default_rng(0).normal(size=(3, 2, 4, 5)).astype("float32")
LOGITS = np.einsum("kc,bkij->bcij", WEIGHTS, PICTURES)
PLACES = 4 * 5

# What follows the scores, and the shape of the output.
ENDINGS: dict[str, Any] = {
    "linear": (lambda y: y, (3, 4, 5)),
    "layer": (layers.Softmax(axis=1), (3, 4, 5)),
    "function": (lambda y: keras.ops.softmax(y, axis=1), (3, 4, 5)),
    "sigmoid": (layers.Activation("sigmoid"), (3, 4, 5)),
    "permuted behind": (lambda y: layers.Permute((2, 3, 1))(layers.Softmax(axis=1)(y)), (4, 5, 3)),
    "permuted before": (lambda y: layers.Softmax()(layers.Permute((2, 3, 1))(y)), (4, 5, 3)),
}


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


class Scores(layers.Layer):
    """A convolution of one place, with the channels first on any processor."""

    data_format = "channels_first"

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(shape=WEIGHTS.shape, name="kernel")

    def call(self, x: Any) -> Any:
        return keras.ops.einsum("kc,bkij->bcij", self.kernel, x)


def same() -> Any:
    return layers.UpSampling2D(1, data_format="channels_first", name="same")


def segmentation(ending: str) -> Any:
    x = keras.Input((2, 4, 5), name="picture")
    y = Scores(name="scores")(same()(x))
    model = keras.Model(x, ENDINGS[ending][0](y))
    model.get_layer("scores").set_weights([WEIGHTS])
    return model


class Decides(keras.Model):
    """Can't be traced: it asks for a number of its input."""

    def __init__(self) -> None:
        super().__init__(name="decides")
        self.same = same()
        self.out = Scores(name="scores")

    def call(self, x: Any) -> Any:
        assert float(tf.reduce_sum(x)) < 1e9
        return tf.nn.softmax(self.out(self.same(x)), axis=1)


def untraceable() -> Any:
    model = Decides()
    model(PICTURES)
    model.out.set_weights([WEIGHTS])
    return model


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_class_is_its_mean_over_all_places(ending):
    model = segmentation(ending)
    assert model.output_shape[1:] == ENDINGS[ending][1]
    expected = {"linear": LOGITS, "sigmoid": 1 / (1 + np.exp(-LOGITS))}.get(ending, softmax(LOGITS))
    session = aw.Session(model, PICTURES)
    for sample in range(3):
        np.testing.assert_allclose(session.predictions(sample), expected[sample].mean((1, 2)), **CLOSE)
    assert session.top_class(1) == expected[1].mean((1, 2)).argmax()
    np.testing.assert_allclose(session.outputs(), model(PICTURES), **CLOSE)


@pytest.mark.parametrize("ending", [*ENDINGS, "untraceable"])
def test_its_logits_are_explained(ending):
    """z_c = sum_k w_kc x_k at each place: x times dz_c/dx is w_kc x_k, a 20th of it for the mean."""
    model = untraceable() if ending == "untraceable" else segmentation(ending)
    found = aw.attribute(model, PICTURES, "gradient_x_input", target=1)
    assert found.scores == "logits"
    each = np.einsum("k,bkij->bijk", WEIGHTS[:, 1], PICTURES)
    np.testing.assert_allclose(found.maps, each.sum(-1) / PLACES, **CLOSE)
    np.testing.assert_allclose(found.score, LOGITS[:, 1].mean((1, 2)), **CLOSE)
    cam = aw.attribute(model, PICTURES, "grad_cam", layer="same", target=2)
    weighed = np.einsum("k,bkij->bij", WEIGHTS[:, 2] / PLACES, PICTURES)
    np.testing.assert_allclose(cam.maps, np.maximum(weighed, 0), **CLOSE)


@pytest.mark.parametrize("ending", ENDINGS)
def test_one_place_of_a_class(ending):
    found = aw.attribute(segmentation(ending), PICTURES, "gradient_x_input", target=aw.Target(2, at=(3, 1)))
    assert found.scores == "logits"
    expected = np.zeros((3, 4, 5), np.float32)
    expected[:, 3, 1] = LOGITS[:, 2, 3, 1]
    np.testing.assert_allclose(found.maps, expected, **CLOSE)
    np.testing.assert_allclose(found.score, LOGITS[:, 2, 3, 1], **CLOSE)


def test_places_are_counted_without_the_axis_of_the_classes():
    with pytest.raises(aw.TargetError, match=r"no such position.*one index below each of \(4, 5\)"):
        aw.attribute(segmentation("layer"), PICTURES, target=aw.Target(0, at=(2, 5)))
    with pytest.raises(aw.TargetError, match=r"No class 3.*Expected: 0 to 2"):
        aw.attribute(segmentation("layer"), PICTURES, target=3)


def test_probabilities_fall_as_a_place_is_covered():
    """A covered place of 0 has equal probabilities; all others keep theirs."""
    found = aw.attribute(segmentation("layer"), PICTURES, "occlusion", target=0, patch=1, stride=1, fill=0)
    assert found.scores == "probabilities"
    np.testing.assert_allclose(found.maps, (softmax(LOGITS)[:, 0] - 1 / 3) / PLACES, **CLOSE)


def test_one_of_several_outputs():
    x = keras.Input((2, 4, 5), name="picture")
    first = segmentation("layer")
    model = keras.Model(
        x, {"flat": layers.GlobalAveragePooling2D(data_format="channels_first")(x), "map": first(x)}
    )
    target = aw.Target(1, output="map")
    found = aw.attribute(model, PICTURES, "gradient_x_input", target=target)
    assert found.scores == "logits"
    np.testing.assert_allclose(found.score, LOGITS[:, 1].mean((1, 2)), **CLOSE)


def test_a_silenced_channel_shows_in_the_prediction():
    session = aw.Session(segmentation("layer"), PICTURES)
    session.silenced = ("same", (1,))
    left = PICTURES.copy()
    left[:, 1] = 0
    expected = softmax(np.einsum("kc,bkij->bcij", WEIGHTS, left)).mean((2, 3))
    np.testing.assert_allclose(session.silenced_predictions(2), expected[2], **CLOSE)


@pytest.mark.parametrize("ending", ["layer", "permuted behind"])
def test_the_model_keeps_the_contract(ending):
    check_model(segmentation(ending), PICTURES)


def test_a_training_is_recorded_by_class():
    model = segmentation("layer")
    model.compile("sgd", "mse")
    recorder = aw.Recorder(PICTURES, layers=["same"], share=None)
    answers = softmax(LOGITS)
    model.fit(PICTURES, answers, epochs=1, verbose=0, callbacks=[recorder])
    session, now = aw.Session(recorder), model(PICTURES).numpy()
    np.testing.assert_allclose(session.predictions(1), now[1].mean((1, 2)), **CLOSE)
    recorded = session.attribution("grad_cam", layer="same", sample=1)
    live = aw.attribute(model, PICTURES, "grad_cam", layer="same")
    np.testing.assert_allclose(recorded.maps[0], live.maps[1], **CLOSE)
