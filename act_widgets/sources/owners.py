"""Find which layer each call of a model is of, and what its weights are."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from . import eager
from .inputs import Inputs
from .libraries import is_layer, weights_of
from .recorder import Recorder


class _Owners(Recorder):
    """Keeps the layer of each call of one eager pass, and no tensor."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.layers: dict[str, Any] = {}

    def _keep(self, address: str, operation: Any, outputs: Any, axis: int) -> Any:  # noqa: ARG002
        if is_layer(operation):
            self.layers[address] = operation
        return outputs


def owners(model: Any, inputs: Inputs) -> dict[str, Any]:
    """Return by the address of each call the layer that was called. Takes one eager pass."""
    found = _Owners(model)
    eager.call(model, inputs, found, training=False)
    return found.layers


def weight_norm(layer: Any) -> float | None:
    """Return the L2 norm of all real-valued weights of a layer; None if it has none."""
    weights = [weight for weight in getattr(layer, "weights", ()) if "float" in weight.dtype]
    values = (getattr(weight, "_value", weight).numpy().astype(np.float32, copy=False) for weight in weights)
    return float(np.sqrt(sum(np.vdot(array, array) for array in values))) if weights else None


def unfinite_weights(model: Any) -> list[str]:
    """Return the paths of the weights that hold NaN or infinite numbers."""
    weights = (w for w in weights_of(model) if "float" in w.dtype)
    return [w.path for w in weights if not np.isfinite(keras.ops.convert_to_numpy(w)).all()]
