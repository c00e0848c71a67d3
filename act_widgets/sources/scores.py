"""The number that gradients explain."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def masked_score(scores: Any, mask: Any) -> Any:
    """Return ``sum(mask * scores)``, the scores of a unit averaged over its positions.

    Parameters
    ----------
    scores : tf.Tensor
        ``(batch,)`` or ``(batch, ..., units)``.
    mask : (batch, units) tf.Tensor or ndarray
        Weight of each unit in each sample's score.
    """
    rank = scores.shape.rank or 1
    scores = scores if rank > 1 else scores[:, None]
    if rank > 2:
        scores = tf.reduce_mean(scores, axis=list(range(1, rank - 1)))
    return tf.reduce_sum(scores * tf.cast(mask, scores.dtype))
