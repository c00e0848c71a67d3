"""Read a Keras model: eagerly for the first look, from one trace for every later question."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ..errors import ModelError
from ..model_graph import Graph
from . import eager
from .edges import read_graph
from .inputs import Inputs, example_inputs, read_inputs
from .libraries import is_a, is_layer, is_legacy, sublayers, weights_of
from .protocol import Reading
from .recorder import INSIDE, UNCALLED, Recorder
from .replay import Replay
from .trace import Trace, trace_model
from .weights import WeightWatch

Answers = Trace | Replay

_traces: weakref.WeakKeyDictionary[Any, tuple[dict[tuple, Answers], list[weakref.ref]]] = (
    weakref.WeakKeyDictionary()
)
_called: weakref.WeakSet[Any] = weakref.WeakSet()
_watches: weakref.WeakKeyDictionary[Any, dict[bool, WeightWatch]] = weakref.WeakKeyDictionary()
_tracing = threading.RLock()


class KerasSource:
    """A Keras model behind the reading protocol.

    Traces are shared by everything that reads the same model in the same mode, one per input
    signature, and go with the model.

    Parameters
    ----------
    model : layer
        Any model or layer of Keras 3, or of ``tf_keras``. It is left as it was.
    training : bool
        Whether it is called as in training: with dropout, and statistics of the batch.
    """

    def __init__(self, model: Any, training: bool = False) -> None:
        self.model = model
        self.training = training

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    @property
    def is_indivisible(self) -> bool:
        """Whether the samples of a batch must be read together.

        In training mode they share statistics; stateful recurrent layers keep a state for so many.
        """
        loops = [layer for layer in sublayers(self.model) if is_a(layer, "RNN", "ConvRNN")]
        return self.training or any(loop.stateful for loop in loops)

    def read_inputs(self, given: Any) -> Inputs:
        """Check inputs and return them as arrays."""
        return read_inputs(given, self.model)

    def example_inputs(self) -> Inputs:
        """Return zeros of the shapes that the model states."""
        return example_inputs(self.model)

    def forward(self, inputs: Inputs, wanted: Sequence[str] | None = None) -> Reading:
        """Run the model once: compiled if its trace is there already, else eagerly."""
        # An eager call of Keras 2 has side effects that a traced one has not.
        answers = self.trace(inputs) if is_legacy(self.model) else self._known_trace(inputs)
        if answers is not None:
            return answers.forward(inputs, wanted)
        self._build(inputs)
        return eager.look(self.model, inputs, wanted, self.training)

    def activation(self, inputs: Inputs, known: Mapping[str, np.ndarray]) -> str | None:
        """Return what follows the scores that gradients explain, if they are not the output."""
        return self.trace(inputs).checked_activation(inputs, known)

    def gradients(
        self, inputs: Inputs, wanted: Sequence[str], mask: np.ndarray, known: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Return gradients of the masked scores; what the scores do not depend on is left out."""
        return self.trace(inputs).gradients(inputs, wanted, mask, known)

    def resume(
        self, inputs: Inputs, address: str, value: np.ndarray, known: Mapping[str, np.ndarray]
    ) -> Reading:
        """Return the outputs with `value` in place of one activation."""
        return self.trace(inputs).resume(inputs, address, value, known)

    def explained(self, inputs: Inputs) -> frozenset[str]:
        """Return the addresses that the scores depend on."""
        return self.trace(inputs).explained

    def forget(self) -> None:
        """Drop the model's traces."""
        with _tracing:
            _traces.pop(self.model, None)

    def weights_version(self) -> int:
        """Return a number that goes up when the model's weights changed; in training mode, its seeds too."""
        with _tracing:
            watches = _watches.setdefault(self.model, {})
            watch = watches.setdefault(self.training, WeightWatch())
            return watch.version(weights_of(self.model, seeds=self.training))

    def graph(self, inputs: Inputs) -> Graph:
        """Return calls and edges."""
        return read_graph(self.trace(inputs), self.name)

    def trace(self, inputs: Inputs) -> Answers:
        """Return what answers questions on inputs of this signature, made at the first use."""
        with _tracing:
            answers = self._known_trace(inputs)
            if answers is None:
                self._build(inputs)
                answers = self._answers(inputs)
                traces, _ = _traces[self.model] = self._known_traces(), self._parts()
                traces[self.training, inputs.signature, answers.batch] = answers
            return answers

    def _answers(self, inputs: Inputs) -> Answers:
        """Return a trace of the model, or a replay where a trace can't hold what an eager call shows.

        Branches and loops of TensorFlow run their layers one by one in an eager call.
        """
        try:
            trace = trace_model(self.model, inputs, self.training)
        except ModelError:
            return Replay(self.model, inputs, self.training)
        if not {INSIDE, UNCALLED} & set(trace.unreachable.values()):
            return trace
        replay = Replay(self.model, inputs, self.training)
        return trace if replay.taps.keys() == trace.taps.keys() else replay

    def _known_trace(self, inputs: Inputs) -> Answers | None:
        """Return the trace for any batch size, or else the one for this size."""
        known = self._known_traces()
        mode = self.training, inputs.signature
        return known.get((*mode, None)) or known.get((*mode, inputs.size))

    def _known_traces(self) -> dict[tuple, Answers]:
        with _tracing:
            traces, parts = _traces.get(self.model, ({}, []))
            now = self._parts()
            same = len(parts) == len(now) and all(a() is b() for a, b in zip(parts, now, strict=True))
            return traces if same else {}

    def _parts(self) -> list[weakref.ref]:
        """Return what a trace is made of: it is stale once a layer or weight was exchanged."""
        return [weakref.ref(part) for part in (*sublayers(self.model), *self.model.weights)]

    def _build(self, inputs: Inputs) -> None:
        """Create the variables of a model that was never called, as its first call would.

        Layers that inference does not use stay as they are.
        """
        if self.model in _called or all(layer.built for layer in sublayers(self.model)):
            return
        if is_a(self.model, "Sequential") and len(inputs.arrays) == 1:
            self.model.build((None, *inputs.arrays[0].shape[1:]))
        if not all(layer.built for layer in sublayers(self.model)):
            # All samples: a recurrent state is created for this many.
            eager.call(self.model, inputs, Recorder(self.model), self.training)
        _called.add(self.model)


def is_keras(model: Any) -> bool:
    """Whether `model` can be read here."""
    return is_layer(model)


def load_keras(path: str) -> Any:
    """Load a model file, not compiled."""
    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:
        raise ModelError(
            f"No Keras model could be loaded. Received: path '{path}'. "
            "Expected: a .keras or .h5 file, its custom classes imported before. "
            f"Keras said: {error}"
        ) from error
