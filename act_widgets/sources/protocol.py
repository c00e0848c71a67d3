"""What the rest of the package knows of a model: a protocol, and plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..errors import LayerKindError
from ..keys import Score, Tap
from ..model_graph import Graph
from .inputs import Inputs

MAIN = Score()
INPUT = "~input:"
"""Before the number of an input that the model does not name."""

OUTPUT = "~output:"
"""Before an output's name: the keys, fields and indices that lead to it, joined by dots."""


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
    axes : tuple of int
        Which axis of each output that is an array holds the channels, as its layer states it. The outputs
        stand in the order of ``keras.tree.flatten``; -1 for those behind the last.
    """

    taps: dict[str, Tap]
    values: dict[str, np.ndarray]
    outputs: Any
    main_output: np.ndarray
    unreachable: dict[str, str]
    axes: tuple[int, ...] = ()


@dataclass(frozen=True)
class BackwardPass:
    """What one backward pass is asked for: ``sum(mask * scores)`` of each sample, and its gradients.

    Attributes
    ----------
    mask : ndarray
        ``(batch, units)``, the weight of each unit on the last axis with its positions averaged; or of the
        scores' rank, what broadcasts to them.
    wanted : sequence of str
        Addresses of floating-point taps and inputs. Those that the scores do not depend on are left out.
    score : Score
        Which tensor holds the scores.
    rule : str
        How ReLUs pass a gradient back: ``"guided"``, ``"deconvnet"``, or their own way if empty.
    edited : str or None
        An address that holds another value than the model gives it.
    """

    mask: np.ndarray
    wanted: Sequence[str] = ()
    score: Score = MAIN
    rule: str = ""
    edited: str | None = None


class Gradients(NamedTuple):
    """What one backward pass gave.

    Attributes
    ----------
    values : dict of str to ndarray
        By address, as the activations; what the scores do not depend on is left out.
    scores : (batch,) ndarray
        The masked scores themselves.
    blocked : dict of str to str
        Addresses whose gradient can't be computed, with the reason.
    """

    values: dict[str, np.ndarray]
    scores: np.ndarray
    blocked: Mapping[str, str] = MappingProxyType({})

    def of(self, address: str) -> np.ndarray | None:
        """Return the gradient at an address; None if the scores do not depend on it.

        Raises
        ------
        LayerKindError
            If it can't be computed.
        """
        if address in self.blocked:
            raise no_gradient(address, self.blocked[address])
        return self.values.get(address)


def no_gradient(address: str, reason: str) -> LayerKindError:
    """Return the error for a gradient that can't be computed."""
    return LayerKindError(
        f"There is no gradient for '{address}': {reason}. "
        "Expected: a layer behind it, or a method that needs no gradients, such as 'occlusion'."
    )


class Timed(NamedTuple):
    """How long one pass took.

    Attributes
    ----------
    seconds : dict of str to float
        Of each call, by its address, inner calls included; empty if only the whole can be timed.
    whole : float
        Of the whole model.
    how : str
        How it was called and on what, in words.
    """

    seconds: dict[str, float]
    whole: float
    how: str


class Counted(NamedTuple):
    """How many floating-point operations a pass takes.

    Attributes
    ----------
    flops : dict of str to float
        Of each call, by its address, inner calls included.
    missing : dict of str to str
        Calls that can't be counted, with the reason.
    total : float or None
        Of the whole model; None if something in it can't be counted.
    remark : str
        What else the counter left out, in words.
    """

    flops: dict[str, float]
    missing: dict[str, str]
    total: float | None
    remark: str = ""


class Moment(NamedTuple):
    """Where a training stands.

    Attributes
    ----------
    training : int
        Which one: another number for each.
    step : int
        How many steps were made.
    is_whole : bool
        Whether they are counted from the first one on.
    is_between : bool
        Whether it is between two steps, so that the weights belong to one.
    """

    training: int
    step: int
    is_whole: bool
    is_between: bool


class TrainingListener(Protocol):
    """What is told of the trainings of a model. Called by the thread that trains: it must not wait."""

    def began(self, moment: Moment) -> None:
        """Hear that a training begins, or is under way."""

    def stepped(self, moment: Moment) -> None:
        """Hear that a step was made."""

    def ended(self) -> None:
        """Hear that a training is over: finished, broken off or interrupted."""


