"""What is recorded of a model at one step of its training, and who is given it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from ..by_address import ByAddress
from ..keys import Tap


class Summary(NamedTuple):
    """A layer's activations for the probe batch in numbers.

    Attributes
    ----------
    mean, deviation, smallest, largest : float
        Of the finite values; NaN if there are none.
    zeros : float
        Share of values that are exactly 0.
    dead : float
        Share of channels that are 0 in every sample and at every position.
    nan, infinite : int
        Number of values that are NaN, or infinite.
    gradient_norm : float or None
        L2 norm of the gradient at the layer's output; None if there is none.
    weight_norm : float or None
        L2 norm of the weights of the layer, inner layers included; None if it has none.
    """

    mean: float
    deviation: float
    smallest: float
    largest: float
    zeros: float
    dead: float
    nan: int
    infinite: int
    gradient_norm: float | None = None
    weight_norm: float | None = None


_OF_LAYERS = ("activations", "gradients", "summaries")


@dataclass(frozen=True)
class Record:
    """What was recorded at one step.

    Attributes
    ----------
    step : int
        Number of training steps that were taken before; 0 is the model before its training.
    epoch : int
        Number of epochs that were ended before.
    seconds : float
        Since the training began.
    logs : dict of str to float
        The loss and metrics as Keras reported them last.
    output : ndarray
        The model's main output for the probe batch, ``(batch, ..., units)``.
    activations : mapping of str to ndarray
        By address, or any unique end of one, ``(batch, ...)``; empty if only summaries are kept.
    gradients : mapping of str to ndarray
        In the same way, of the score that `About.explained` names.
    summaries : mapping of str to Summary
        In the same way, of every layer that is recorded.
    time : float
        When it was made, in seconds since 1970.
    """

    step: int
    epoch: int
    seconds: float
    logs: Mapping[str, float]
    output: np.ndarray
    activations: Mapping[str, np.ndarray] = field(default_factory=dict)
    gradients: Mapping[str, np.ndarray] = field(default_factory=dict)
    summaries: Mapping[str, Summary] = field(default_factory=dict)
    time: float = 0.0

    def __post_init__(self) -> None:
        for name in _OF_LAYERS:
            given = getattr(self, name)
            if not isinstance(given, ByAddress):
                object.__setattr__(self, name, ByAddress(given))

    def __repr__(self) -> str:
        held = ", ".join(f"{name} of {len(getattr(self, name))} layers" for name in _OF_LAYERS)
        loss = f", loss {self.logs['loss']:.3g}" if "loss" in self.logs else ""
        return f"Record of step {self.step}, epoch {self.epoch}{loss}: {held}"


@dataclass(frozen=True)
class About:
    """What holds for all records of one training.

    Attributes
    ----------
    model : str
        The model's name.
    taps : dict of str to Tap
        What is recorded, in call order.
    inputs : dict of str to ndarray
        The probe batch, by the addresses of the inputs.
    explained : str
        What the gradients are of, in words; empty if none are recorded.
    labels : sequence of str
        Class names; empty if there are none.
    """

    model: str
    taps: Mapping[str, Tap]
    inputs: Mapping[str, np.ndarray]
    explained: str = ""
    labels: Sequence[str] = ()

    def __repr__(self) -> str:
        samples = next((len(array) for array in self.inputs.values()), 0)
        return f"About the records of '{self.model}': {len(self.taps)} layers, {samples} samples"


_FIRST = "the score of the class that the model gives each sample first"
_BEFORE = ", before its "


def score_of_first(activation: str | None) -> str:
    """Return what `About.explained` says where gradients are of each sample's first class.

    `activation` is the ``"softmax"`` or ``"sigmoid"`` that makes the output of these scores, if one does.
    """
    return f"{_FIRST}{_BEFORE}{activation}" if activation else _FIRST


def read_score_of_first(explained: str) -> tuple[bool, str | None]:
    """Return whether words say so, and the activation that they name."""
    is_first = explained.startswith(_FIRST)
    return is_first, explained.partition(_BEFORE)[2] or None if is_first else None


class Writer(Protocol):
    """What is given each record as it is made."""

    def open(self, about: About) -> None:
        """Begin a recording, or go on with it: each training of the same model opens it again.

        Raises an `InputError` if it can't be as it is set up, which ends the training before it begins, or
        whatever else keeps it from being opened, such as an `OSError`.
        """

    def write(self, record: Record) -> None:
        """Write a record so that it can be read even if the process is killed right after."""

    def close(self) -> None:
        """The training ended: everything is written out. Another may open the recording again."""


class Recording(Protocol):
    """Records that can be read."""

    @property
    def about(self) -> About:
        """What holds for all of them."""

    @property
    def steps(self) -> Sequence[int]:
        """The steps that are there, ascending."""

    def read(self, step: int) -> Record:
        """Return the record of a step; arrays are read when they are looked up, where that saves time."""
