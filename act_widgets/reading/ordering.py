"""The channels of a layer in an order that says something, and those that are dead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..keys import Target
from .batches import by_channel
from .reader import Reader
from .targets import explained

INDEX, WEIGHT = "index", "weight"
_STATISTICS = {"mean": "mean", "max": "max", "variance": "var"}
ORDERS = (INDEX, *_STATISTICS, WEIGHT)


@dataclass(frozen=True)
class Ordered:
    """Channels, the first to be shown first.

    Attributes
    ----------
    channels : (n,) int ndarray
        Their numbers.
    values : (n,) float64 ndarray
        What they are ordered by, the largest first.
    hidden : int
        How many more there are that are dead.
    """

    channels: np.ndarray
    values: np.ndarray
    hidden: int

    def position(self, channel: int) -> int | None:
        """Return where a channel stands; None if it is hidden."""
        found = np.flatnonzero(self.channels == channel)
        return int(found[0]) if found.size else None


def ordered(
    reader: Reader, layer: str, sample: int, order: str, hide_dead: bool, target: int | Target
) -> Ordered:
    """Return the channels of a layer for one sample.

    Parameters
    ----------
    reader : Reader
        The model and its batch.
    layer : str
        Address of the layer.
    sample : int
        Whose activation orders them.
    order : str
        ``"index"``; ``"mean"``, ``"max"`` or ``"variance"`` of the activation, NaN left out; or ``"weight"``,
        the mean gradient of the target's score, which is the channel's weight in Grad-CAM. What holds no real
        numbers is ordered by index.
    hide_dead : bool
        Whether channels are left out that are 0 everywhere, in every sample of the batch.
    target : int or Target
        Whose score; used for the weight alone.
    """
    count = reader.channels(layer)
    channels = np.arange(count)
    if (order, hide_dead) == (INDEX, False) or reader.sample_activation(
        layer, sample
    ).dtype.kind not in "biuf":
        return Ordered(channels, channels.astype(float), 0)
    if hide_dead:
        tap = reader.tap(layer)
        lives = np.zeros(count, bool)
        for other in range(reader.inputs.size):
            lives |= living(reader.sample_activation(layer, other), tap.channel_axis)
        channels = np.flatnonzero(lives)
    if order == INDEX:
        return Ordered(channels, channels.astype(float), count - len(channels))
    values = _measured(reader, layer, sample, order, target)[channels]
    first = np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable")
    return Ordered(channels[first], values[first], count - len(channels))


def living(activation: np.ndarray, axis: int) -> np.ndarray:
    """Return which channels of one sample's activation are not 0 everywhere, ``(channels,) bool``.

    `axis` is where the channels are in the whole batch.
    """
    channels = by_channel(activation, axis)
    return np.asarray(channels.reshape(len(channels), -1).any(1))


def _measured(reader: Reader, layer: str, sample: int, order: str, target: int | Target) -> np.ndarray:
    tap = reader.tap(layer)
    if order == WEIGHT:
        gradient = reader.gradients.of_sample(tap.address, sample, explained(reader, target))
        if gradient is None:
            return np.zeros(reader.channels(layer))
        return by_channel(gradient, tap.channel_axis).reshape(reader.channels(layer), -1).mean(1, dtype=float)
    activation = by_channel(reader.sample_activation(layer, sample), tap.channel_axis)
    rows = np.ma.masked_invalid(activation.reshape(len(activation), -1).astype(float))
    return getattr(rows, _STATISTICS[order])(axis=1).filled(np.nan)