def main_output(ranks: Sequence[int | None]) -> int:
    """Return which of several outputs classes are read from, by their number of axes."""
    return next((i for i, rank in enumerate(ranks) if rank == 2), 0)


def unnamed_inputs(names: Sequence[str], count: int) -> list[str]:
    """Return an address for each input: its layer's, or its number where the model states none."""
    return [*names, *(f"{INPUT}{index}" for index in range(len(names), count))]


def shown_input(index: int, count: int) -> str:
    """Return what a graph calls an input that the model does not name."""
    return "input" if count == 1 else f"input:{index}"


def output_name(path: Sequence[Any], outputs: Any) -> str:
    """Return an output's name from the keys, fields and indices that lead to it."""
    return ".".join(map(str, named_path(path, outputs))) or "0"


def named_path(path: Sequence[Any], nest: Any) -> list[Any]:
    """Return the keys and indices that lead to a leaf; in a named tuple the names of its fields."""
    named = []
    for key in path:
        named.append(nest._fields[key] if hasattr(nest, "_fields") and isinstance(key, int) else key)
        nest = nest[key] if isinstance(nest, Mapping | list | tuple) else None
    return named


class Source(Protocol):
    """A model that can be read. Adapters for other kinds of model keep to this."""

    @property
    def name(self) -> str:
        """The model's name."""

    @property
    def input_names(self) -> Sequence[str]:
        """The addresses of the first inputs, in their order; the others have none."""

    @property
    def is_indivisible(self) -> bool:
        """Whether the samples of a batch must be read together, as in training mode."""

    @property
    def reads_apart(self) -> bool:
        """Whether each tap is read by itself, so that one pass for all of them saves nothing."""

    @property
    def ends_linear(self) -> bool:
        """Whether the model states that its main output is what a linear layer gives."""

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

    def activation(self, inputs: Inputs, known: Mapping[str, np.ndarray], score: Score = MAIN) -> str | None:
        """Return ``"softmax"`` or ``"sigmoid"`` if gradients explain the scores before one.

        Checked with numbers on `inputs`. Traces the model the first time; needs no forward pass
        for what is `known`.
        """

    def states_probabilities(self, inputs: Inputs, known: Mapping[str, np.ndarray], units: int) -> bool:
        """Return whether it is known without numbers that the main output's `units` are probabilities.

        Asked where no number of the output is finite. Costs what `activation` does.
        """

    def gradients(self, inputs: Inputs, known: Mapping[str, np.ndarray], asked: BackwardPass) -> Gradients:
        """Return masked scores and their gradients; what is `known` of this batch is not computed again."""

    def gates(self, inputs: Inputs) -> int:
        """Return the number of ReLUs that a rule changes."""

    def inner_gates(self, inputs: Inputs) -> int:
        """Return the number of ReLUs inside functions and branches, which keep their own rule."""

    def shuffled(self, inputs: Inputs, seed: int) -> Source:
        """Return the model as it would be with the values of each weight array in another order."""

    def resume(
        self, inputs: Inputs, address: str, value: np.ndarray, known: Mapping[str, np.ndarray]
    ) -> Reading:
        """Return the outputs with `value` in place of one activation; computes what lies behind it."""

    def explained(self, inputs: Inputs, score: Score = MAIN) -> frozenset[str]:
        """Return the addresses that the scores depend on. Traces the model the first time."""

    def forget(self) -> None:
        """Drop traces: the next question traces the model as it is then."""

    def weights_version(self) -> int:
        """Return a number that goes up when the weights changed. Costs less than a millisecond."""

    def at_rest(self) -> AbstractContextManager[None]:
        """Keep trainings that are followed from making a step; wait for the end of one under way."""

    def moments(self) -> tuple[Moment, ...]:
        """Return where the trainings stand that are followed and change the model."""

    def follow(self, listener: TrainingListener) -> Callable[[], None]:
        """Tell a listener of the model's trainings, until what is returned is called."""

    def graph(self, inputs: Inputs) -> Graph:
        """Return calls and edges. Traces the model the first time."""

    def timed(self, inputs: Inputs) -> Timed:
        """Run the model once with a clock at each call."""

    def flops(self, inputs: Inputs) -> Counted:
        """Return how many floating-point operations a pass takes. Traces the model the first time."""
