"""Read a Keras model: eagerly for the first look, from one trace for every later question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..errors import InputError, ModelError, listed, said
from ..model_graph import Graph
from . import eager, following
from .answering import Answering
from .clock import timed
from .edges import read_graph
from .inputs import Inputs, example_inputs, read_inputs
from .libraries import ends_linear, is_a, is_layer, parameters, sublayers
from .other_weights import OtherTraces, shuffled
from .protocol import Moment, Reading, Timed, TrainingListener
from .traces import Answers, Traces
from .weights import weights_version


class KerasSource(Answering):
    """A Keras model behind the reading protocol.

    Parameters
    ----------
    model : layer
        Any model or layer of Keras 3, or of ``tf_keras``. It is left as it was.
    training : bool
        Whether it is called as in training: with dropout, and statistics of the batch.
    traces : Traces, optional
        What answers questions; the model's own if left out.
    """

    def __init__(self, model: Any, training: bool = False, traces: Traces | None = None) -> None:
        self.model = model
        self.training = training
        self.traces = traces or Traces(model, training)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    @property
    def input_names(self) -> list[str]:
        """The addresses of the first inputs; a model that states no inputs has none."""
        return eager.input_names(self.model)

    @property
    def is_indivisible(self) -> bool:
        """Whether the samples of a batch must be read together.

        In training mode they share statistics; stateful recurrent layers keep a state for so many.
        """
        loops = [layer for layer in sublayers(self.model) if is_a(layer, "RNN", "ConvRNN")]
        return self.training or any(loop.stateful for loop in loops)

    @property
    def ends_linear(self) -> bool:
        """Whether the model states that its main output is what a linear layer gives."""
        return ends_linear(self.model)

    def read_inputs(self, given: Any) -> Inputs:
        """Check inputs and return them as arrays."""
        return read_inputs(given, self.model)

    def example_inputs(self) -> Inputs:
        """Return zeros of the shapes that the model states."""
        return example_inputs(self.model)

    def build(self, inputs: Inputs) -> None:
        """Create the variables of a model that was never called, and forget what is known of another one."""
        self.traces.build(inputs)

    def mixes(self, sample: Inputs, output: np.ndarray) -> bool:
        """Return whether the first sample alone gives another output than in its batch, or none."""
        return self.traces.mixes(sample, output)

    def forward(self, inputs: Inputs, wanted: Sequence[str] | None = None) -> Reading:
        """Run the model once: compiled if its trace is there already, else eagerly."""
        answers = self.traces.ready(inputs)
        if answers is not None:
            with self.running(inputs):
                return answers.forward(inputs, wanted)
        self.traces.create_variables(inputs)
        return eager.look(self.model, inputs, wanted, self.training)

    def refused(self, inputs: Inputs, error: BaseException) -> InputError:
        """Return the error for inputs that the model fails on, as if it was called eagerly."""
        return eager.refused(self.model, inputs, self.training, error)

    def answers(self, inputs: Inputs) -> Answers:
        """Return what answers questions on inputs of this signature."""
        return self.traces.trace(inputs)

    def shuffled(self, inputs: Inputs, seed: int) -> KerasSource:
        """Return the model with the values of each weight array in another order; it stays as it is."""
        return self.with_weights(inputs, lambda: shuffled(self.model, seed))

    def with_weights(self, inputs: Inputs, values: Callable[[], Mapping[int, np.ndarray]]) -> KerasSource:
        """Return the model with other values for some of its weights; see `OtherTraces`."""
        return KerasSource(self.model, self.training, OtherTraces(self.traces, inputs, values))

    def forget(self) -> None:
        """Drop the model's traces."""
        self.traces.forget()

    def weights_version(self) -> int:
        """Return a number that goes up when the model's weights changed; in training mode, its seeds too."""
        return weights_version(self.model, self.training)

    def at_rest(self) -> AbstractContextManager[None]:
        """Keep trainings that are followed from making a step; wait for the end of one under way."""
        return following.at_rest(self.model)

    def moments(self) -> tuple[Moment, ...]:
        """Return where the trainings stand that are followed and change the model."""
        return following.moments(self.model)

    def follow(self, listener: TrainingListener) -> Callable[[], None]:
        """Tell a listener of the model's trainings, until what is returned is called."""
        return following.follow(self.model, listener)

    def graph(self, inputs: Inputs) -> Graph:
        """Return calls and edges."""
        return read_graph(self.answers(inputs).seen(inputs), self.name, parameters(self.model))

    def timed(self, inputs: Inputs) -> Timed:
        """Run the model once, eagerly, with a clock at each call."""
        return timed(self.model, inputs, self.training)


def is_keras(model: Any) -> bool:
    """Whether `model` can be read here."""
    return is_layer(model)


def load_keras(path: str) -> Any:
    """Load a model file, not compiled."""
    if "://" not in path and not Path(path).exists():
        raise _nothing_at(Path(path))
    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:
        raise ModelError(
            f"No Keras model could be loaded. Received: path '{path}'. "
            "Expected: a .keras or .h5 file, its custom classes imported before; or a SavedModel folder, or "
            "a frozen .pb file. "
            f"Keras said: {said(error)}"
        ) from error


def _nothing_at(path: Path) -> ModelError:
    """Return the error for a path that leads nowhere, with names that are like it."""
    folder = path.parent
    names = [other.name for other in folder.iterdir()] if folder.is_dir() else []
    like = get_close_matches(path.name, names)
    hint = f" In that folder: {listed(like)}." if like else ""
    return ModelError(
        f"This path does not exist. Received: '{path}', looked for in '{folder.absolute()}'. Expected: a "
        ".keras or .h5 file, a SavedModel folder, a frozen .pb file, or, for explore and Session, a "
        f"recording.{hint}"
    )
