"""Linear interpolation along any number of axes, at the centres of cells."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np


def resized(array: np.ndarray, shape: Sequence[int], first: int = 0) -> np.ndarray:
    """Return an array with its axes from `first` on resized to `shape`, interpolated linearly.

    Beyond the outermost centres values stay as they are there.

    Parameters
    ----------
    array : ndarray
        What to resize; axes behind those that are resized stay.
    shape : sequence of int
        New sizes.
    first : int
        The first axis that is resized.
    """
    for axis, size in enumerate(shape, first):
        if array.shape[axis] != size:
            weights = _weights(array.shape[axis], size)
            array = np.moveaxis(np.tensordot(weights, array, (1, axis)), 0, axis)
    return array.astype(np.float32, copy=False)


@lru_cache(maxsize=64)
def _weights(old: int, new: int) -> np.ndarray:
    """Return how much of each old cell is in each new one, ``(new, old)``."""
    centres = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    below = np.minimum(centres.astype(int), max(old - 2, 0))
    share = centres - below
    weights = np.zeros((new, old), np.float32)
    weights[np.arange(new), below] = 1 - share
    weights[np.arange(new), np.minimum(below + 1, old - 1)] += share
    return weights
