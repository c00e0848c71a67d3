"""A budget smaller than one layer: everything is answered, slices are kept, and the card says so."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import act_widgets as aw
from act_widgets.widgets.worker import worker_of
from tests.screen import text_of
from tests.zoo import batch, shaken

layers = keras.layers
BUDGET = 150_000


@pytest.fixture(scope="module")
def wide():
    """A model with a layer of 640 kB for each sample, beside small ones."""
    x = keras.Input((40, 40, 1), name="image")
    y = layers.Conv2D(100, 3, padding="same", activation="relu", name="wide")(x)
    y = layers.GlobalAveragePooling2D(name="gap")(y)
    return shaken(keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y))), batch(3, 40, 40, 1)


@pytest.fixture
def small(wide):
    session = aw.Session(*wide, cache_bytes=BUDGET)
    yield session
    assert session.stats()["cache_bytes"] <= BUDGET


def test_what_is_larger_is_refused_and_given_all_the_same(wide, small):
    model, x = wide
    np.testing.assert_allclose(small.activation("wide"), model.get_layer("wide")(x), rtol=1e-5, atol=1e-6)
    assert small.stats()["refused"] >= 3
    assert "0.6 MB for one sample, more than the 0.1 MB" in small.reader.blocks.refused["wide"]
    assert "cache_bytes=640000" in small.reader.blocks.refused["wide"]
    assert "gap" not in small.reader.blocks.refused


def test_a_slice_of_channels_is_kept_for_the_views():
    x = keras.Input((8, 8, 1), name="image")
    y = layers.Conv2D(300, 3, padding="same", name="wide")(x)
    model = shaken(keras.Model(x, layers.GlobalAveragePooling2D(name="gap")(y)))
    data = batch(1, 8, 8, 1)
    expected = model.get_layer("wide")(data).numpy()[0]
    session = aw.Session(model, data, cache_bytes=40_000)
    reader = session.reader
    np.testing.assert_allclose(
        reader.sample_channel("wide", 0, 70)[0], expected[..., 70], rtol=1e-5, atol=1e-6
    )
    passes = session.stats()["forward_passes"]
    for channel in (64, 100, 127):
        assert reader.is_ready("wide", 0, channel)
        one = reader.sample_channel("wide", 0, channel)
        np.testing.assert_allclose(one, expected[None, ..., channel], rtol=1e-5, atol=1e-6)
    assert session.stats()["forward_passes"] == passes
    assert not reader.is_ready("wide", 0, 128)
    np.testing.assert_allclose(reader.sample_channel("wide", 0, 299)[0], expected[..., 299], rtol=1e-5)
    assert session.stats()["forward_passes"] == passes + 1


def test_views_draw_and_the_card_says_what_is_not_kept(wide, small):
    model, x = wide
    small.selection.layer = "wide"
    grid, large, counts = aw.FeatureMaps(small), aw.ChannelView(small), aw.Histogram(small)
    small.selection.channel = 71
    expected = model.get_layer("wide")(x).numpy()[0]
    np.testing.assert_allclose(large.array, expected[..., 71], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(grid.array, np.moveaxis(expected, -1, 0)[64:], rtol=1e-5, atol=1e-6)
    assert counts.array.sum() == 1600
    worker_of(small).wait()
    assert "more than the 0.1 MB that may be kept" in text_of(grid._under.value)
    for view in (grid, large, counts):
        view.close()


def test_a_batch_larger_than_the_budget_is_read_sample_by_sample(wide):
    model, x = wide
    session = aw.Session(model, np.repeat(x, 4, axis=0), cache_bytes=1_000_000)
    assert session.activation("wide").nbytes > 1_000_000
    assert not session.reader.blocks.refused
    assert session.stats()["cache_bytes"] <= 1_000_000
    assert session.edit("wide", 0).shape == (12, 3)
    assert session.attribution(target=1).maps.shape == (12, 40, 40)
