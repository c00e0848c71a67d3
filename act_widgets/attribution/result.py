"""An attribution: the maps, and what they are maps of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import InputError
from ..keys import Target, whole_number
from .resample import resized


@dataclass(frozen=True)
class Attribution:
    """Maps that say where a score comes from.

    Attributes
    ----------
    maps : (batch, height, width) float32 ndarray
        Raw, not normalised, on the grid of the layer or input: ``(batch, time)`` for sequences, ``(batch,
        depth, height, width)`` for volumes, ``(batch, features)`` for vectors.
    values : (batch, height, width, channels) float32 ndarray
        As computed, before channels are reduced to one number.
    method : str
        Name of the method.
    layer : str
        Address of the layer or input.
    target : int, Target, or tuple of int
        What is explained: a class, a unit, or each sample's first class if none was asked for.
    scores : str
        Which scores were explained: ``"logits"``, ``"probabilities"``, or ``"activations"`` of a layer.
    score : (batch,) float32 ndarray
        The scores themselves.
    signed : bool
        Whether maps have values of both signs.
    connected : bool
        Whether the score depends on the layer at all.
    params : dict
        The method's parameters.
    remarks : tuple of str
        What the method says of its result.
    completeness : (batch,) float32 ndarray or None
        Integrated gradients: how far the values are from adding up to what the score gained, as a share of
        that.
    spread : ndarray or None
        SmoothGrad: the standard error of `values`, of the same shape.
    samples : tuple of int
        Numbers of the samples in the batch that was explained, one for each map.
    """

    maps: np.ndarray
    values: np.ndarray
    method: str
    layer: str
    target: int | Target | tuple[int, ...]
    scores: str
    score: np.ndarray
    signed: bool = False
    connected: bool = True
    params: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    completeness: np.ndarray | None = None
    spread: np.ndarray | None = None
    reasons: tuple[str | None, ...] = (None,)
    samples: tuple[int, ...] = (0,)

    def __repr__(self) -> str:
        return (
            f"Attribution(method={self.method!r}, layer={self.layer!r}, target={_in_brief(self.target)}, "
            f"maps={self.maps.shape}, scores={self.scores!r})"
        )

    @property
    def nbytes(self) -> int:
        """Bytes of maps and values."""
        spread = 0 if self.spread is None else self.spread.nbytes
        return self.maps.nbytes + self.values.nbytes + spread

    def upsampled(self, shape: Sequence[int]) -> np.ndarray:
        """Return the maps with their positions resized to `shape`, interpolated linearly.

        Parameters
        ----------
        shape : sequence of int
            Height and width, or one number for each axis of positions.

        Returns
        -------
        (batch, height, width) float32 ndarray

        Raises
        ------
        InputError
            If there is not one positive number for each axis.
        """
        sizes = tuple(shape) if np.iterable(shape) else (shape,)
        if len(sizes) != self.maps.ndim - 1 or not all(
            isinstance(n, int | np.integer) and n > 0 for n in sizes
        ):
            raise InputError(
                f"Maps are resized to one size for each axis. Received: {sizes}. "
                f"Expected: {self.maps.ndim - 1} positive integers, for maps of shape {self.maps.shape[1:]}."
            )
        return resized(self.maps, sizes, first=1)

    def blank_reason(self, sample: int) -> str | None:
        """Return why a sample's map shows nothing, as measured, or None if it shows something.

        Raises
        ------
        InputError
            If there is no such sample.
        """
        number = whole_number(sample)
        if number is None or not 0 <= number < len(self.maps):
            raise InputError(
                f"There are maps of {len(self.maps)} samples. Received: sample={sample!r:.80}. "
                f"Expected: 0 to {len(self.maps) - 1}."
            )
        return self.reasons[number]


def _in_brief(target: int | Target | tuple[int, ...]) -> str:
    """Return a target in words; of many classes the first ones."""
    if isinstance(target, tuple) and len(target) > 5:
        return f"({', '.join(map(str, target[:5]))}, ...)"
    return str(target)


def joined(parts: Sequence[Attribution], target: int | Target | tuple[int, ...]) -> Attribution:
    """Return the attributions of single samples as one of a batch."""
    first = parts[0]
    spread = [part.spread for part in parts if part.spread is not None]
    completeness = [part.completeness for part in parts if part.completeness is not None]
    return replace(
        first,
        maps=np.concatenate([part.maps for part in parts]),
        values=np.concatenate([part.values for part in parts]),
        target=target,
        score=np.concatenate([part.score for part in parts]),
        connected=any(part.connected for part in parts),
        remarks=tuple(_joined_remarks([part.remarks for part in parts])),
        completeness=np.concatenate(completeness) if completeness else None,
        spread=np.concatenate(spread) if spread else None,
        reasons=tuple(reason for part in parts for reason in part.reasons),
        samples=tuple(sample for part in parts for sample in part.samples),
    )


def _joined_remarks(remarks: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield what holds for all samples once, and the rest with the number of its sample."""
    if len(set(remarks)) == 1:
        yield from remarks[0]
        return
    for sample, said in enumerate(remarks):
        yield from (f"Sample {sample}: {remark}" for remark in said)
