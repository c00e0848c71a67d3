"""Answer questions about a model that can't be traced: each one calls it again, eagerly."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..errors import ModelError
from ..keys import Score, Tap
from . import eager
from .inputs import Inputs
from .logits import confirmed, find_logits
from .operations import Place, flat, own_identity
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
from .scores import masked_score
from .subgraph import upstream


@dataclass(eq=False)
class LoggedTensor:
    """A tensor of an eager call: where it comes from, and itself while the call is fresh."""

    op: LoggedOperation
    name: str
    shape: Any
    value: Any


@dataclass(eq=False)
class LoggedOperation:
    """An operation of an eager call, with the attributes of one in a graph."""

    name: str
    type: str
    inputs: list[LoggedTensor]
    control_inputs: tuple[()] = ()


@dataclass
class OperationLog:
    """The operations of one eager call in their order: what a graph is to a traced call."""

    operations: list[LoggedOperation] = field(default_factory=list)
    _tensors: dict[int, LoggedTensor] = field(default_factory=dict)

    def get_operations(self) -> list[LoggedOperation]:
        """Return the operations, as a graph does."""
        return self.operations

    def __getitem__(self, tensor: Any) -> LoggedTensor:
        """Return what is logged of a tensor; one that no operation made is an input."""
        if id(tensor) not in self._tensors:
            self._add("Placeholder", [], [tensor])
        return self._tensors[id(tensor)]

    def let_go(self) -> None:
        """Forget the tensors' values."""
        for tensor in self._tensors.values():
            tensor.value = None
        self._tensors = {}

    def hear(self, kind: str, given: Sequence[Any], outputs: Any) -> None:
        """Log an operation, unless it is one of a graph."""
        made = flat([outputs])
        if all(isinstance(tensor, tf.Tensor) and hasattr(tensor, "numpy") for tensor in made):
            tensors = [leaf for leaf in flat(given) if isinstance(leaf, tf.Tensor) and hasattr(leaf, "numpy")]
            self._add(kind, [self[tensor] for tensor in tensors], made)

    def _add(self, kind: str, inputs: list[LoggedTensor], outputs: Sequence[Any]) -> None:
        op = LoggedOperation(f"{len(self.operations)}", kind, inputs)
        self.operations.append(op)
        for index, tensor in enumerate(outputs):
            self._tensors[id(tensor)] = LoggedTensor(op, f"{op.name}:{index}", tensor.shape, tensor)


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

    def explained(self, score: Score) -> frozenset[str]:
        """Return the addresses that the scores depend on."""
        named = dict(zip(unnamed_inputs([], len(self.inputs)), self.inputs, strict=True)) | self.tensors
        tensor = _place(score.address, self.main, self.outputs, named)
        is_output = any(tensor is output for output in self.outputs.values())
        before = upstream(find_logits(tensor)[0] if score.logits and is_output else tensor)
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
    """

    batch = None

    def __init__(self, model: Any, training: bool, reason: str) -> None:
        self.reason = reason
        self._model = weakref.ref(model)
        self._training = training
        self._last: tuple[Inputs | None, Logged | None] = (None, None)

    def seen(self, inputs: Inputs) -> Logged:
        """Return what a call on these inputs consists of: other inputs may take other branches."""
        given, logged = self._last
        if logged is None or given is not inputs:
            logged = self._log(inputs)
            self._last = inputs, logged
        return logged

    def _log(self, inputs: Inputs) -> Logged:
        log = OperationLog()
        recorder, given, outputs = self._call(inputs, log)
        names = eager.input_names(self._model())
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
        )

    def forward(self, inputs: Inputs, wanted: Sequence[str] | None) -> Reading:
        """Return the tensors at `wanted`, or all, and the outputs."""
        return eager.look(self._model(), inputs, wanted, self._training)

    def checked_activation(
        self, inputs: Inputs, _known: Mapping[str, np.ndarray], score: Score = MAIN
    ) -> str | None:
        """Return the activation between scores and output, if numbers confirm it."""
        log = OperationLog()
        recorder, given, outputs = self._call(inputs, log)
        return _scores(log, outputs, self._placed(recorder, given), score)[1]

    @property
    def gates(self) -> int:
        """An eager call takes no other rule."""
        raise self._no_rule()

    @property
    def inner_gates(self) -> int:
        """An eager call takes no other rule."""
        raise self._no_rule()

    def gradients(self, inputs: Inputs, known: Mapping[str, np.ndarray], asked: BackwardPass) -> Gradients:
        """Return the masked scores, and their gradients with respect to what is wanted; see `Source`."""
        if asked.rule:
            raise self._no_rule()
        log = OperationLog()
        watched: dict[str, Any] = {}
        spot = None if asked.edited is None else self._spot(inputs, asked.edited)
        with tf.GradientTape(watch_accessed_variables=False) as tape:

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
            explained = _scores(log, outputs, self._placed(recorder, given), asked.score)[0]
            scores = masked_score(explained, asked.mask)
        watched |= {a: recorder.tensors[a] for a in asked.wanted if a in recorder.places}
        made = tape.gradient(scores, watched)
        values = {a: eager.as_array(tf.convert_to_tensor(g)) for a, g in made.items() if g is not None}
        return Gradients(values, eager.as_array(scores))

    def _spot(self, inputs: Inputs, address: str) -> Place | None:
        """Return where a tensor is made that the model's own code computes without a layer.

        Its address is known only when the call around it has ended, which takes a pass of its own.
        """
        return self.seen(inputs).places.get(address) if _may_be_made(address) else None

    def _no_rule(self) -> ModelError:
        return ModelError(
            "ReLUs take another rule only in a model that can be traced. Received: one that is called anew "
            f"for each question. {self.reason}"
        )

    def _placed(self, recorder: Recorder, given: Sequence[Any]) -> dict[str, Any]:
        names = unnamed_inputs(eager.input_names(self._model()), len(given))
        return dict(zip(names, given, strict=True)) | recorder.tensors

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
        recorder = Recorder(model, replace=replace, hear=None if log is None else log.hear, put=put)
        given, outputs = eager.call(model, inputs, recorder, self._training)
        return recorder, given, outputs


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


def _scores(
    log: OperationLog, outputs: Any, named: Mapping[str, Any], score: Score
) -> tuple[Any, str | None]:
    """Return the tensor that is explained, and the activation that follows it."""
    ends = _tensors(outputs)
    tensor = _place(score.address, _main(outputs), ends, named)
    if score.logits and any(tensor is output for output in ends.values()):
        scores, activation = find_logits(log[tensor])
        if (
            activation
            and confirmed(activation, eager.as_array(scores.value), eager.as_array(tensor)) is not False
        ):
            return scores.value, activation
    return tensor, None
