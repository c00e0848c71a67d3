"""What Keras reports of a step, and whether it and a record are finite."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np

from .record import Record


def numbers(logs: Any) -> dict[str, float]:
    """Return what Keras reports that is a number."""
    return {name: float(value) for name, value in (logs or {}).items() if _is_number(value)}


def has_finite_loss(logs: Mapping[str, float]) -> bool:
    """Whether the loss is finite, or all that a training step of one's own reports."""
    return isfinite(logs["loss"]) if "loss" in logs else all(map(isfinite, logs.values()))


def is_finite(record: Record) -> bool:
    """Whether no weight is NaN or infinite and no activation NaN; masks of attention may be infinite."""
    norms = [s.weight_norm for s in record.summaries.values() if s.weight_norm is not None]
    return all(map(isfinite, norms)) and not any(s.nan for s in record.summaries.values())


def _is_number(value: Any) -> bool:
    return np.ndim(value) == 0 and np.asarray(value).dtype.kind in "biuf"
