"""The traces of a model: made at the first question, compared with an eager call, kept while they hold."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import InputError, ModelError
from ..keys import Tap
from . import eager
from .fingerprint import Fingerprint, differing, fingerprint
from .inputs import Inputs
from .libraries import is_a, is_legacy, sublayers
from .recorder import INSIDE, UNCALLED, Recorder
from .replay import Replay
from .trace import Trace
from .tracing import trace_model

Answers = Trace | Replay

_kept: weakref.WeakKeyDictionary[Any, Kept] = weakref.WeakKeyDictionary()
_called: weakref.WeakSet[Any] = weakref.WeakSet()
# Making a trace takes seconds; what is known, and other models, are looked at meanwhile.
_tracing: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
_looking_up = threading.RLock()


@dataclass
class Kept:
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


class Traces:
    """What answers questions on a model, in one mode.

    Traces are shared by everything that reads the same model in the same mode, one per input
    signature, and go with the model.

    Parameters
    ----------
    model : layer
        The model.
    training : bool
        Whether it is called as in training.
    """

    def __init__(self, model: Any, training: bool) -> None:
        self.model = model
        self.training = training
        with _looking_up:
            self.lock = _tracing.setdefault(model, threading.RLock())

    def ready(self, inputs: Inputs) -> Answers | None:
        """Return what is there to answer a question; None if the model is better called eagerly."""
        # An eager call of Keras 2 has side effects that a traced one has not.
        return self.trace(inputs) if is_legacy(self.model) else self._known_trace(inputs)

    def trace(self, inputs: Inputs) -> Answers:
        """Return what answers questions on inputs of this signature, made at the first use."""
        with self.lock:
            kept = self._kept()
            answers = self._known_trace(inputs)
            if answers is None or not self._holds(answers, inputs):
                self.create_variables(inputs)
                answers = self._answers(inputs, kept)
                kept.answers[self.training, inputs.signature, answers.batch] = answers
            return answers

    def mixes(self, sample: Inputs, output: np.ndarray) -> bool:
        """Return whether the first sample alone gives another output than in its batch, or none."""
        with self.lock:
            known = self._kept().mixing
            if sample.signature not in known:
                try:
                    alone = eager.look(self.model, sample, [], self.training).main_output
                except InputError:
                    known[sample.signature] = True
                else:
                    known[sample.signature] = not agree(alone, output)
            return known[sample.signature]

    def forget(self) -> None:
        """Drop the model's traces."""
        with _looking_up:
            _kept.pop(self.model, None)

    def build(self, inputs: Inputs) -> None:
        """Create the variables of a model that was never called, and forget what is known of another one."""
        with self.lock:
            kept = self._kept()
            if kept.fingerprint and differing(kept.fingerprint, fingerprint(self.model)) - kept.moving:
                self.forget()
            self.create_variables(inputs)

    def create_variables(self, inputs: Inputs) -> None:
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

    def _answers(self, inputs: Inputs, kept: Kept) -> Answers:
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
        if trace is None or _hides(trace):
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
        eagerly = eager.look(self.model, inputs, [], self.training)
        holds = agree(answers.forward(inputs, []).main_output, eagerly.main_output)
        # What loops and branches hide is another matter; see `_answers`.
        holds &= _hides(answers) or eagerly.taps.keys() == answers.taps.keys()
        answers.taps.update(_of_unknown_rank(answers, eagerly.taps))
        answers.checked |= {inputs.size == 1} if holds else set()
        return holds

    def _known_trace(self, inputs: Inputs) -> Answers | None:
        """Return the trace for this batch size, or else the one for any."""
        known = self._kept().answers
        mode = self.training, inputs.signature
        return known.get((*mode, inputs.size)) or known.get((*mode, None))

    def _kept(self) -> Kept:
        """Return what is known of the model, as it was when `build` last looked at it."""
        with _looking_up:
            return _kept.setdefault(self.model, Kept())


def _hides(trace: Trace) -> bool:
    """Whether an eager call may show more than a trace."""
    return not {INSIDE, UNCALLED}.isdisjoint(trace.unreachable.values())


def _of_unknown_rank(trace: Trace, seen: Mapping[str, Tap]) -> dict[str, Tap]:
    """Return what an eager call shows of tensors whose number of axes a graph does not know."""
    unknown = [address for address, tensor in trace.tensors.items() if tensor.shape.rank is None]
    return {a: replace(seen[a], shape=(None,) * len(seen[a].shape)) for a in unknown if a in seen}


def agree(output: np.ndarray, expected: np.ndarray) -> bool:
    """Return whether two outputs are equal, but for the order in which sums were taken."""
    if output.shape != expected.shape or output.dtype != expected.dtype:
        return False
    if output.dtype.kind not in "fc":
        return np.array_equal(output, expected)
    largest = float(np.abs(expected[np.isfinite(expected)]).max(initial=0))
    return np.allclose(output, expected, rtol=1e-2, atol=1e-2 * largest, equal_nan=True)
