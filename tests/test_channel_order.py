"""Channels in an order that says something: by what they hold, by their weight, less the dead ones."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import act_widgets as aw

from .screen import alert_of, text_of

# Mean, maximum and variance of the first sample order its channels differently; channel 3 is dead.
PICTURE = np.zeros((2, 2, 2, 5), np.float32)
PICTURE[0, ..., 0] = [[1, 1], [1, 1]]
PICTURE[0, ..., 1] = [[0, 0], [0, 3]]
PICTURE[0, ..., 2] = [[-4, 2], [-4, 2]]
PICTURE[0, ..., 4] = [[0.5, 0.5], [0.5, 2.6]]
# Dead in the first sample, alive in the second.
PICTURE[1, ..., 1] = 1


def model_of(channels: int = 5) -> Any:
    """A sum over the places, weighted 0, -1, -2, ... by channel for class 0, and 1, 2, 3, ... for class 1."""
    x = keras.Input((2, 2, channels), name="x")
    y = keras.layers.Activation("linear", name="same")(x)
    head = keras.layers.Dense(2, use_bias=False, name="out")
    model = keras.Model(x, head(keras.layers.GlobalAveragePooling2D(name="gap")(y)))
    head.kernel.assign(np.stack([-np.arange(channels), 1 + np.arange(channels)], 1).astype(np.float32))
    return model


@pytest.fixture
def session() -> aw.Session:
    made = aw.Session(model_of(), PICTURE)
    made.selection.layer = "same"
    return made


ORDERS = {
    "index": [0, 1, 2, 3, 4],
    "mean": [4, 0, 1, 3, 2],  # 1.025, 1, 0.75, 0, -1
    "max": [1, 4, 2, 0, 3],  # 3, 2.6, 2, 1, 0
    "variance": [2, 1, 4, 0, 3],  # 9, 1.6875, 0.826875, 0, 0
}


@pytest.mark.parametrize("order", ORDERS)
def test_grid_and_slider_follow_the_order(session, order):
    grid, slider = aw.FeatureMaps(session), aw.ChannelSlider(session)
    slider._order.value = order
    assert session.selection.order == order
    assert slider.array.tolist() == ORDERS[order]
    np.testing.assert_array_equal(grid.array, np.moveaxis(PICTURE[0], -1, 0)[ORDERS[order]])
    for place, channel in enumerate(ORDERS[order]):
        slider._slider.value = place
        assert session.selection.channel == channel
        frame = grid._grid.box(channel)
        grid._click(frame.x + frame.width / 2, frame.y + frame.height / 2)
        assert session.selection.channel == channel
    session.selection.channel = 2
    assert slider._slider.value == ORDERS[order].index(2)
    assert not alert_of(slider)


@pytest.mark.parametrize(("target", "expected"), [(0, [0, 1, 2, 3, 4]), (1, [4, 3, 2, 1, 0])])
def test_weights_are_the_mean_gradients_of_what_is_explained(session, target, expected):
    grid, slider = aw.FeatureMaps(session), aw.ChannelSlider(session)
    session.selection.target = target
    session.selection.order = "weight"
    assert slider.array.tolist() == expected
    np.testing.assert_array_equal(grid.array, np.moveaxis(PICTURE[0], -1, 0)[expected])
    x = tf.constant(PICTURE[:1])
    with tf.GradientTape() as tape:
        tape.watch(x)
        score = session.source.model(x)[0, target]
    weights = tape.gradient(score, x).numpy()[0].mean((0, 1))
    found = session.ordered_channels("same", 0)
    np.testing.assert_allclose(found.values, weights[expected], rtol=1e-6)


def test_dead_channels_are_those_that_no_sample_of_the_batch_wakes(session):
    grid, slider = aw.FeatureMaps(session), aw.ChannelSlider(session)
    session.selection.channel = 3
    slider._dead.value = True
    assert slider.array.tolist() == [0, 1, 2, 4]
    assert len(grid.array) == 4
    assert "1 dead hidden" in text_of(slider._heading.value)
    assert session.selection.channel == 3, "nothing is chosen by hiding"
    assert grid._grid.box(3) is None
    slider._slider.value = 3
    assert session.selection.channel == 4
    session.inputs = np.zeros_like(PICTURE)
    assert slider.array.tolist() == []
    assert not alert_of(slider)
    assert "Every channel of 'same' is 0" in alert_of(grid)
    slider._dead.value = False
    assert slider.array.tolist() == [0, 1, 2, 3, 4]
    assert not alert_of(grid)


def test_nan_is_left_out_and_a_channel_of_nan_comes_last():
    picture = PICTURE.copy()
    picture[0, 0, 0, 2] = picture[0, ..., 0] = np.nan
    session = aw.Session(model_of(), picture)
    session.selection.layer = "same"
    session.selection.order = "mean"
    found = session.ordered_channels("same", 0)
    assert found.channels.tolist() == [4, 1, 2, 3, 0]
    assert found.values[2] == pytest.approx(0)
    assert np.isnan(found.values[-1])


def test_the_grid_turns_to_the_page_where_the_chosen_channel_stands_in_the_order():
    values = np.zeros((1, 2, 2, 200), np.float32) + np.arange(200)
    session = aw.Session(model_of(200), values)
    session.selection.layer = "same"
    grid = aw.FeatureMaps(session)
    session.selection.order = "mean"
    assert grid._page.value == 4, "channel 0 is the last now"
    session.selection.channel = 199
    assert grid._page.value == 1
    assert grid.array[0].max() == 199


def test_an_order_that_does_not_exist_is_refused(session):
    with pytest.raises(aw.InputError, match=r"order='size'.*'mean'"):
        session.selection.order = "size"
    assert session.selection.order == "index"
