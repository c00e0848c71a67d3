"""What the channels of a layer did from step to step, and when one of them died."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import LayerKindError, ModelError
from ..keys import Tap
from .timeline import RecordedStep, Timeline


@dataclass(frozen=True)
class Channels:
    """The channels of a layer at one step, over all samples and positions.

    Attributes
    ----------
    mean, largest : (channels,) float64 ndarray
        Of the finite values; NaN if there are none.
    is_zero : (channels,) bool ndarray
        Whether all values are exactly 0.
    is_bad : (channels,) bool ndarray
        Whether there is a NaN or an infinite value.
    """

    mean: np.ndarray
    largest: np.ndarray
    is_zero: np.ndarray
    is_bad: np.ndarray

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return sum(array.nbytes for array in vars(self).values())

    @classmethod
    def of(cls, activation: np.ndarray, axis: int) -> Channels:
        """Return those of an activation with the batch axis; `axis` holds the channels."""
        rows = activation[:, None] if activation.ndim < 2 else activation
        rows = np.moveaxis(rows, axis if activation.ndim > 1 else -1, 0)
        rows = rows.reshape(len(rows), -1)
        finite = np.ma.masked_invalid(rows.astype(np.float64))
        return cls(
            finite.mean(axis=1).filled(np.nan),
            finite.max(axis=1).filled(np.nan),
            ~(rows != 0).any(axis=1),
            np.asarray(np.ma.getmaskarray(finite).any(axis=1)),
        )


@dataclass(frozen=True)
class History:
    """A layer's channels at every step that holds its activations.

    Attributes
    ----------
    steps : tuple of int
    mean, largest : (steps, channels) float64 ndarray
    is_zero, is_bad : (steps, channels) bool ndarray
    """

    steps: tuple[int, ...]
    mean: np.ndarray
    largest: np.ndarray
    is_zero: np.ndarray
    is_bad: np.ndarray

    def life(self, channel: int) -> Life:
        """Return when a channel lived."""
        return Life(channel, self.steps, self.is_zero[:, channel], self.is_bad[:, channel])


@dataclass(frozen=True)
class Life:
    """When a channel was 0 in all samples and at all positions.

    Attributes
    ----------
    channel : int
    steps : tuple of int
    is_zero, is_bad : (steps,) bool ndarray
    """

    channel: int
    steps: tuple[int, ...]
    is_zero: np.ndarray
    is_bad: np.ndarray

    @property
    def died(self) -> int | None:
        """The first step from which on it is 0 until the end; None if it is not 0 at the end."""
        return self._gaps[-1][0] if self.is_zero[-1] else None

    @property
    def words(self) -> str:
        """What became of it, in words."""
        last = self.steps[-1]
        if self.is_zero.all():
            return f"Channel {self.channel} was never alive: it is 0 at every step from {self.steps[0]} on."
        gaps = self._gaps
        if self.is_zero[-1]:
            before = f" Before, it was 0 from {self._gap(gaps[-2])}." if len(gaps) > 1 else ""
            return f"Channel {self.channel} died at {self._death(gaps[-1][0])}.{before}"
        if not gaps:
            bad = f", with NaN or infinite values since step {self._bad_since}" if self.is_bad[-1] else ""
            return f"Channel {self.channel} is alive at step {last}{bad}: it was never 0 everywhere."
        start, back = gaps[-1]
        how = f"died at {self._death(start)}" if start != self.steps[0] else f"was 0 at first, from {start}"
        bad = ", with NaN or infinite values," if self.is_bad[-1] else ""
        return f"Channel {self.channel} {how}, and came back at {back}. It is alive{bad} at step {last}."

    @property
    def _gaps(self) -> list[tuple[int, int | None]]:
        """Where it was 0: each first step, and the one at which it came back."""
        edges = np.flatnonzero(np.diff(np.concatenate([[False], self.is_zero, [False]])))
        steps = [*self.steps, None]
        return [(self.steps[a], steps[b]) for a, b in edges.reshape(-1, 2).tolist()]

    @property
    def _bad_since(self) -> int:
        return self.steps[len(self.is_bad) - int(np.argmin([*self.is_bad[::-1], False]))]

    def _death(self, step: int) -> str:
        at = self.steps.index(step)
        return f"step {step}" + (f" (between {self.steps[at - 1]} and {step})" if at else "")

    @staticmethod
    def _gap(gap: tuple[int, int | None]) -> str:
        return f"{gap[0]} to {gap[1]}"


def reading(timeline: Timeline, tap: Tap) -> Iterator[tuple[RecordedStep, Channels | None]]:
    """Yield each step of a recording with a layer's channels there; None where they were not recorded.

    Raises
    ------
    LayerKindError
        If the layer holds no real numbers.
    """
    key = "channels", tap.address, tap.channel_axis
    for moment in timeline.moments():
        kept = timeline.kept.part(moment.step)
        found: Channels | None = kept.used(key)
        if found is None and tap.address in moment.held:
            activation = timeline.activation(moment.step, tap.address)
            if activation.dtype.kind not in "biuf" or activation.size == 0:
                raise LayerKindError(
                    f"'{tap.address}' holds no real numbers to follow. Received: shape {activation.shape}, "
                    f"{activation.dtype}. Choose a layer of real numbers."
                )
            found = Channels.of(activation, tap.channel_axis)
            kept.put(key, found)
        yield moment, found


def history(read: Sequence[tuple[RecordedStep, Channels | None]], tap: Tap) -> History:
    """Return what was read as one value.

    Raises
    ------
    ModelError
        If no step holds the layer's activations.
    """
    held = [(moment.step, channels) for moment, channels in read if channels is not None]
    if not held:
        raise ModelError(
            f"'{tap.address}' was recorded in numbers alone: no step holds its activations, which tell one "
            "channel from another. Expected: a recording with them, "
            f"aw.Recorder(..., layers=[{tap.address!r}])."
        )
    columns = [[getattr(channels, name) for _, channels in held] for name in vars(held[0][1])]
    return History(tuple(step for step, _ in held), *map(np.stack, columns))
