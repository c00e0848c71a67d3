"""A model as it would be with its weights shuffled: its own trace, reading other variables."""

from __future__ import annotations

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


class ShuffledTraces(Traces):
    """Traces of a model that read other variables: each with the values of the model's own, shuffled.

    Parameters
    ----------
    origin : Traces
        The model as it is.
    inputs : Inputs
        What to trace it for, if it was not.
    seed : int
        Of the order.

    Raises
    ------
    ModelError
        If the model can't be traced.
    """

    def __init__(self, origin: Traces, inputs: Inputs, seed: int) -> None:
        super().__init__(origin.model, origin.training)
        self._origin = origin
        self._seed = seed
        self._shuffle()
        self.trace(inputs)

    def _shuffle(self) -> None:
        rng = np.random.default_rng(self._seed)
        self._version = weights_version(self.model, self.training)
        weights = (getattr(weight, "_value", weight) for weight in weights_of(self.model))
        variables = {id(v.handle): v for v in weights if v.dtype.is_floating}
        # Kept: the handles alone do not keep the variables alive.
        self._others = {place: _shuffled(variable, rng) for place, variable in variables.items()}
        self._own: dict[int, tuple[Answers, Trace]] = {}

    def ready(self, inputs: Inputs) -> Trace:
        """Return the trace: an eager call would read the model's own variables."""
        return self.trace(inputs)

    def trace(self, inputs: Inputs) -> Trace:
        """Return the model's trace, reading the shuffled variables."""
        answers = self._origin.trace(inputs)
        if isinstance(answers, Replay):
            raise ModelError(
                f"Weights can be shuffled only in a model that can be traced. Received: '{self.model.name}', "
                f"which is called anew for each question. {answers.reason}"
            )
        with self.lock:
            if weights_version(self.model, self.training) != self._version:
                self._shuffle()
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


def _shuffled(variable: Any, rng: np.random.Generator) -> tf.Variable:
    values = variable.numpy()
    return tf.Variable(rng.permutation(values.reshape(-1)).reshape(values.shape), dtype=variable.dtype)
