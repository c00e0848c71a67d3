"""Read a Keras model: eagerly for the first look, from one trace for every later question."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..errors import InputError, ModelError
from ..keys import Score
from ..model_graph import Graph
from . import eager
from .edges import read_graph
from .fingerprint import Fingerprint, differing, fingerprint
from .inputs import Inputs, example_inputs, read_inputs
from .libraries import is_a, is_layer, is_legacy, other_variables, sublayers, weights_of
from .protocol import MAIN, Gradients, Reading, Source
from .recorder import INSIDE, UNCALLED, Recorder
from .replay import Replay
from .trace import Trace, trace_model
from .weights import WeightWatch

Answers = Trace | Replay

_traces: weakref.WeakKeyDictionary[Any, Traces] = weakref.WeakKeyDictionary()
_called: weakref.WeakSet[Any] = weakref.WeakSet()
_watches: weakref.WeakKeyDictionary[Any, dict[bool, WeightWatch]] = weakref.WeakKeyDictionary()
# Making a trace takes seconds; what is known, and other models, are looked at meanwhile.
_tracing: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
_looking_up = threading.RLock()


@dataclass
class Traces:
    """What is kept of a model as long as nobody exchanges its parts.

    Attributes
    ----------
    fingerprint : dict
        What the model was made of when it was traced; empty until then.
    moving : set
        Parts of the fingerprint that the model's own call changes.
    answers : dict
        Traces and replays by mode, signature and batch size; None for any size.
    mixing : dict of tuple to bool
        By signature, whether samples depend on one another.
    """

    fingerprint: Fingerprint = field(default_factory=dict)
    moving: set[tuple] = field(default_factory=set)
    answers: dict[tuple, Answers] = field(default_factory=dict)
    mixing: dict[tuple, bool] = field(default_factory=dict)


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
        with _looking_up:
            self._tracing = _tracing.setdefault(model, threading.RLock())

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

    def activation(self, inputs: Inputs, known: Mapping[str, np.ndarray], score: Score = MAIN) -> str | None:
        """Return what follows the scores that gradients explain, if they are not the output."""
        return self.trace(inputs).checked_activation(inputs, known, score)

    def gradients(
        self,
        inputs: Inputs,
        wanted: Sequence[str],
        mask: np.ndarray,
        known: Mapping[str, np.ndarray],
        *,
        score: Score = MAIN,
        rule: str = "",
        edited: str | None = None,
    ) -> Gradients:
        """Return the masked scores and their gradients."""
        return self.trace(inputs).gradients(
            inputs, wanted, mask, known, score=score, rule=rule, edited=edited
        )

    def gates(self, inputs: Inputs) -> int:
        """Return the number of ReLUs."""
        return self.trace(inputs).gates

    def inner_gates(self, inputs: Inputs) -> int:
        """Return the number of ReLUs inside functions, which keep their own rule."""
        return self.trace(inputs).inner_gates

    def shuffled(self, inputs: Inputs, seed: int) -> Source:
        """Return the model with the values of each weight array in another order; it stays as it is."""
        return ShuffledSource(self, inputs, seed)

    def resume(
        self, inputs: Inputs, address: str, value: np.ndarray, known: Mapping[str, np.ndarray]
    ) -> Reading:
        """Return the outputs with `value` in place of one activation."""
        return self.trace(inputs).resume(inputs, address, value, known)

    def explained(self, inputs: Inputs, score: Score = MAIN) -> frozenset[str]:
        """Return the addresses that the scores depend on."""
        return self.trace(inputs).seen(inputs).explained(score)

    def mixes(self, sample: Inputs, output: np.ndarray) -> bool:
        """Return whether the first sample alone gives another output than in its batch, or none."""
        with self._tracing:
            known = self._kept().mixing
            if sample.signature not in known:
                try:
                    alone = eager.look(self.model, sample, [], self.training).main_output
                except InputError:
                    known[sample.signature] = True
                else:
                    known[sample.signature] = not _agree(alone, output)
            return known[sample.signature]

    def forget(self) -> None:
        """Drop the model's traces."""
        with _looking_up:
            _traces.pop(self.model, None)

    def weights_version(self) -> int:
        """Return a number that goes up when the model's weights changed; in training mode, its seeds too."""
        with _looking_up:
            watches = _watches.setdefault(self.model, {})
            watch = watches.setdefault(self.training, WeightWatch())
            weights = weights_of(self.model, seeds=self.training)
            return watch.version(weights, lambda: other_variables(self.model))

    def graph(self, inputs: Inputs) -> Graph:
        """Return calls and edges."""
        return read_graph(self.trace(inputs).seen(inputs), self.name)

    def trace(self, inputs: Inputs) -> Answers:
        """Return what answers questions on inputs of this signature, made at the first use."""
        with self._tracing:
            self._build(inputs)
            kept = self._kept()
            answers = self._known_trace(inputs)
            if answers is None or not self._holds(answers, inputs):
                answers = self._answers(inputs, kept)
                kept.answers[self.training, inputs.signature, answers.batch] = answers
            return answers

    def _answers(self, inputs: Inputs, kept: Traces) -> Answers:
        """Return a trace of the model, or a replay where a trace can't hold what an eager call shows.

        Branches and loops of TensorFlow run their layers one by one in an eager call.
        """
        before = fingerprint(self.model)
        trace: Trace | None = None
        reason = "its trace computes something else than an eager call"
        for batch in (None, inputs.size):
            try:
                trace = trace_model(self.model, inputs, batch, self.training)
            except ModelError as error:
                reason = str(error)
                continue
            if self._holds(trace, inputs):
                break
            trace = None
        answers: Answers | None = trace
        if trace is None or {INSIDE, UNCALLED} & set(trace.unreachable.values()):
            replay = Replay(self.model, self.training, reason)
            if trace is None or replay.seen(inputs).taps.keys() != trace.taps.keys():
                answers = replay
        assert answers is not None
        # What the model's own call changes, such as a counter, says nothing of the trace.
        kept.moving |= differing(before, fingerprint(self.model))
        kept.fingerprint = fingerprint(self.model)
        return answers

    def _holds(self, answers: Answers, inputs: Inputs) -> bool:
        """Return whether a trace gives what an eager call gives, for one sample or for several.

        A call may decide in Python by the shape of its inputs, which a trace for any size does not see.
        """
        if isinstance(answers, Replay) or answers.checked >= {inputs.size == 1}:
            return True
        eagerly = eager.look(self.model, inputs, [], self.training).main_output
        holds = _agree(answers.forward(inputs, []).main_output, eagerly)
        answers.checked |= {inputs.size == 1} if holds else set()
        return holds

    def _known_trace(self, inputs: Inputs) -> Answers | None:
        """Return the trace for this batch size, or else the one for any."""
        known = self._kept().answers
        mode = self.training, inputs.signature
        return known.get((*mode, inputs.size)) or known.get((*mode, None))

    def _kept(self) -> Traces:
        """Return what is known of the model, as it was when `build` last looked at it."""
        with _looking_up:
            return _traces.setdefault(self.model, Traces())

    def build(self, inputs: Inputs) -> None:
        """Create the variables of a model that was never called, and forget what is known of another one."""
        with self._tracing:
            kept = self._kept()
            if kept.fingerprint and differing(kept.fingerprint, fingerprint(self.model)) - kept.moving:
                self.forget()
            self._build(inputs)

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


