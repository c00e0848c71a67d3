"""A model as it would be with other weights: its own trace, or its call, reading other values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from ..errors import InputError, ModelError
from .inputs import Inputs
from .libraries import is_legacy, weights_of
from .trace import Trace
from .traces import Answers, Traces, agree
from .weights import weights_version


class OtherTraces(Traces):
    """What answers questions on a model with other weights than its own, which stays as it is.

    A trace reads other variables. A model that is called anew for each question reads other values
    meanwhile, in this thread alone.

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
        If the model can't be traced, and is one of Keras 2 or does not read its weights as Keras does.
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
        self._pairs: dict[int, tuple[Any, tf.Variable]] = {}
        for weight in weights_of(self.model, seeds=True):
            variable = getattr(weight, "_value", weight)
            if id(weight) in values and id(weight) not in self._pairs:
                other = tf.Variable(values[id(weight)], dtype=variable.dtype)
                self._others[id(variable.handle)] = other
                self._pairs[id(weight)] = weight, other
        self._own: dict[int, tuple[Answers, Answers]] = {}

    def ready(self, inputs: Inputs) -> Answers:
        """Return what reads the other weights: an eager call would read the model's own."""
        return self.trace(inputs)

    def trace(self, inputs: Inputs) -> Answers:
        """Return what answers questions on inputs of this signature, reading the other weights."""
        answers = self._origin.trace(inputs)
        with self.lock:
            if weights_version(self.model, self.training) != self._version:
                self._exchange()
            if id(answers) not in self._own:
                own = self._with_others(answers)
                own.seen(inputs)  # raises an error if a weight can't be exchanged
                self._own[id(answers)] = answers, own
            return self._own[id(answers)][1]

    def _with_others(self, answers: Answers) -> Answers:
        if isinstance(answers, Trace):
            captured = {
                name: self._others[id(outer)].handle if id(outer) in self._others else outer
                for name, outer in answers.captured.items()
            }
            return answers.with_variables(captured)
        if is_legacy(self.model):
            raise ModelError(
                "A model of Keras 2 takes other weights only if it can be traced. Received: "
                f"'{self.model.name}', which is called anew for each question. {answers.reason} Expected: a "
                "model that can be traced, or one of Keras 3."
            )
        return answers.with_weights(list(self._pairs.values()))

    def mixes(self, sample: Inputs, output: np.ndarray) -> bool:
        """Return whether the first sample alone gives another output than in its batch, or none."""
        try:
            alone = self.trace(sample).forward(sample, []).main_output
        except InputError:  # a model that is called may take no other batch size
            return True
        return not agree(alone, output)


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
