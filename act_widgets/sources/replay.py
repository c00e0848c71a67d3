"""Answer questions about a model that can't be traced: each one calls it again, eagerly."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..errors import ModelError, listed
from ..keys import Score, Tap
from . import eager
from .eager_gates import EagerGates
from .inputs import Inputs
from .logits import confirmed, find_logits
from .operation_log import LoggedTensor, OperationLog
from .operations import Place, own_identity
from .protocol import (
    MAIN,
    OUTPUT,
    BackwardPass,
    Gradients,
    Reading,
    main_output,
    output_name,
    unnamed_inputs,
)
from .recorder import Call, Recorder
from .scores import lacks_gradient, masked_score
from .subgraph import upstream
from .weights import weights_version


@dataclass
class Logged:
    """What one eager call consisted of: what a trace is to a graph."""

    graph: OperationLog
    inputs: list[LoggedTensor]
    tensors: dict[str, LoggedTensor]
    taps: dict[str, Tap]
    calls: list[Call]
    outputs: dict[str, LoggedTensor]
    main: LoggedTensor
    unreachable: dict[str, str]
    places: dict[str, Place]
    gates: int
    inner_gates: int

    def explained(self, score: Score) -> frozenset[str]:
        """Return the addresses that the scores depend on."""
        named = dict(zip(unnamed_inputs([], len(self.inputs)), self.inputs, strict=True)) | self.tensors
        tensor = _place(score.address, self.main, self.outputs, named)
        is_output = any(tensor is output for output in self.outputs.values())
        before = upstream(find_logits(tensor).scores if score.logits and is_output else tensor)
        return frozenset(a for a, place in named.items() if place.op.name in before)


class Replay:
    """A model that can't be traced: each question calls it again.

    It answers the questions that `Trace` answers. What is known of a batch does not spare it work:
    every question is one whole pass.

    Parameters
    ----------
    model : layer
        The model. It is not kept alive.
    training : bool
        The mode it is called in.
    reason : str
        Why it can't be traced.
    weights : sequence of (keras.Variable, tf.Variable)
        Weights of the model that are read as others.
    """

    batch = None

    def __init__(
        self, model: Any, training: bool, reason: str, weights: Sequence[tuple[Any, Any]] = ()
    ) -> None:
        self.reason = reason
        self._model = weakref.ref(model)
        self._training = training
        self._weights = weights
        self._last: tuple[Inputs | None, int, Logged | None] = (None, 0, None)

    def seen(self, inputs: Inputs) -> Logged:
        """Return what a call on these inputs consists of: other inputs or weights may take other branches.

        Raises
        ------
        ModelError
            If a weight is not read as the other value that it is to have.
        """
        version = weights_version(self._model(), self._training)
        given, of, logged = self._last
        if logged is None or given is not inputs or of != version:
            logged = self._log(inputs)
            self._last = inputs, version, logged
        return logged

    def with_weights(self, weights: Sequence[tuple[Any, Any]]) -> Replay:
        """Return the same for a model that reads other values in place of some of its weights."""
        return Replay(self._model(), self._training, self.reason, weights)

    def _log(self, inputs: Inputs) -> Logged:
        tape = _tape()
        gates = EagerGates(tape)
        log = OperationLog(gates)
        with tape:
            recorder, given, outputs = self._call(inputs, log)
        names = eager.input_names(self._model())
        self._check_reads(log)
        starts = [log[tensor] for tensor in given]
        called = {address: log[tensor] for address, tensor in recorder.tensors.items()}
        main = log[_main(outputs)]
        ends = {name: log[leaf] for name, leaf in _tensors(outputs).items()}
        log.let_go()
        tensors = dict(zip(names, starts, strict=False)) | called
        return Logged(
            graph=log,
            inputs=starts,
            tensors=tensors,
            taps=eager.input_taps(names, inputs) | recorder.taps,
            calls=recorder.calls,
            outputs=ends,
            main=main,
            unreachable=recorder.unreachable,
            places=recorder.places,
            gates=gates.outer,
            inner_gates=gates.inner,
        )

    def _check_reads(self, log: OperationLog) -> None:
        """Raise a `ModelError` if a weight's own variable is read, past the value in its place."""
        handles = {id(getattr(weight, "_value", weight).handle): weight.path for weight, _ in self._weights}
        taken = (tensor.value for op in log.operations for tensor in op.inputs)
        read = {handles[id(value)] for value in taken if id(value) in handles}
        if read:
            raise ModelError(
                "In a model that is called anew for each question, weights are exchanged where layers read "
                f"them as variables of Keras. Received: {listed(sorted(read))}, read by a compiled function "
                f"or as a variable of TensorFlow. Expected: a model that can be traced. {self.reason}"
            )

    def forward(self, inputs: Inputs, wanted: Sequence[str] | None) -> Reading:
        """Return the tensors at `wanted`, or all, and the outputs."""
        recorder = Recorder(self._model(), is_settled=getattr(self._model(), "_called", False))
        _, outputs = eager.call(self._model(), inputs, recorder, self._training, self._values())
        return eager.eager_reading(self._model(), inputs, recorder, outputs, wanted)

    def checked_activation(
        self, inputs: Inputs, _known: Mapping[str, np.ndarray], score: Score = MAIN
    ) -> str | None:
        """Return the activation between scores and output, if numbers confirm it."""
        log = OperationLog()
        recorder, given, outputs = self._call(inputs, log)
        return self._scores(log, recorder, given, outputs, score)[1]

    def gradients(self, inputs: Inputs, known: Mapping[str, np.ndarray], asked: BackwardPass) -> Gradients:
        """Return the masked scores, and their gradients with respect to what is wanted; see `Source`."""
        tape = _tape()
        log = OperationLog(EagerGates(tape, asked.rule) if asked.rule else None)
        watched: dict[str, Any] = {}
        spot = None if asked.edited is None else self._spot(inputs, asked.edited)
        with tape:

            def watch(address: str, tensor: Any) -> Any:
                is_edited = address == asked.edited
                own = tf.constant(known[address], tensor.dtype) if is_edited else own_identity(tensor)
                if address in asked.wanted:
                    tape.watch(own)
                    watched[address] = own
                return own

            def watch_made(place: Place, tensor: Any) -> Any:
                own = tf.constant(known[asked.edited or ""], tensor.dtype) if place == spot else tensor
                if own.dtype.is_floating or own.dtype.is_complex:
                    tape.watch(own)  # which of them are wanted is known when the call has ended
                return own

            put = watch_made if any(map(_may_be_made, (*asked.wanted, asked.edited))) else None
            recorder, given, outputs = self._call(inputs, log, watch, put)
            explained = self._scores(log, recorder, given, outputs, asked.score)[0]
            scores = masked_score(explained, asked.mask)
        watched |= {a: recorder.tensors[a] for a in asked.wanted if a in recorder.places}
        made, blocked = _slopes(tape, scores, watched)
        values = {a: eager.as_array(tf.convert_to_tensor(g)) for a, g in made.items() if g is not None}
        return Gradients(values, eager.as_array(scores), blocked)

    def _spot(self, inputs: Inputs, address: str) -> Place | None:
        """Return where a tensor is made that the model's own code computes without a layer.

        Its address is known only when the call around it has ended, which takes a pass of its own.
        """
        return self.seen(inputs).places.get(address) if _may_be_made(address) else None

    def _scores(
        self, log: OperationLog, recorder: Recorder, given: Sequence[Any], outputs: Any, score: Score
    ) -> tuple[Any, str | None]:
        """Return the tensor that is explained, and the activation that follows it."""
        names = unnamed_inputs(eager.input_names(self._model()), len(given))
        named = dict(zip(names, given, strict=True)) | recorder.tensors
        ends = _tensors(outputs)
        tensor = _place(score.address, _main(outputs), ends, named)
        if score.logits and any(tensor is output for output in ends.values()):
            found, axis = find_logits(log[tensor]), eager.axis_of(recorder, tensor)
            if found.activation:
                scores = found.laid_out(_value)
                numbers = eager.as_array(scores), eager.as_array(tensor)
                if confirmed(found.activation, *numbers, axis) is not False:
                    return scores, found.activation
        return tensor, None

    def resume(
        self, inputs: Inputs, address: str, value: np.ndarray, _known: Mapping[str, np.ndarray]
    ) -> Reading:
        """Return the outputs with another value in place of one activation."""
        spot = self._spot(inputs, address)

        def put(at: str, tensor: Any) -> Any:
            return tf.constant(value, tensor.dtype) if at == address else own_identity(tensor)

        def put_made(place: Place, tensor: Any) -> Any:
            return tf.constant(value, tensor.dtype) if place == spot else tensor

        recorder, _, outputs = self._call(inputs, None, put, put_made)
        return eager.eager_reading(self._model(), inputs, recorder, outputs, [])

    def _call(
        self,
        inputs: Inputs,
        log: OperationLog | None = None,
        replace: Callable[[str, Any], Any] | None = None,
        put: Callable[[Place, Any], Any] | None = None,
    ) -> tuple[Recorder, list[Any], Any]:
        model = self._model()
        replace = replace or (lambda _, tensor: own_identity(tensor))
        recorder = Recorder(model, replace=replace, log=log, put=put)
        values = self._values()
        if log is not None:
            log.take([value for _, value in values])
        given, outputs = eager.call(model, inputs, recorder, self._training, values)
        return recorder, given, outputs

    def _values(self) -> list[tuple[Any, Any]]:
        """Return the weights that are read as others, each with its value."""
        return [(weight, tf.convert_to_tensor(other)) for weight, other in self._weights]


