"""Change some channels of an activation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import InputError, LayerKindError
from ..keys import Tap
from .reader import Reader
from .variants import Change


def channel_change(
    reader: Reader,
    layer: str,
    channels: int | Sequence[int] | None = None,
    scale: Any = 0.0,
    replace: Any = None,
) -> Change:
    """Return how some channels of a layer are changed; see `Session.edit` for the parameters."""
    tap = reader.tap(layer)
    activation = reader.activation(tap.address)
    if activation.dtype.kind not in "biufc":
        raise LayerKindError(
            f"'{tap.address}' holds {tap.dtype}, which has no channels to change. "
            "Expected: a layer of numbers."
        )
    count = activation.shape[tap.channel_axis] if tap.shape[1:] else 1
    chosen = _checked_channels(channels, count, tap)
    whole = None if replace is None else np.asarray(replace)
    if not isinstance(scale, int | float | np.number):
        raise InputError(f"Channels are multiplied by a number. Received: scale={scale!r:.80}.")

    def change(values: np.ndarray, samples: slice) -> np.ndarray:
        last = np.moveaxis(values, tap.channel_axis, -1).copy()
        if whole is None:
            last[..., chosen] = last[..., chosen] * scale
        else:
            last[..., chosen] = _fitted(whole, last[..., chosen].shape, samples, tap)
        return np.ascontiguousarray(np.moveaxis(last, -1, tap.channel_axis))

    return change


def _checked_channels(channels: int | Sequence[int] | None, count: int, tap: Tap) -> list[int]:
    if channels is None:
        return list(range(count))
    numbers = np.atleast_1d(np.asarray(channels))
    if numbers.size == 0:
        return []
    if numbers.dtype.kind not in "iu" or numbers.ndim != 1 or not ((numbers >= 0) & (numbers < count)).all():
        raise InputError(
            f"Channels are given by their numbers. Received: channels={channels!r:.80}. "
            f"Expected: integers from 0 to {count - 1}, the channels of '{tap.address}'."
        )
    return numbers.tolist()


def _fitted(whole: np.ndarray, shape: tuple[int, ...], samples: slice, tap: Tap) -> np.ndarray:
    """Return what to put in place, for these samples."""
    has_batch = whole.ndim == len(shape) and whole.shape[0] > 1
    part = whole[samples] if has_batch else whole
    try:
        return np.broadcast_to(part, shape)
    except ValueError as error:
        raise InputError(
            f"What is put in place of '{tap.address}' must have the shape of the channels chosen, channels "
            f"last. Received: {whole.shape}. Expected: what broadcasts to {('batch', *shape[1:])}."
        ) from error
