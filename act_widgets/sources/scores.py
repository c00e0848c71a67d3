"""The number that gradients explain."""

from __future__ import annotations

import re
from typing import Any

import tensorflow as tf

# How TensorFlow names an operation without a gradient, in a graph and called at once.
_LACKING = re.compile(r"(?:op type: |has no entry for: )(\w+)")


def masked_score(scores: Any, mask: Any) -> Any:
    """Return ``sum(mask * scores)`` of each sample, ``(batch,)``.

    Parameters
    ----------
    scores : tf.Tensor
        ``(batch,)`` or ``(batch, ..., units)``.
    mask : tf.Tensor or ndarray
        ``(batch, units)``: weight of each unit in each sample's score, its positions averaged. Of another
        rank: the weight of each of the scores.
    """
    if scores.shape.rank is None:  # NumPy's functions tell none: positions in one axis, or those of the mask
        units = tf.shape(scores)[-1]
        shape = [tf.shape(scores)[0], -1, units] if len(mask.shape) == 2 else tf.shape(scores)
        scores = tf.ensure_shape(tf.reshape(scores, shape), [None] * max(3, len(mask.shape)))
    rank = scores.shape.rank or 1
    scores = scores if rank > 1 else scores[:, None]
    if len(mask.shape) == 2 < rank:
        scores = tf.reduce_mean(scores, axis=list(range(1, rank - 1)))
    weighted = scores * tf.cast(mask, scores.dtype)
    return tf.reduce_sum(weighted, axis=list(range(1, weighted.shape.rank)))


def mask_shape(rank: int) -> list[None]:
    """Return a mask's shape for a placeholder."""
    return [None] * max(rank, 2)


def lacks_gradient(error: LookupError) -> str:
    """Return why there is no gradient, from TensorFlow's error for an operation that has none."""
    found = _LACKING.search(str(error))
    operation = f"the operation '{found[1]}'" if found else "an operation"
    return f"TensorFlow has none for {operation} between it and the score"
