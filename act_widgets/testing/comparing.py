"""Compare what two ways of asking gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..reading.batches import named_leaves

CLOSE = 1e-4
# Half precision has three digits.
HALF = 3e-2
_MOST = 12


def require(holds: bool, otherwise: str) -> None:
    """Raise an `AssertionError` that says `otherwise`, unless something holds."""
    if not holds:
        raise AssertionError(otherwise)


def difference(value: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference, relative to the largest finite magnitude expected.

    Infinite if shapes differ, or NaN and infinities are not at the same places.
    """
    if value.shape != expected.shape:
        return float("inf")
    if expected.dtype.kind not in "biufc":
        return 0.0 if np.array_equal(value, expected) else float("inf")
    a, b = value.astype(np.complex128), expected.astype(np.complex128)
    finite = np.isfinite(b)
    if not np.array_equal(finite, np.isfinite(a)):
        return float("inf")
    scale = float(np.abs(b[finite]).max(initial=0))
    return float(np.abs(a[finite] - b[finite]).max(initial=0)) / (scale or 1.0)


def agree(value: np.ndarray, expected: np.ndarray, address: str, close: float) -> float:
    """Return the difference of two tensors; more than is allowed is an `AssertionError`."""
    apart = difference(value, expected)
    require(apart <= (close or CLOSE), f"'{address}' differs by {apart:.1e} of its largest value")
    return apart


def same_outputs(outputs: Any, expected: Any, close: float, edited: str = "") -> float:
    """Return the largest difference between two structures of outputs, none more than is allowed."""
    pairs = zip(arrays_in(outputs), arrays_in(expected), strict=True)
    words = f"the output after an edit of '{edited}'" if edited else "the output"
    return max((agree(a, b, words, close) for a, b in pairs), default=0.0)


def arrays_in(outputs: Any) -> list[np.ndarray]:
    """Return every array of a structure."""
    return list(named_leaves(outputs).values())


def half_precision(reading: Any) -> float:
    """Return how close half precision comes if the model computes in it, else 0."""
    kinds = {tap.dtype for tap in reading.taps.values()}
    return HALF if kinds & {"float16", "bfloat16", "int8"} else 0.0


def float_values(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the values that hold real numbers."""
    return {a: v for a, v in values.items() if v.dtype.kind == "f"}


def spread(values: Mapping[str, Any]) -> list[str]:
    """Return at most a dozen addresses, spread over the model."""
    addresses = list(values)
    return addresses[:: -(-len(addresses) // _MOST) or 1]
