from __future__ import annotations

import numpy as np
import pytest

from .keras_layers import CLASSES, LAYERS, NOT_IN_A_MODEL
from .some import some
from .zoo import arrays_of


def test_every_layer_class_of_keras_is_listed_once():
    unlisted = set(CLASSES) - set(LAYERS) - set(NOT_IN_A_MODEL)
    assert not unlisted, f"new in this Keras, to be added to tests/keras_layers.py: {sorted(unlisted)}"
    assert not set(LAYERS) & set(NOT_IN_A_MODEL)
    assert set(LAYERS) | set(NOT_IN_A_MODEL) == set(CLASSES)


@pytest.mark.parametrize("name", some(LAYERS, 5))
def test_the_model_around_a_layer_computes_the_same_twice(name):
    model, inputs = LAYERS[name]()
    assert type(model.get_layer("layer")).__name__ == name
    first, second = (arrays_of(model(inputs, training=False)) for _ in range(2))
    assert first
    for one, other in zip(first, second, strict=True):
        assert len(one) == 3
        np.testing.assert_array_equal(one, other)
