"""Counts of values in bins of equal width, of one array or of many channels at once."""

from __future__ import annotations

import numpy as np

BINS = 40
# Values that are counted at once: each takes some 50 bytes on the way.
_CHUNK = 1 << 21


def ends_of(low: float, high: float) -> tuple[float, float]:
    """Return the ends of the bins for values from `low` to `high`.

    Values that all lie closer together than numbers can tell get bins around them.
    """
    least = max(abs(low), abs(high), 1e-300) * 1e-9 if high > low else (abs(low) or 1) / 2
    return (low - least, high + least) if high - low < least else (low, high)


def binned(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return counts of the finite values, ``(bins,) int``, and the ends of the bins, ``(bins + 1,)``."""
    finite = values[np.isfinite(values)].astype(np.float64)
    if finite.size == 0:
        return np.zeros(BINS, int), np.arange(BINS + 1.0)
    return np.histogram(finite, bins=BINS, range=ends_of(float(finite.min()), float(finite.max())))


def binned_rows(rows: np.ndarray) -> np.ndarray:
    """Return the counts of `binned` for each row of ``(rows, values)``, ``(rows, bins) int``."""
    step = max(1, _CHUNK // max(rows.shape[1], 1))
    parts = [_counts(rows[start : start + step]) for start in range(0, len(rows), step)]
    return np.concatenate(parts) if parts else np.zeros((0, BINS), int)


def _counts(rows: np.ndarray) -> np.ndarray:
    finite = np.isfinite(rows)
    values = np.where(finite, rows, 0).astype(np.float64)
    low = np.where(finite, values, np.inf).min(1, initial=np.inf)
    high = np.where(finite, values, -np.inf).max(1, initial=-np.inf)
    ends = [
        ends_of(a, b) if np.isfinite(a) else (0.0, 1.0)
        for a, b in zip(low.tolist(), high.tolist(), strict=True)
    ]
    first, last = (np.array(column)[:, None] for column in zip(*ends, strict=True))
    edges = np.linspace(first[:, 0], last[:, 0], BINS + 1, axis=1)
    # As np.histogram does it, to the last value: a guess, put right by one bin where it is off.
    bins = np.clip(((values - first) / (last - first) * BINS).astype(int), 0, BINS - 1)
    bins -= values < np.take_along_axis(edges, bins, 1)
    bins += (values >= np.take_along_axis(edges, bins + 1, 1)) & (bins != BINS - 1)
    bins += np.arange(len(rows))[:, None] * BINS
    return np.bincount(bins[finite], minlength=len(rows) * BINS).reshape(len(rows), BINS)
