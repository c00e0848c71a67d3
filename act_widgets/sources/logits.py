"""Find the scores before the last softmax or sigmoid, without changing the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_PASS_ON = {"Identity", "Cast", "Reshape", "Squeeze", "ExpandDims", "StopGradient", "EnsureShape"}
_ACTIVATIONS = {"Softmax": "softmax", "Sigmoid": "sigmoid"}
_APPLY: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "softmax": lambda x: (
        np.exp(x - x.max(-1, keepdims=True)) / np.exp(x - x.max(-1, keepdims=True)).sum(-1, keepdims=True)
    ),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}


def find_logits(output: Any) -> tuple[Any, str | None]:
    """Return the tensor to explain and the activation that follows it.

    Parameters
    ----------
    output : tf.Tensor
        An output of the traced model.

    Returns
    -------
    scores : tf.Tensor
        The input of the last softmax or sigmoid if there is one, else `output`. Its positions may lie
        otherwise than those of `output`, in the same order.
    activation : str or None
        ``"softmax"``, ``"sigmoid"``, or None where the model ends in neither.
    """
    tensor = output
    while True:
        kind = tensor.op.type
        if kind in _ACTIVATIONS and _same_units(tensor.op.inputs[0], output):
            return tensor.op.inputs[0], _ACTIVATIONS[kind]
        if kind not in _PASS_ON or not tensor.op.inputs:
            return output, None
        tensor = tensor.op.inputs[0]


def _same_units(scores: Any, output: Any) -> bool:
    """Whether a unit of the output is the same unit of the scores: reshaping leaves the order of numbers."""
    if scores.shape.rank is None or output.shape.rank is None:
        return False
    return _units(scores) == _units(output)


def _units(tensor: Any) -> int | None:
    return tensor.shape[-1] if tensor.shape.rank > 1 else 1


def confirmed(activation: str, scores: np.ndarray, output: np.ndarray) -> bool | None:
    """Return whether `activation` makes `output` of `scores`; None if no number of them is finite."""
    if len(scores) != len(output):
        return False  # samples and positions lie in one axis
    scores = scores.reshape(output.shape)
    finite = np.isfinite(scores).all(-1) & np.isfinite(output).all(-1)
    if not finite.any():
        return None
    return bool(np.allclose(_APPLY[activation](scores[finite]), output[finite], atol=1e-2))
