"""Find which layer each call of a model is of, what its weights are, and how its outputs are masked."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np

from . import eager
from .inputs import Inputs
from .libraries import is_layer, weights_of
from .norms import l2_norm
from .recorder import Recorder


class Owners(NamedTuple):
    """What one eager pass told of a model's calls.

    Attributes
    ----------
    layers : dict of str
        The layer that was called, by the address of the call.
    masks : list of (tf.Tensor or None)
        The mask that Keras lays on each output, such as that of padded words.
    """

    layers: dict[str, Any]
    masks: list[Any]


class _Listener(Recorder):
    """Keeps the layer of each call of one eager pass, and no tensor."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.layers: dict[str, Any] = {}

    def _keep(self, address: str, operation: Any, outputs: Any, axis_of: Any) -> Any:  # noqa: ARG002
        if is_layer(operation):
            self.layers[address] = operation
        return outputs


def owners(model: Any, inputs: Inputs) -> Owners:
    """Return which layer each call is of, and the masks of the outputs. Takes one eager pass."""
    found = _Listener(model)
    _, outputs = eager.call(model, inputs, found, training=False)
    masks = [getattr(leaf, "_keras_mask", None) for leaf in keras.tree.flatten(outputs)]
    return Owners(found.layers, masks)


def weight_norm(layer: Any) -> float | None:
    """Return the L2 norm of all real-valued weights of a layer; None if it has none."""
    weights = [weight for weight in getattr(layer, "weights", ()) if "float" in weight.dtype]
    values = (getattr(weight, "_value", weight).numpy() for weight in weights)
    return l2_norm(values) if weights else None


def unfinite_weights(model: Any) -> list[str]:
    """Return the paths of the weights that hold NaN or infinite numbers."""
    weights = (w for w in weights_of(model) if "float" in w.dtype)
    return [w.path for w in weights if not np.isfinite(keras.ops.convert_to_numpy(w)).all()]