def _tape() -> tf.GradientTape:
    return tf.GradientTape(persistent=True, watch_accessed_variables=False)


def _slopes(
    tape: tf.GradientTape, scores: Any, watched: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the gradients at what was watched, and why some have none."""
    try:
        return tape.gradient(scores, watched), {}
    except LookupError:
        made: dict[str, Any] = {}
        blocked: dict[str, str] = {}
    for address, tensor in watched.items():
        try:
            made[address] = tape.gradient(scores, tensor)
        except LookupError as error:
            blocked[address] = lacks_gradient(error)
    return made, blocked


def _may_be_made(address: str | None) -> bool:
    """Whether an address may be that of something computed without a layer."""
    return address is not None and "~" in address.rpartition("/")[2]


def _tensors(outputs: Any) -> dict[str, Any]:
    leaves = keras.tree.flatten_with_path(outputs)
    return {output_name(path, outputs): leaf for path, leaf in leaves if isinstance(leaf, tf.Tensor)}


def _main(outputs: Any) -> Any:
    ends = list(_tensors(outputs).values())
    return ends[main_output([leaf.shape.rank for leaf in ends])]


def _place(address: str, main: Any, outputs: Mapping[str, Any], named: Mapping[str, Any]) -> Any:
    if address.startswith(OUTPUT):
        return outputs[address[len(OUTPUT) :]]
    return named[address] if address else main


def _value(tensor: LoggedTensor) -> Any:
    return tensor.value
