"""The libraries whose layers are read: Keras 3, and Keras 2 (``tf_keras``) once somebody imported it."""

from __future__ import annotations

import math
import sys
from functools import lru_cache
from typing import Any

import keras
import tensorflow as tf

from .protocol import main_output


def layer_classes() -> tuple[type, ...]:
    """Return the base class of layers of each library that is loaded."""
    legacy = sys.modules.get("tf_keras")
    return (keras.Layer,) if legacy is None else (keras.Layer, legacy.layers.Layer)


def callback_lists() -> tuple[Any, ...]:
    """Return what a training tells of its steps, of each library that is loaded."""
    legacy = sys.modules.get("tf_keras")
    own = keras.callbacks.CallbackList
    return (own,) if legacy is None else (own, legacy.callbacks.CallbackList)


def model_classes() -> tuple[Any, ...]:
    """Return the classes that train by ``fit``, of each library that is loaded."""
    legacy = sys.modules.get("tf_keras")
    return (keras.Model,) if legacy is None else (keras.Model, legacy.Model)


def is_layer(operation: Any) -> bool:
    """Whether an operation is a layer of either library."""
    return isinstance(operation, layer_classes())


def is_legacy(model: Any) -> bool:
    """Whether a layer is one of Keras 2."""
    return is_layer(model) and not isinstance(model, keras.Layer)


def is_a(operation: Any, *names: str) -> bool:
    """Whether an operation's class is one of these of Keras, or made from one."""
    return not _class_names(type(operation)).isdisjoint(names)  # type: ignore[arg-type]


@lru_cache(maxsize=256)
def _class_names(kind: type) -> frozenset[str]:
    ours = (base for base in kind.__mro__ if base.__module__.startswith(("keras.", "tf_keras.")))
    return frozenset(base.__name__ for base in ours)


def sublayers(model: Any) -> list[Any]:
    """Return a layer and every layer that it holds, at any depth."""
    return list(model._flatten_layers())


def own_layers(layer: Any) -> list[Any]:
    """Return the layers that a layer holds itself."""
    return list(layer._flatten_layers(include_self=False, recursive=False))


def ends_linear(layer: Any) -> bool:
    """Whether a layer, or the one that makes a model's main output, states that no activation follows it."""
    while getattr(layer, "outputs", None) and own_layers(layer):
        tensors = keras.tree.flatten(layer.outputs)
        made_by = tensors[main_output([len(tensor.shape) for tensor in tensors])]._keras_history
        layer = made_by[0]
    activation = getattr(layer, "activation", None)
    # A layer without weights only passes on what the one before it made.
    return getattr(activation, "__name__", "") == "linear" and bool(layer.weights)


def weights_of(model: Any, seeds: bool = False) -> list[Any]:
    """Return the model's weights, and what its random numbers depend on; some may come twice."""
    if is_legacy(model):
        return list(model.weights)
    weights: list[Any] = []
    for layer in model._flatten_layers():
        weights += layer._trainable_variables
        weights += layer._non_trainable_variables
        if seeds:
            weights += [generator.state for generator in layer._seed_generators]
    return weights


def parameters(model: Any) -> int:
    """Return the number of a model's weights, each counted once."""
    return sum(math.prod(weight.shape) for weight in {id(w): w for w in model.weights}.values())


def other_variables(model: Any) -> list[Any]:
    """Return the variables of TensorFlow that layers hold themselves, and the states of recurrent ones."""
    found = []
    for layer in sublayers(model):
        found += [value for value in vars(layer).values() if isinstance(value, tf.Variable)]
        if is_a(layer, "RNN", "ConvRNN") and layer.stateful:
            found += [state for state in keras.tree.flatten(layer.states) if state is not None]
    return found
