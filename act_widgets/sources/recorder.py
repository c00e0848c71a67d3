"""Give every tensor of one model call an address."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from keras.src.utils.naming import to_snake_case

from ..errors import ModelError
from ..keys import Tap
from .authored import Called, called, held, in_one_word, is_authored
from .channel_axes import axis_of_outputs
from .frames import Frame, is_loop
from .libraries import is_a, is_layer, is_legacy, own_layers, sublayers
from .operation_log import OperationLog
from .operations import Entry, Operations, Place, own_identity
from .protocol import named_path

STEP = "it is called once per time step, inside the loop of its layer"
INSIDE = "it is made inside a loop, a branch or a compiled function"
UNCALLED = "the model does not call it for these inputs"


@dataclass(frozen=True)
class Call:
    """One call of a layer or operation, as the recorder saw it.

    Attributes
    ----------
    address, kind : str
        As those of a `Node`.
    parent : str
        Address of the call around it.
    parameters : int
        Number of the layer's weights.
    operations : sequence of int or None
        Places in the traced graph of the operations that it made, those of inner calls included; None in
        an eager call, and where they are not told apart from those of the call around it.
    """

    address: str
    kind: str
    parent: str
    parameters: int
    operations: Sequence[int] | None = None


class Recorder:
    """Listens to one call of a model and keeps its tensors under their addresses.

    Parameters
    ----------
    model : layer
        The model that is called.
    graph : tf.Graph or None
        The graph being traced; None to record an eager call.
    replace : callable, optional
        Given a tensor's address and the tensor, returns the one that the model goes on with. Left
        out, an eager call goes on with its own, and a traced one with an identity of each.
    is_settled : bool
        Whether the model was called before, so that this call makes no variables.
    log : OperationLog, optional
        Hears of each operation of an eager call, those of the libraries' layers too.
    put : callable, optional
        Given the place of a tensor that an eager call computes without a layer, and the tensor, returns the
        one that the model goes on with.

    Attributes
    ----------
    calls : list of Call
        In the order in which the calls ended.
    taps : dict of str to Tap
        What each kept tensor is.
    tensors : dict of str to tf.Tensor
        The tensors themselves.
    unreachable : dict of str to str
        Addresses that could not be kept, with the reason.
    places : dict of str to tuple
        Where the tensors were made that the model's own code computes without a layer.
    follows : bool
        Whether operations are of interest.
    """

    def __init__(
        self,
        model: Any,
        graph: Any = None,
        replace: Callable[[str, Any], Any] | None = None,
        is_settled: bool = False,
        log: OperationLog | None = None,
        put: Callable[[Place, Any], Any] | None = None,
    ) -> None:
        self.graph = graph
        self.calls: list[Call] = []
        self.taps: dict[str, Tap] = {}
        self.tensors: dict[str, Any] = {}
        self.unreachable: dict[str, str] = {}
        self.is_settled = is_settled
        self._replace = (lambda _, tensor: own_identity(tensor)) if graph is not None else replace
        self._model = model
        layers = sublayers(model)
        self._members = frozenset(map(id, layers))
        self._log = log
        self._apart = 0
        self._operations = Operations(graph, put)
        self._order: dict[str, int] = {}
        self._is_marked = not is_legacy(model)
        self.places: dict[str, Place] = {}
        self.follows = log is not None or any(map(is_authored, layers))
        self._stack = [Frame("", model, listens=is_authored(model))]
        self._called = {id(model): ""}

    def is_direct(self, layer: Any) -> bool:
        """Whether ``layer.call`` runs without its ``__call__``, on a layer of the model."""
        return id(layer) in self._members and self._stack[-1].operation is not layer

    def given(self, names: Sequence[str], tensors: Sequence[Any]) -> list[Any]:
        """Return the tensors that the model is called on, given its inputs and their addresses."""
        given = list(tensors)
        if self._log is not None:
            self._log.take(given)
        if self._replace is not None and self.graph is None:
            given = [self._replace(name, tensor) for name, tensor in zip(names, tensors, strict=True)]
        for tensor in given:
            self._operations.know(tensor)
        return given

    def call(self, operation: Any, original: Callable, args: tuple, kwargs: dict) -> Any:
        """Make the call under the address that its place in the model gives it."""
        above = self._stack[-1]
        if operation is self._model and len(self._stack) == 1:
            outputs = original(operation, *args, **kwargs)
            self._list(above, outputs)
            self.taps = {a: self.taps[a] for a in sorted(self.taps, key=self._order.__getitem__)}
            self.calls.sort(key=lambda call: self._order[call.address])
            return outputs
        if above.listens:
            self._operations.read((args, kwargs))
        address = above.inner(self._name(operation))
        self._called.setdefault(id(operation), address)
        loops = above.is_loop or is_loop(operation)
        listens = not loops and self._is_authored(operation)
        self._stack.append(Frame(address, operation, loops, listens))
        first = self._operations.position()
        try:
            outputs = original(operation, *args, **kwargs)
            self._list(self._stack[-1], outputs)
        finally:
            self._stack.pop()
        if above.is_loop:
            self.unreachable[self._once(address)] = STEP
            return outputs
        kind, parameters = type(operation).__name__, self._parameters(operation)
        made = None if self.graph is None else range(first, self._operations.position())
        above.made += [] if made is None else [made]
        self.calls.append(Call(address, kind, above.address, parameters, made))
        self._order[address] = self._operations.tick()
        weighs = is_a(operation, "Softmax") and "Attention" in type(above.operation).__name__
        given = list(map(self._operations.axis, keras.tree.flatten(args)))

        def axis_of(output: Any) -> int:
            if weighs and output.shape.rank == 4:
                return 1
            return axis_of_outputs(operation, [self._operations.axis(output), *given])

        return self._keep(address, operation, outputs, axis_of)

    def operation(self, kind: str, given: Sequence[Any], outputs: Any) -> Any:
        """Hear of an operation, and return the outputs that its caller is to receive."""
        above = self._stack[-1]
        if self._log is not None:
            self._log.hear(kind, given, outputs, self._apart > 0)
        if not above.listens:
            return outputs
        return self._operations.hear(kind, given, outputs, self._called_by_author, above.entries)

    def has_recorded(self, outputs: Sequence[Any]) -> bool:
        """Whether a gradient of these outputs was recorded that is to count."""
        return self._log is not None and self._log.has_recorded(outputs)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Run inside what a graph would hold in functions of their own: branches, bodies of loops."""
        self._apart += 1
        try:
            yield
        finally:
            self._apart -= 1

    def fold(self, name: str, make: Callable, args: tuple, kwargs: dict) -> Any:
        """Make one entry of a loop, a branch or a compiled function; layers inside have their own."""
        above = self._stack[-1]
        caller = sys._getframe(1)
        by = called(caller, self._is_marked) if above.listens else None
        if not above.listens or (by is not None and by.frame is not caller):
            return make(*args, **kwargs)
        entry = None
        if by is not None:
            self._operations.read((args, kwargs, list(map(held, (make, *args, *kwargs.values())))))
            entry = self._operations.begin(in_one_word(name), above.entries, self._operations.position())
        above.listens = False
        try:
            outputs = make(*args, **kwargs)
            return outputs if entry is None else self._operations.whole(entry, outputs)
        finally:
            above.listens = True

    def note(self, name: str, kind: str, tensor: Any) -> Any:
        """Keep what the call under way computes without a layer, and return what it is to go on with."""
        above = self._stack[-1]
        if above.is_loop:
            return tensor
        address = above.inner(f"~{name}")
        self.calls.append(Call(address, kind, above.address, 0))
        self._order[address] = self._operations.tick()
        return self._keep_one(address, "", kind, tensor, 1 if tensor.shape.rank == 4 else -1)

    def allow(self, layer: Any) -> None:
        """Raise a `ModelError` rather than let a trace or an edit build a layer that was never called."""
        if self._replace is not None and id(layer) in self._members and not layer.built:
            raise ModelError(
                f"The model '{self._model.name}' decides by values, and is led to the layer '{layer.name}', "
                "which has no weights yet. Call the model once on inputs that lead there."
            )

    def list_uncalled(self) -> None:
        """List the outermost of the layers that the model holds and did not call."""
        waiting = [self._model]
        seen = set()
        while waiting:
            layer = waiting.pop()
            above = self._called[id(layer)]
            for inner in own_layers(layer):
                if id(inner) in self._called and id(inner) not in seen:
                    waiting.append(inner)
                elif id(inner) not in self._called and not is_a(inner, "InputLayer"):
                    address = f"{above}/{inner.name}" if above else inner.name
                    self.unreachable.setdefault(address, UNCALLED)
                seen.add(id(inner))

    def _called_by_author(self) -> Called | None:
        return called(sys._getframe(1), self._is_marked)

    def _is_authored(self, operation: Any) -> bool:
        """Whether the ``call`` that begins is the author's own, and heard of when it begins."""
        return id(operation) in self._members and is_authored(operation)

    def _list(self, frame: Frame, outputs: Any) -> None:
        """List what a call computed without a layer; what it returns is its own output."""
        is_outermost = len(self._stack) == 1
        listed = self._operations.settle(frame.entries, outputs, is_outermost) if frame.entries else []
        addresses: dict[Entry, str] = {}
        for entry, name, result, tensor in listed:
            if entry not in addresses:
                addresses[entry] = call = frame.inner(f"~{entry.name}")
                made = None if self.graph is None else frame.own(range(entry.start, entry.end))
                self.calls.append(Call(call, entry.kind, frame.address, 0, made))
                self._order[call] = entry.at
            address = self._tap(addresses[entry], name, entry.kind, tensor, result.axis)
            self._order[address] = entry.at
            self.places[address] = result.place

    def _once(self, address: str) -> str:
        """Return an address inside a loop without the number of the time step."""
        loop = next(frame.address for frame in self._stack if frame.is_loop)
        return loop + re.sub(r"#\d+", "", address[len(loop) :])

    def _name(self, operation: Any) -> str:
        if id(operation) in self._members or id(operation) in self._stack[-1].operations:
            return operation.name
        # Made during the call: unless its author named it, its name comes from a process-wide counter.
        kind = to_snake_case(type(operation).__name__)
        is_named = is_layer(operation) and not re.fullmatch(rf"{kind}(_\d+)?", operation.name)
        return operation.name if is_named else f"~{kind}"

    def _keep(self, address: str, operation: Any, outputs: Any, axis_of: Callable[[Any], int]) -> Any:
        kind = type(operation).__name__
        if isinstance(outputs, tf.Tensor):
            return self._keep_one(address, "", kind, outputs, axis_of(outputs))
        # Weights of attention, (batch, heads, queries, keys), come behind the output.
        axes = {"1": 1} if is_a(operation, "MultiHeadAttention", "GroupedQueryAttention") else {}
        leaves = keras.tree.flatten_with_path(outputs)
        named = [(_output_name(path, outputs), leaf) for path, leaf in leaves]
        kept = [
            self._keep_one(address, name, kind, leaf, axes.get(name) or axis_of(leaf)) for name, leaf in named
        ]
        return outputs if self._replace is None else keras.tree.pack_sequence_as(outputs, kept)

    def _keep_one(self, call: str, name: str, kind: str, tensor: Any, axis: int) -> Any:
        address = self._free(call, name)
        if not isinstance(tensor, tf.Tensor):
            if tensor is not None:
                self.unreachable[address] = f"it is a {type(tensor).__name__}, not a dense tensor"
            return tensor
        if not self._operations.is_ours(tensor):
            self.unreachable[address] = INSIDE
            return tensor
        if self._replace is not None:
            tensor = self._replace(address, tensor)
        elif self._operations.is_result(tensor):  # the layer passes on what was computed without one
            tensor = own_identity(tensor)
        self._tap(call, name, kind, tensor, axis)
        self._operations.know(tensor, self.taps[address].channel_axis)
        return tensor

    def _free(self, call: str, name: str) -> str:
        address = f"{call}:{name}" if name else call
        while address in self.taps:  # a layer may itself be called "x:1"
            address += "#2"
        return address

    def _tap(self, call: str, name: str, kind: str, tensor: Any, axis: int) -> str:
        """Keep a tensor, and return its address."""
        address = self._free(call, name)
        known = tensor.shape
        shape = tuple(known) if known.rank is not None else ()
        axis = axis if len(shape) > 2 else -1
        batched = (None, *shape[1:])[: len(shape)]
        self.taps[address] = Tap(address, kind, batched, tensor.dtype.name, axis, call)
        self.tensors[address] = tensor
        self._order[address] = self._operations.tick()
        return address

    def _parameters(self, operation: Any) -> int:
        """Return a layer's number of weights; only the graph shows them, and counting takes time."""
        counted = self._replace is not None and is_layer(operation) and operation.built
        return operation.count_params() if counted else 0


def _output_name(path: tuple[Any, ...], outputs: Any) -> str:
    """Return an output's name from what leads to it in a call's outputs; the first of a list needs none."""
    named = named_path(path, outputs)
    while named and named[-1] == 0:
        named.pop()
    return ".".join(map(str, named))
