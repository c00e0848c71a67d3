"""What is explained, resolved for one model and batch: which tensor, which of its numbers, and its name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..keys import Score, Target
from .batches import inner_axis, spread_weights

LOGITS = "logits"
PROBABILITIES = "probabilities"
ACTIVATIONS = "activations"


@dataclass(frozen=True)
class Explained:
    """One unit of an output or a layer, and the score that stands for it.

    Attributes
    ----------
    target : Target
        The unit and where it is, addresses whole.
    score : Score
        The tensor that holds the scores.
    scores : str
        What they are: ``"logits"``, ``"probabilities"``, or ``"activations"`` of a layer.
    shape : tuple of int
        The tensor's, without the batch axis.
    axis : int
        Which axis of the whole tensor holds the units.
    unit : int
        The unit's number on that axis.
    sign : float
        -1 where what speaks against the unit is explained.
    """

    target: Target
    score: Score
    scores: str
    shape: tuple[int, ...]
    axis: int
    unit: int
    sign: float = 1.0

    @property
    def asked(self) -> int | Target:
        """The number of a class of the main output, 1 for a single unit and 0 against it; else the target."""
        if self.target != Target(self.unit):
            return self.target
        return int(self.sign > 0) if self.shape[-1:] == (1,) else self.unit

    @property
    def offset(self) -> float:
        """What is added to the weighted score: the probability of "against" is one less that of "for"."""
        return 1.0 if self.sign < 0 and self.scores == PROBABILITIES else 0.0

    def mask(self, samples: int) -> np.ndarray:
        """Return the weight of each number in each sample's score; see `Source.gradients`."""
        channel = inner_axis(self.axis)
        if self.target.at is None:
            weights = np.zeros((samples, self.shape[channel] if self.shape else 1), np.float32)
            weights[:, self.unit] = self.sign
            return spread_weights(weights, self.shape, self.axis)
        whole = np.zeros((samples, *self.shape), np.float32)
        np.moveaxis(whole[0], channel, -1)[(*self.target.at, self.unit)] = self.sign
        whole[1:] = whole[:1]
        return whole

    def values(self, tensor: np.ndarray) -> np.ndarray:
        """Return each sample's score, given the tensor."""
        tensor = tensor if tensor.ndim > 1 else tensor[:, None]
        mask = self.mask(len(tensor))
        if mask.ndim < tensor.ndim:
            tensor = tensor.mean(axis=tuple(range(1, tensor.ndim - 1)))
        return (tensor * mask).sum(axis=tuple(range(1, tensor.ndim))) + np.float32(self.offset)