class ShuffledSource(KerasSource):
    """A model whose trace reads other variables: each with the values of the model's own, shuffled.

    Parameters
    ----------
    origin : KerasSource
        The model as it is.
    inputs : Inputs
        What to trace it for, if it was not.
    seed : int
        Of the order.
    """

    def __init__(self, origin: KerasSource, inputs: Inputs, seed: int) -> None:
        super().__init__(origin.model, origin.training)
        self._origin = origin
        self._seed = seed
        self._shuffle()
        self.trace(inputs)

    def _shuffle(self) -> None:
        rng = np.random.default_rng(self._seed)
        self._version = self.weights_version()
        weights = map(_variable, weights_of(self.model))
        variables = {id(v.handle): v for v in weights if v.dtype.is_floating}
        # Kept: the handles alone do not keep the variables alive.
        self._others = {place: _shuffled(variable, rng) for place, variable in variables.items()}
        self._own: dict[int, tuple[Answers, Trace]] = {}

    def trace(self, inputs: Inputs) -> Answers:
        """Return the model's trace, reading the shuffled variables."""
        answers = self._origin.trace(inputs)
        if isinstance(answers, Replay):
            raise ModelError(
                f"Weights can be shuffled only in a model that can be traced. Received: '{self.name}', which "
                f"is called anew for each question. {answers.reason}"
            )
        with self._tracing:
            if self.weights_version() != self._version:
                self._shuffle()
            if id(answers) not in self._own:
                captured = {
                    name: self._others[id(outer)].handle if id(outer) in self._others else outer
                    for name, outer in answers.captured.items()
                }
                self._own[id(answers)] = answers, answers.with_variables(captured)
            return self._own[id(answers)][1]

    def forward(self, inputs: Inputs, wanted: Sequence[str] | None = None) -> Reading:
        """Run the model once with its weights shuffled."""
        return self.trace(inputs).forward(inputs, wanted)

    def mixes(self, sample: Inputs, output: np.ndarray) -> bool:
        """Return whether samples depend on one another."""
        return not _agree(self.forward(sample, []).main_output, output)


def _variable(weight: Any) -> Any:
    return getattr(weight, "_value", weight)


def _shuffled(variable: Any, rng: np.random.Generator) -> tf.Variable:
    values = variable.numpy()
    return tf.Variable(rng.permutation(values.reshape(-1)).reshape(values.shape), dtype=variable.dtype)


def _agree(output: np.ndarray, expected: np.ndarray) -> bool:
    """Return whether two outputs are equal, but for the order in which sums were taken."""
    if output.shape != expected.shape or output.dtype != expected.dtype:
        return False
    if output.dtype.kind not in "fc":
        return np.array_equal(output, expected)
    largest = float(np.abs(expected[np.isfinite(expected)]).max(initial=0))
    return np.allclose(output, expected, rtol=1e-2, atol=1e-2 * largest, equal_nan=True)


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
