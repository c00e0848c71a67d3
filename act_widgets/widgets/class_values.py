"""What the model gives each class of a sample, and in which order classes are listed."""

from __future__ import annotations

import numpy as np

from ..keys import Head


def class_values(head: Head, units: np.ndarray) -> np.ndarray:
    """Return the value of each class, ``(classes,)``: "against" and "for" of a single unit."""
    if len(units) > 1:
        return units
    return np.concatenate([1 - units if head.probabilities else -units, units])


def best_first(head: Head, values: np.ndarray) -> list[int]:
    """Return the classes from the best to the worst: that which is as predicted is first.

    A single unit that is no probability is listed as "for", whatever its value.
    """
    if head.units == 1:
        return [1, 0] if not head.probabilities or values[1] >= values[0] else [0, 1]
    return np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable").tolist()
