"""A layer's activations in numbers."""

from __future__ import annotations

import numpy as np

from ..keys import Tap
from ..sources.norms import l2_norm
from .record import Summary


def summarise(
    tap: Tap, values: np.ndarray, gradient: np.ndarray | None, weight_norm: float | None
) -> Summary:
    """Return the summary of one layer.

    Parameters
    ----------
    tap : Tap
        What the layer's tensor is.
    values : (batch, ...) ndarray
        Its activations.
    gradient : (batch, ...) ndarray or None
        The gradient there.
    weight_norm : float or None
        The norm of the layer's weights.
    """
    count = values.size
    nan, infinite = 0, 0
    finite = values
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        nan, infinite = int(np.isnan(values).sum()), int(np.isinf(values).sum())
        finite = values[np.isfinite(values)]
    slope = None if gradient is None else l2_norm([gradient])
    if not finite.size or values.dtype.kind not in "biuf":
        nothing = float("nan")
        return Summary(nothing, nothing, nothing, nothing, 0.0, 0.0, nan, infinite, slope, weight_norm)
    return Summary(
        float(finite.mean(dtype=np.float64)),
        float(finite.std(dtype=np.float64)),
        float(finite.min()),
        float(finite.max()),
        1 - np.count_nonzero(values) / count,
        float(1 - living(tap, values).mean()),
        nan,
        infinite,
        slope,
        weight_norm,
    )


def living(tap: Tap, values: np.ndarray) -> np.ndarray:
    """Return for each channel of a batch of activations whether it is anything else than 0 anywhere."""
    if values.ndim < 2:
        return np.atleast_1d((values != 0).any())
    axis = tap.channel_axis % values.ndim
    return (values != 0).any(axis=tuple(i for i in range(values.ndim) if i != axis))
