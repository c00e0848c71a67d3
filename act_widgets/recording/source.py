"""One step of a recording as a model that can be read, as far as it was recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NoReturn

import numpy as np

from ..errors import InputError, ModelError
from ..keys import Score
from ..model_graph import Graph
from ..reading.batches import are_probabilities, by_unit
from ..sources.inputs import Inputs
from ..sources.protocol import (
    INPUT,
    MAIN,
    BackwardPass,
    Counted,
    Gradients,
    Moment,
    Reading,
    Timed,
    TrainingListener,
)
from .record import read_score_of_first
from .timeline import Timeline


class RecordedSource:
    """A step of a recording behind the reading protocol.

    It stays at its step, so that whoever asked for something is answered from the same step to the end.

    Parameters
    ----------
    timeline : Timeline
        The recording.
    step : int
        One of its steps.
    """

    is_indivisible = True
    reads_apart = True
    ends_linear = False

    def __init__(self, timeline: Timeline, step: int) -> None:
        self.timeline = timeline
        self.step = timeline.check(step)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.timeline.about.model

    @property
    def input_names(self) -> Sequence[str]:
        """The addresses of the inputs."""
        return list(self.timeline.about.inputs)

    def read_inputs(self, given: Any = None) -> Inputs:
        """Return the probe batch; what is given can only be the same."""
        batch = self.example_inputs()
        if given is None:
            return batch
        leaves = list(given) if isinstance(given, list | tuple) else [given]
        same = len(leaves) == len(batch.arrays) and all(
            np.array_equal(leaf, array, equal_nan=array.dtype.kind == "f")
            for leaf, array in zip(leaves, batch.arrays, strict=True)
        )
        if not same:
            raise InputError(
                "A recording knows the model's answers for its probe batch alone. Received: other inputs. "
                "Expected: no inputs; or the model itself, as in act_widgets.explore(model, inputs)."
            )
        return batch

    def example_inputs(self) -> Inputs:
        """Return the probe batch."""
        arrays = tuple(np.asarray(array) for array in self.timeline.about.inputs.values())
        return Inputs(arrays, None if len(arrays) == 1 else [None] * len(arrays))

    def build(self, inputs: Inputs) -> None:
        """Do nothing: all is there."""

    def mixes(self, sample: Inputs, output: np.ndarray) -> bool:
        """Return that samples are read together."""
        return True

    def forward(self, inputs: Inputs, wanted: Sequence[str] | None = None) -> Reading:
        """Return what was recorded."""
        moment = self.timeline.moment(self.step)
        addresses = sorted(moment.held) if wanted is None else list(wanted)
        values = self.timeline.activations(self.step, addresses)
        return Reading(dict(self.timeline.about.taps), values, moment.output, moment.output, {})

    def activation(self, inputs: Inputs, known: Mapping[str, np.ndarray], score: Score = MAIN) -> str | None:
        """Return what makes the output of the scores that have recorded gradients; raise for others."""
        is_first, before = read_score_of_first(self.timeline.about.explained)
        if not is_first or score.address:
            self._refuse("gradients of a class's score")
        return before

    def states_probabilities(self, inputs: Inputs, known: Mapping[str, np.ndarray], units: int) -> bool:
        """Return whether the first output that is finite at another step holds probabilities."""
        outputs = (moment.output for moment in self.timeline.moments())
        return are_probabilities(next((o for o in outputs if np.isfinite(o).all()), np.zeros(0)))

    def gradients(self, inputs: Inputs, known: Mapping[str, np.ndarray], asked: BackwardPass) -> Gradients:
        """Return the recorded gradients if they are of exactly what is asked; raise otherwise.

        A score is known where no activation makes the output of it; else it is NaN.
        """
        is_first, before = read_score_of_first(self.timeline.about.explained)
        output, mask = by_unit(self.timeline.moment(self.step).output), np.asarray(asked.mask)
        is_score = not asked.score.address and (asked.score.logits or before is None)
        if not is_first or not is_score or asked.edited is not None or mask.shape != output.shape:
            self._refuse("gradients of this score")
        if asked.rule:
            self._refuse("gradients by another rule")
        scores = (mask * output).sum(1) if before is None else np.full(len(output), np.nan, np.float32)
        return Gradients(self._weighed(asked.wanted, mask, output), scores)

    def _weighed(self, wanted: Sequence[str], mask: np.ndarray, output: np.ndarray) -> dict[str, np.ndarray]:
        """Return recorded gradients as a mask weighs them, if it weighs each sample's first class alone."""
        if not wanted:
            return {}
        signs = np.take_along_axis(mask, output.argmax(-1)[:, None], 1)
        if np.count_nonzero(mask) != np.count_nonzero(signs) or not np.isin(signs, (-1, 0, 1)).all():
            self._refuse("gradients of this score")
        found = self.timeline.gradients(self.step, list(wanted))
        missing = ["the input" if a.startswith(INPUT) else f"'{a}'" for a in wanted if a not in found]
        if missing:
            self._refuse(f"gradients at {', '.join(missing)}")
        return {a: g * signs.reshape(-1, *[1] * (g.ndim - 1)).astype(g.dtype) for a, g in found.items()}

    def gates(self, inputs: Inputs) -> int:
        """Raise."""
        self._refuse("rules for its ReLUs")

    def inner_gates(self, inputs: Inputs) -> int:
        """Raise."""
        self._refuse("rules for its ReLUs")

    def shuffled(self, inputs: Inputs, seed: int) -> NoReturn:
        """Raise."""
        self._refuse("its answer with other weights")

    def resume(
        self, inputs: Inputs, address: str, value: np.ndarray, known: Mapping[str, np.ndarray]
    ) -> Reading:
        """Raise."""
        self._refuse("its answer after an edit")

    def explained(self, inputs: Inputs, score: Score = MAIN) -> frozenset[str]:
        """Return what the scores may depend on: no edges are recorded, so all that there is."""
        return frozenset([*self.timeline.about.taps, *self.input_names])

    def forget(self) -> None:
        """Drop what was read: it is read anew."""
        self.timeline.kept.clear()

    def weights_version(self) -> int:
        """Return a number that changes when more was recorded; the weights are always those of the step."""
        steps = self.timeline.look()
        return len(steps) + steps[-1]

    def at_rest(self) -> AbstractContextManager[None]:
        """Keep nothing from going on: no training changes what was recorded."""
        return nullcontext()

    def moments(self) -> tuple[Moment, ...]:
        """Return that no training changes it."""
        return ()

    def follow(self, listener: TrainingListener) -> Callable[[], None]:
        """Tell nothing."""
        return lambda: None

    def graph(self, inputs: Inputs) -> Graph:
        """Raise."""
        self._refuse("the tensors between its calls")

    def timed(self, inputs: Inputs) -> Timed:
        """Raise."""
        self._refuse("the time that its calls take")

    def flops(self, inputs: Inputs) -> Counted:
        """Raise."""
        self._refuse("the operations of its calls")

    def _refuse(self, what: str) -> NoReturn:
        gradients = self.timeline.about.explained
        kept = f" Its gradients are those of {gradients}." if gradients and "gradients" in what else ""
        raise ModelError(
            f"A recording holds what '{self.name}' computed, not the model. Asked for: {what}.{kept} "
            f"To see it, load the weights of step {self.step} into the model and open that: "
            "act_widgets.explore(model, inputs)."
        )
