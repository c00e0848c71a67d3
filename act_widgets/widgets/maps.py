"""An activation as maps: one picture for each channel, whatever its rank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import LayerKindError
from ..keys import Tap
from ..reading.batches import by_channel


@dataclass(frozen=True)
class Maps:
    """A layer's activation for one sample as maps.

    Attributes
    ----------
    array : (channels, height, width) ndarray
        One map for each channel.
    words : str
        How the layer's axes became maps, to be said on the screen.
    """

    array: np.ndarray
    words: str


def as_maps(activation: np.ndarray, tap: Tap) -> Maps:
    """Return an activation without its batch axis as one map for each channel.

    Raises
    ------
    LayerKindError
        If the layer holds no real numbers.
    """
    return maps_of(by_channel(drawable(activation, tap), tap.channel_axis))


def maps_of(channels: np.ndarray) -> Maps:
    """Return ``(channels, ...)`` as one map for each channel.

    Vectors become one cell for each unit, sequences one row for each channel, volumes their middle
    slice.
    """
    sizes = " × ".join(map(str, channels.shape[1:]))
    count = f"{len(channels)} channel{'s' if len(channels) != 1 else ''}"
    if channels.ndim == 1:
        return Maps(
            channels[:, None, None], f"{len(channels)} unit{'s' if len(channels) != 1 else ''}, a cell each"
        )
    if channels.ndim == 2:
        return Maps(channels[:, None, :], f"{count} of {sizes} positions, left to right")
    if channels.ndim == 3:
        return Maps(channels, f"{count} of {sizes}")
    middle = channels
    while middle.ndim > 3:
        middle = middle[:, middle.shape[1] // 2]
    return Maps(middle, f"{count} of {sizes}, the middle slice shown")


def drawable(activation: np.ndarray, tap: Tap) -> np.ndarray:
    """Return an activation, or raise a `LayerKindError` if it holds no real numbers."""
    if activation.dtype.kind not in "biuf" or activation.size == 0:
        held = {"c": "complex numbers"}.get(activation.dtype.kind, "text")
        raise LayerKindError(
            f"'{tap.address}' holds {held if activation.size else 'nothing'}, which can't be drawn. "
            f"Received: shape {activation.shape}, {activation.dtype}. Choose a layer of real numbers."
        )
    return activation
