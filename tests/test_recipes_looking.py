"""What people do by hand today to look at activations, on the models of those recipes, in a line or two.

Each test is named after its recipe. The models are the recipes' own, mended only where today's Keras
demands it.
"""

from __future__ import annotations

import time

import keras
import numpy as np
import pytest

import act_widgets as aw

from .cards import decoded
from .test_recipes import SimpleModel, softmax
from .zoo import batch


@pytest.fixture
def subclassed():
    """The model of R02 and R03, and a batch."""
    model, x = SimpleModel(), batch(4, 784)
    model(x)
    return model, x


@pytest.fixture
def convolutional():
    """The model of R08 and R10, and a picture."""
    keras.utils.set_random_seed(0)
    model = keras.models.Sequential(
        [
            keras.Input((28, 28, 3)),
            keras.layers.Conv2D(32, (3, 3), activation="relu", name="conv2d"),
            keras.layers.MaxPooling2D((2, 2)),
            keras.layers.Conv2D(64, (3, 3), activation="relu", name="conv2d_1"),
            keras.layers.MaxPooling2D((2, 2)),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )
    return model, np.random.default_rng(0).random((1, 28, 28, 3)).astype("float32")


def convolved(x, layer):
    """A convolution of 3 × 3 and its ReLU, written as sums of shifted pictures."""
    kernel, bias = layer.get_weights()
    height, width = x.shape[1] - 2, x.shape[2] - 2
    shifted = (x[:, i : i + height, j : j + width] @ kernel[i, j] for i in range(3) for j in range(3))
    return np.maximum(sum(shifted) + bias, 0)


def pooled(x):
    """The largest of each 2 × 2; a row or column that is left over is left out."""
    batch, height, width, channels = x.shape
    even = x[:, : height // 2 * 2, : width // 2 * 2]
    return even.reshape(batch, height // 2, 2, width // 2, 2, channels).max((2, 4))


def dense_by_hand(x, layer):
    kernel, bias = layer.get_weights()
    return x @ kernel + bias


def test_r02_all_activations_of_a_subclassed_model_in_order_with_shapes(subclassed):
    model, x = subclassed

    activations = aw.capture(model, x)

    assert {name: array.shape for name, array in activations.items()} == {
        "dense1": (4, 128),
        "dense2": (4, 10),
    }
    assert list(activations) == ["dense1", "dense2"]
    hidden = np.maximum(dense_by_hand(x, model.dense1), 0)
    np.testing.assert_allclose(activations["dense1"], hidden, rtol=1e-4, atol=1e-5)
    expected = softmax(dense_by_hand(hidden, model.dense2))
    np.testing.assert_allclose(activations["dense2"], expected, rtol=1e-4, atol=1e-5)


def test_r03_chosen_layers_are_logged_to_npy_files_with_a_time_stamp(subclassed, tmp_path):
    model, x = subclassed

    aw.Recorder(x, layers=["dense1", "dense2"], writers=tmp_path / "activations_log").record(model)

    files = {path.name: path for path in (tmp_path / "activations_log").rglob("*-dense?.npy")}
    hidden = np.maximum(dense_by_hand(x, model.dense1), 0)
    np.testing.assert_allclose(np.load(files["000-dense1.npy"]), hidden, rtol=1e-4, atol=1e-5)
    expected = softmax(dense_by_hand(hidden, model.dense2))
    np.testing.assert_allclose(np.load(files["001-dense2.npy"]), expected, rtol=1e-4, atol=1e-5)
    stamp = aw.open_recording(tmp_path / "activations_log").read(0).time
    assert time.time() - 120 < stamp <= time.time()


def test_r04_shapes_and_values_of_each_layer_are_printed():
    stack = [keras.layers.Dense(64, activation="relu", name="first"), keras.layers.Dense(10, name="second")]
    model, x = keras.Sequential([keras.Input((10,)), *stack]), batch(1, 10)

    activations = aw.capture(model, x)

    assert str(activations).splitlines()[1:] == ["  first: (1, 64) float32", "  second: (1, 10) float32"]
    hidden = np.maximum(dense_by_hand(x, stack[0]), 0)
    np.testing.assert_allclose(activations["second"], dense_by_hand(hidden, stack[1]), rtol=1e-4, atol=1e-5)


def test_r08_heat_maps_of_every_channel_with_a_colour_bar(convolutional):
    model, picture = convolutional
    view = aw.FeatureMaps(aw.Session(model, picture))

    view.session.selection.layer = "conv2d_1"

    first, _, second = model.layers[:3]
    expected = convolved(pooled(convolved(picture, first)), second)[0]
    assert expected.shape == (11, 11, 64)
    np.testing.assert_allclose(view.array, np.moveaxis(expected, -1, 0), rtol=1e-3, atol=1e-4)
    assert len(np.unique(decoded(view.png()).reshape(-1, 3), axis=0)) > 100, "no heat maps in the picture"


def test_r09_distribution_of_a_dense_layer_and_its_dead_units():
    stack = [keras.layers.Dense(n, activation="relu", name=f"dense_{n}") for n in (128, 64, 32)]
    model, x = keras.Sequential([keras.Input((10,)), *stack, keras.layers.Dense(1)]), batch(6, 10)
    kernel, bias = stack[1].get_weights()
    bias[:16] = -100  # whatever comes in, these give 0
    stack[1].set_weights([kernel, bias])
    session = aw.Session(model, x)
    session.selection.layer = "dense_64"

    view, dead = aw.Histogram(session), session.measure("dead").values

    view.scope = "layer"
    values = np.maximum(dense_by_hand(np.maximum(dense_by_hand(x, stack[0]), 0), stack[1]), 0)
    assert dead["dense_64"] == pytest.approx(100 * (values == 0).all(0).mean())
    assert dead["dense_64"] >= 25
    assert view.array.sum() == 64, "each unit of the sample is in one bin"


def test_r10_grad_cam_for_a_class_over_the_picture(convolutional):
    model, picture = convolutional

    maps = aw.attribute(model, picture, "grad_cam", layer="conv2d_1", target=0)

    first, _, second = model.layers[:3]
    activation = convolved(pooled(convolved(picture, first)), second)
    # Behind a pooling, only the largest of each four numbers counts.
    blocks = activation[:, :10, :10].reshape(1, 5, 2, 5, 2, 64)
    is_largest = blocks == blocks.max((2, 4), keepdims=True)
    slope = model.layers[-1].kernel.numpy()[:, 0].reshape(1, 5, 1, 5, 1, 64)
    gradient = np.zeros_like(activation)
    gradient[:, :10, :10] = (is_largest * (blocks > 0) * slope).reshape(1, 10, 10, 64)
    expected = np.maximum((activation * gradient.mean((1, 2), keepdims=True)).sum(-1), 0)
    np.testing.assert_allclose(maps.maps, expected, rtol=1e-2, atol=1e-4 * expected.max())
    assert maps.upsampled((28, 28)).shape == (1, 28, 28)


def test_r13_what_flows_through_a_layer_without_a_layer_that_logs():
    stack = [keras.layers.Dense(64, activation="relu", name="hidden"), keras.layers.Dense(10)]
    model = keras.Sequential([keras.Input((10,)), *stack])
    recorder = aw.Recorder(batch(1, 10), layers="hidden", max_bytes=20_000)

    for _ in range(200):
        recorder.record(model)

    expected = np.maximum(dense_by_hand(batch(1, 10), stack[0]), 0)
    np.testing.assert_allclose(recorder.read(199).activations["hidden"], expected, rtol=1e-4, atol=1e-5)
    assert len(recorder.steps) < 50, "it grows without bound"
    assert [layer.name for layer in model.layers] == ["hidden", stack[1].name], "the model is another one"


@pytest.mark.parametrize("method", ["occlusion", "deconvnet"])
def test_r17_zeiler_and_fergus(method):
    model, pictures, labels = aw.samples.shapes()

    found = aw.attribute(model, pictures[:2], method)

    assert found.maps.shape == (2, 64, 64)
    assert np.isfinite(found.maps).all()
    assert all(found.blank_reason(sample) is None for sample in range(2))
    if method == "occlusion":
        covered = pictures[:1].copy()
        top = np.unravel_index(found.maps[0].argmax(), (64, 64))
        rows, columns = (slice(max(0, at - 8), at + 8) for at in top)
        covered[:, rows, columns] = covered.mean((1, 2), keepdims=True)
        before, after = (np.asarray(model(x)) for x in (pictures[:1], covered))
        best = before.argmax()
        assert after[0, best] < before[0, best], f"covering it does not lower '{labels[best]}'"
