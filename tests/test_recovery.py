"""A model that fails at one choice: the card that asked says so, and goes on at the next."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import act_widgets as aw

from .cards import settle
from .screen import alert_of, text_of
from .zoo import batch, shaken


def fails_without_channel(number: int) -> tuple[keras.Model, np.ndarray]:
    """Return a model whose call raises where one of its channels is silent in some sample."""

    def check(values: np.ndarray) -> np.ndarray:
        if not values[..., number].any():
            raise RuntimeError(f"channel {number} <b>is silent</b>")
        return values

    def checked(x: Any) -> Any:
        y = tf.numpy_function(check, [x], x.dtype)
        y.set_shape(x.shape)
        return y

    given = keras.Input((8, 8, 1), name="image")
    y = layers.Conv2D(4, 3, name="conv")(given)
    y = layers.GlobalAveragePooling2D(name="pool")(layers.Lambda(checked, name="check")(y))
    return shaken(keras.Model(given, layers.Dense(3, activation="softmax", name="out")(y))), batch(2, 8, 8, 1)


def test_a_model_that_raises_says_so_in_the_card_that_asked_and_recovers():
    explorer = aw.explore(*fails_without_channel(2), layer="conv")
    settle(explorer.session)
    views = explorer.views
    others = {view: alert_of(view) for view in views if view is not views.predictions}
    explorer.session.silenced = ("conv", (2,))
    settle(explorer.session)
    said = alert_of(views.predictions)
    assert "channel 2 <b>is silent</b>" in said
    assert "Expected: what model(inputs, training=False) accepts" in said
    assert "aw-old" in views.predictions._dom_classes
    assert {view: alert_of(view) for view in others} == others
    explorer.selection.channel = 3  # the others go on
    assert views.channel_slider._slider.value == 3
    explorer.session.silenced = ("conv", (1,))
    settle(explorer.session)
    assert alert_of(views.predictions) == ""
    assert "after" in text_of(views.predictions._rows.value)
    assert "aw-old" not in views.predictions._dom_classes
    explorer.close()
