"""Find the scores before the last softmax or sigmoid, without changing the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

_RESHAPING = {"Reshape", "Squeeze", "ExpandDims"}
_PASS_ON = {"Identity", "Cast", "StopGradient", "EnsureShape", "Transpose", *_RESHAPING}
_ACTIVATIONS = {"Softmax": "softmax", "Sigmoid": "sigmoid"}


class Logits(NamedTuple):
    """What an output is made of.

    Attributes
    ----------
    scores : tf.Tensor
        What goes into the last softmax or sigmoid; the output itself where the model ends in neither.
    activation : str or None
        ``"softmax"``, ``"sigmoid"``, or None.
    passed : tuple of tf.Tensor
        What was made of the activation's result, the output last: its numbers, laid out otherwise.
    """

    scores: Any
    activation: str | None = None
    passed: tuple[Any, ...] = ()

    def laid_out(self, value_of: Callable[[Any], Any] = lambda tensor: tensor) -> Any:
        """Return the scores laid out as the output is.

        Parameters
        ----------
        value_of : callable, optional
            From a tensor as it was found to the one to compute with.
        """
        scores = value_of(self.scores)
        for made in self.passed:
            if made.op.type == "Transpose":
                scores = tf.transpose(scores, value_of(made.op.inputs[1]))
            elif made.op.type in _RESHAPING:
                scores = tf.ensure_shape(tf.reshape(scores, tf.shape(value_of(made))), made.shape)
        return scores


def find_logits(output: Any) -> Logits:
    """Return what an output of a traced model, a tensor, is made of."""
    passed: list[Any] = []
    tensor = output
    while tensor.op.type in _PASS_ON and tensor.op.inputs:
        passed.insert(0, tensor)
        tensor = tensor.op.inputs[0]
    if tensor.op.type not in _ACTIVATIONS or tensor.shape.rank is None or output.shape.rank is None:
        return Logits(output)
    return Logits(tensor.op.inputs[0], _ACTIVATIONS[tensor.op.type], tuple(passed))


def confirmed(activation: str, scores: np.ndarray, output: np.ndarray, axis: int) -> bool | None:
    """Return whether `activation` makes `output` of `scores`, a softmax along `axis`.

    None if no number of them is finite.
    """
    if activation == "sigmoid":
        finite = np.isfinite(scores) & np.isfinite(output)
        made = 1 / (1 + np.exp(-scores[finite]))
    else:
        if output.ndim < 2:
            scores, output = scores[:, None], output[:, None]
        scores, output = np.moveaxis(scores, axis, -1), np.moveaxis(output, axis, -1)
        finite = np.isfinite(scores).all(-1) & np.isfinite(output).all(-1)
        powers = np.exp(scores[finite] - scores[finite].max(-1, keepdims=True))
        made = powers / powers.sum(-1, keepdims=True)
    return bool(np.allclose(made, output[finite], atol=1e-2)) if made.size else None
