"""The length of all numbers together, in double precision."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np


def l2_norm(arrays: Iterable[np.ndarray]) -> float:
    """Return the L2 norm of all numbers of real-valued arrays: not finite only where one of them is not."""
    norms = [_norm(np.ravel(array)) for array in arrays]
    return math.nan if any(map(math.isnan, norms)) else math.hypot(*norms)


def _norm(values: np.ndarray) -> float:
    """Return the norm of ``(n,)`` numbers; those whose squares are too large are divided by the largest."""
    known = values if values.dtype.kind in "fiu" else values.astype(np.float32)
    squares = float(np.einsum("i,i->", known, known, dtype=np.float64, casting="same_kind"))
    if not math.isinf(squares) or np.isinf(known).any():
        return math.sqrt(squares)
    largest = float(np.abs(known).max())
    return largest * _norm(known / largest)
