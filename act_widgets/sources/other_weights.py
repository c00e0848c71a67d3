"""A model as it would be with other weights: its own trace, reading other variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from ..errors import ModelError
from .inputs import Inputs
from .libraries import weights_of
from .replay import Replay
from .trace import Trace
from .traces import Answers, Traces, agree
from .weights import weights_version


class OtherTraces(Traces):
    """Traces of a model that read other variables than its own, which stays as it is.

    Parameters
    ----------
    origin : Traces
        The model as it is.
    inputs : Inputs
        What to trace it for, if it was not.
    values : callable
        Returns other values by the identity of the model's weights, and of the states of its seeds; those
        left out keep their own. Asked again when the model's weights changed.

    Raises
    ------
    ModelError
        If the model can't be traced.
    """

    def __init__(
        self, origin: Traces, inputs: Inputs, values: Callable[[], Mapping[int, np.ndarray]]
    ) -> None:
        super().__init__(origin.model, origin.training)
        self._origin = origin
        self._values = values
        self._exchange()
        self.trace(inputs)

    def _exchange(self) -> None:
        self._version = weights_version(self.model, self.training)
        values = self._values()
        # Kept: the handles alone do not keep the variables alive.
        self._others: dict[int, tf.Variable] = {}
        for weight in weights_of(self.model, seeds=True):
            variable = getattr(weight, "_value", weight)
            if id(weight) in values:
                self._others[id(variable.handle)] = tf.Variable(values[id(weight)], dtype=variable.dtype)
        self._own: dict[int, tuple[Answers, Trace]] = {}

    def ready(self, inputs: Inputs) -> Trace:
        """Return the trace: an eager call would read the model's own variables."""
        return self.trace(inputs)

    def trace(self, inputs: Inputs) -> Trace:
        """Return the model's trace, reading the other variables."""
        answers = self._origin.trace(inputs)
        if isinstance(answers, Replay):
            raise ModelError(
                f"A model takes other weights only if it can be traced. Received: '{self.model.name}', "
                f"which is called anew for each question. {answers.reason}"
            )
        with self.lock:
            if weights_version(self.model, self.training) != self._version:
                self._exchange()
            if id(answers) not in self._own:
                captured = {
                    name: self._others[id(outer)].handle if id(outer) in self._others else outer
                    for name, outer in answers.captured.items()
                }
                self._own[id(answers)] = answers, answers.with_variables(captured)
            return self._own[id(answers)][1]

    def mixes(self, sample: Inputs, output: np.ndarray) -> bool:
        """Return whether the first sample alone gives another output than in its batch."""
        return not agree(self.trace(sample).forward(sample, []).main_output, output)


def shuffled(model: Any, seed: int) -> dict[int, np.ndarray]:
    """Return a model's real-valued weights with the values of each in another order."""
    rng = np.random.default_rng(seed)
    found: dict[int, np.ndarray] = {}
    for weight in weights_of(model):
        variable = getattr(weight, "_value", weight)
        if variable.dtype.is_floating and id(weight) not in found:
            values = variable.numpy()
            found[id(weight)] = rng.permutation(values.reshape(-1)).reshape(values.shape)
    return found
