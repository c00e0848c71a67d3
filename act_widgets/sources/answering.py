"""Questions that a source hands on to what it was traced into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from ..errors import InputError
from ..keys import Score
from .costs import counted
from .protocol import MAIN, BackwardPass, Counted, Gradients, Reading

if TYPE_CHECKING:
    from .inputs import Inputs


class Answering:
    """A source whose traces answer for it; see `Source` for the questions."""

    reads_apart = False

    def answers(self, inputs: Inputs) -> Any:
        """Return the trace, or the replay, for inputs of this signature."""
        raise NotImplementedError

    def refused(self, inputs: Inputs, error: BaseException) -> InputError:
        """Return the error for inputs that the model fails on."""
        raise NotImplementedError

    @contextmanager
    def running(self, inputs: Inputs) -> Iterator[None]:
        """Run a trace within: where TensorFlow fails on the inputs, an `InputError` says so."""
        try:
            yield
        except tf.errors.OpError as error:
            raise self.refused(inputs, error) from error

    def activation(self, inputs: Inputs, known: Mapping[str, np.ndarray], score: Score = MAIN) -> str | None:
        """Return what follows the scores that gradients explain, if they are not the output."""
        with self.running(inputs):
            return self.answers(inputs).checked_activation(inputs, known, score)

    def states_probabilities(self, inputs: Inputs, known: Mapping[str, np.ndarray], units: int) -> bool:
        """Return whether a softmax makes the main output, or a sigmoid where it is one number."""
        return self.activation(inputs, known) in ("softmax", *(["sigmoid"] if units == 1 else []))

    def gradients(self, inputs: Inputs, known: Mapping[str, np.ndarray], asked: BackwardPass) -> Gradients:
        """Return the masked scores and their gradients."""
        with self.running(inputs):
            return self.answers(inputs).gradients(inputs, known, asked)

    def gates(self, inputs: Inputs) -> int:
        """Return the number of ReLUs."""
        return self.answers(inputs).seen(inputs).gates

    def inner_gates(self, inputs: Inputs) -> int:
        """Return the number of ReLUs inside functions, which keep their own rule."""
        return self.answers(inputs).seen(inputs).inner_gates

    def resume(
        self, inputs: Inputs, address: str, value: np.ndarray, known: Mapping[str, np.ndarray]
    ) -> Reading:
        """Return the outputs with `value` in place of one activation."""
        with self.running(inputs):
            return self.answers(inputs).resume(inputs, address, value, known)

    def flops(self, inputs: Inputs) -> Counted:
        """Return how many floating-point operations a pass takes."""
        return counted(self.answers(inputs), inputs)

    def explained(self, inputs: Inputs, score: Score = MAIN) -> frozenset[str]:
        """Return the addresses that the scores depend on."""
        return self.answers(inputs).seen(inputs).explained(score)
