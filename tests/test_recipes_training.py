"""What people do by hand today to follow a training, on the models of those recipes, in a line or two.

Each test is named after its recipe. The models are the recipes' own, mended only where today's Keras
demands it.
"""

from __future__ import annotations

import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from tensorboard.backend.event_processing.event_accumulator import TENSORS, EventAccumulator

import act_widgets as aw

from .test_recipes import SimpleModel
from .zoo import batch


def events_of(folder):
    events = EventAccumulator(str(folder), size_guidance={TENSORS: 0})
    events.Reload()
    return events


def tensors_of(events, tag):
    """Return by step what an event file of today's format holds under a tag."""
    return {event.step: tf.make_ndarray(event.tensor_proto) for event in events.Tensors(tag)}


def test_r01_a_histogram_of_a_hidden_layer_in_an_event_file_of_tensorflow_1(tmp_path):
    model, x = SimpleModel(), batch(1, 784)
    model(x)

    aw.Recorder(x, writers=aw.EventFiles(tmp_path, format="tf1")).record(model)

    (path,) = tmp_path.glob("*tfevents*")
    values = [v for event in tf.compat.v1.train.summary_iterator(str(path)) for v in event.summary.value]
    (counted,) = [v.histo for v in values if v.tag == "activations/dense1"]
    hidden = np.maximum(x @ model.dense1.kernel.numpy() + model.dense1.bias.numpy(), 0)
    assert counted.num == hidden.size == 128
    assert (counted.min, counted.max) == pytest.approx((hidden.min(), hidden.max()), rel=1e-4)
    assert counted.sum == pytest.approx(hidden.sum(), rel=1e-4)
    assert sum(counted.bucket) == 128


def test_r05_feature_maps_of_every_layer_in_tensorboard_after_each_epoch(tmp_path):
    model = keras.Sequential(
        [
            keras.layers.Conv2D(32, (3, 3), activation="relu", name="conv"),
            keras.layers.MaxPooling2D((2, 2), name="pool"),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    images, labels = batch(100, 28, 28, 1), np.arange(100) % 10
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])

    model.fit(images, labels, epochs=2, callbacks=[aw.Recorder(images[:10], writers=aw.EventFiles(tmp_path))])

    events = events_of(tmp_path)
    steps = {0, 4, 8}
    for layer, (height, width) in {"conv": (26, 26), "pool": (13, 13)}.items():
        drawn = tensors_of(events, f"feature_maps/{layer}")
        assert set(drawn) == steps
        picture = np.asarray(Image.open(io.BytesIO(drawn[8].flat[2])).convert("RGB"))
        assert picture.shape[0] >= 5 * height
        assert picture.shape[1] >= 5 * width, "not every one of 32 maps is drawn whole"
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
        assert drawn[0].flat[2] != drawn[8].flat[2], "the training changes the maps"


def test_r06_activation_histograms_of_dense_layers_in_tensorboard_during_fit(tmp_path):
    stack = [keras.layers.Dense(n, activation="relu", name=f"dense_{n}") for n in (128, 256)]
    model, x = keras.Sequential([keras.Input((10,)), *stack]), batch(100, 10)
    model.compile(optimizer="adam", loss="mse")

    model.fit(x, batch(100, 256), epochs=1, callbacks=[aw.Recorder(x, writers=aw.EventFiles(tmp_path))])

    events = events_of(tmp_path)
    hidden = np.maximum(x @ stack[0].kernel.numpy() + stack[0].bias.numpy(), 0)
    bins = tensors_of(events, "activations/dense_128")[4]  # (bins, 3): left, right, count
    assert bins[:, 2].sum() == hidden.size
    assert bins[0, 0] == pytest.approx(hidden.min(), abs=1e-4)
    assert bins[-1, 1] == pytest.approx(hidden.max(), rel=1e-4)
    expected = np.histogram(hidden, bins=np.append(bins[:, 0], bins[-1, 1]))[0]
    assert np.abs(bins[:, 2] - expected).sum() <= 0.01 * hidden.size, "bins hold other numbers"


def test_r16_activations_feed_a_monitoring_system(tmp_path):
    import prometheus_client

    model, x, registry = SimpleModel(), batch(4, 784), prometheus_client.CollectorRegistry()
    model(x)

    aw.Recorder(x, writers=[aw.PrometheusMetrics(registry=registry), aw.NpyLog(tmp_path)]).record(model)

    text = prometheus_client.generate_latest(registry).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    means = {s.labels["layer"]: s.value for s in families["act_widgets_activation_mean"].samples}
    hidden = np.maximum(x @ model.dense1.kernel.numpy() + model.dense1.bias.numpy(), 0)
    assert means == pytest.approx({"dense1": hidden.mean(), "dense2": 0.1}, rel=1e-4)
    (saved,) = tmp_path.rglob("*dense1.npy")
    np.testing.assert_allclose(np.load(saved), hidden, rtol=1e-4, atol=1e-5)
