"""Round numbers to write beside an axis."""

from __future__ import annotations

import numpy as np


def ticks(low: float, high: float, least: float = 0) -> np.ndarray:
    """Return some round numbers between two, at least so far apart."""
    if not low < high:
        return np.array([low])
    rough = max((high - low) / 5, least)
    power = 10 ** np.floor(np.log10(rough))
    step = power * next(s for s in (1, 2, 5, 10) if power * s >= rough * 0.999)
    return np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step
