"""What the rest of the package knows of a model: a protocol, and plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..keys import Tap
from ..model_graph import Graph
from .inputs import Inputs


@dataclass(frozen=True)
class Reading:
    """What one pass of the model gave.

    Attributes
    ----------
    taps : dict of str to Tap
        Every tensor that can be read, in call order.
    values : dict of str to ndarray
        The tensors that were asked for, ``(batch, ...)``.
    outputs : ndarray, or the structure of them that the model returns
        The model's outputs.
    main_output : ndarray
        The one that classes are read from: the first of shape ``(batch, units)``, else the first.
    unreachable : dict of str to str
        Addresses that can't be read, with the reason.
    """

    taps: dict[str, Tap]
    values: dict[str, np.ndarray]
    outputs: Any
    main_output: np.ndarray
    unreachable: dict[str, str]


def main_output(ranks: Sequence[int | None]) -> int:
    """Return which of several outputs classes are read from, by their number of axes."""
    return next((i for i, rank in enumerate(ranks) if rank == 2), 0)


class Source(Protocol):
    """A model that can be read. Adapters for other kinds of model keep to this."""

    @property
    def name(self) -> str:
        """The model's name."""

    @property
    def is_indivisible(self) -> bool:
        """Whether the samples of a batch must be read together, as in training mode."""

    def read_inputs(self, given: Any) -> Inputs:
        """Check inputs and return them as arrays. Costs a copy of them."""

    def example_inputs(self) -> Inputs:
        """Return zeros of the shapes that the model states, for questions that compute nothing."""

    def build(self, inputs: Inputs) -> None:
        """Make ready for questions on the model as it is now: called before every first question."""

    def mixes(self, sample: Inputs, output: np.ndarray) -> bool:
        """Return whether the first sample alone gives another output than `output`, that in its batch."""

    def forward(self, inputs: Inputs, wanted: Sequence[str] | None = None) -> Reading:
        """Run the model once, for all taps or those `wanted`."""

    def activation(self, inputs: Inputs, known: Mapping[str, np.ndarray]) -> str | None:
        """Return ``"softmax"`` or ``"sigmoid"`` if gradients explain the scores before one.

        Checked with numbers on `inputs`. Traces the model the first time; needs no forward pass
        for what is `known`.
        """

    def gradients(
        self, inputs: Inputs, wanted: Sequence[str], mask: np.ndarray, known: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Return gradients of ``sum(mask * scores)``; needs no forward pass for what is `known`."""

    def resume(
        self, inputs: Inputs, address: str, value: np.ndarray, known: Mapping[str, np.ndarray]
    ) -> Reading:
        """Return the outputs with `value` in place of one activation; computes what lies behind it."""

    def explained(self, inputs: Inputs) -> frozenset[str]:
        """Return the addresses that the scores depend on. Traces the model the first time."""

    def forget(self) -> None:
        """Drop traces: the next question traces the model as it is then."""

    def weights_version(self) -> int:
        """Return a number that goes up when the weights changed. Costs less than a millisecond."""

    def graph(self, inputs: Inputs) -> Graph:
        """Return calls and edges. Traces the model the first time."""
