"""Give every tensor of one model call an address."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import keras
import tensorflow as tf
from keras.src.utils.naming import to_snake_case

from ..errors import ModelError
from ..keys import Tap
from .libraries import is_a, is_layer, own_layers, sublayers
from .protocol import named_path

_CHANNELS_FIRST = "channels_first"
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


@dataclass
class _Frame:
    """A call that is under way: what its inner calls are named after."""

    address: str
    operation: Any = None
    is_loop: bool = False
    counts: dict[str, int] = field(default_factory=dict)

    @cached_property
    def operations(self) -> frozenset[int]:
        """What was put into the model when it was built."""
        return frozenset(map(id, getattr(self.operation, "operations", None) or ()))

    def inner(self, name: str) -> str:
        """Return the address of the next inner call of this name."""
        nth = self.counts[name] = self.counts.get(name, 0) + 1
        last = name if nth == 1 else f"{name}#{nth}"
        if nth > 1:
            if last in self.counts:  # a layer may itself be called "conv#2"
                return self.inner(name)
            self.counts[last] = 1
        return f"{self.address}/{last}" if self.address else last


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
    """

    def __init__(
        self,
        model: Any,
        graph: Any = None,
        replace: Callable[[str, Any], Any] | None = None,
        is_settled: bool = False,
    ) -> None:
        self.graph = graph
        self.calls: list[Call] = []
        self.taps: dict[str, Tap] = {}
        self.tensors: dict[str, Any] = {}
        self.unreachable: dict[str, str] = {}
        self.is_settled = is_settled
        self._replace = (lambda _, tensor: own_identity(tensor)) if graph is not None else replace
        self._model = model
        self._members = frozenset(map(id, sublayers(model)))
        self._stack = [_Frame("", model)]
        self._axes: dict[int, int] = {}
        self._called = {id(model): ""}

    def is_direct(self, layer: Any) -> bool:
        """Whether ``layer.call`` runs without its ``__call__``, on a layer of the model."""
        return id(layer) in self._members and self._stack[-1].operation is not layer

    def given(self, names: Sequence[str], tensors: Sequence[Any]) -> list[Any]:
        """Return the tensors that the model is called on, given its inputs and their addresses."""
        if self._replace is None:
            return list(tensors)
        return [self._replace(name, tensor) for name, tensor in zip(names, tensors, strict=True)]

    def call(self, operation: Any, original: Callable, args: tuple, kwargs: dict) -> Any:
        """Make the call under the address that its place in the model gives it."""
        above = self._stack[-1]
        if operation is self._model and len(self._stack) == 1:
            return original(operation, *args, **kwargs)
        address = above.inner(self._name(operation))
        self._called.setdefault(id(operation), address)
        self._stack.append(_Frame(address, operation, _is_loop(operation)))
        first = self._position()
        try:
            outputs = original(operation, *args, **kwargs)
        finally:
            self._stack.pop()
        if any(frame.is_loop for frame in self._stack):
            self.unreachable[self._once(address)] = STEP
            return outputs
        made = None if self.graph is None else range(first, self._position())
        kind, parameters = type(operation).__name__, self._parameters(operation)
        self.calls.append(Call(address, kind, above.address, parameters, made))
        weighs = is_a(operation, "Softmax") and "Attention" in type(above.operation).__name__
        axis = 1 if weighs and outputs.shape.rank == 4 else _channel_axis(operation, args, self._axes)
        return self._keep(address, operation, outputs, axis)

    def note(self, name: str, kind: str, tensor: Any) -> Any:
        """Keep what the call under way computes without a layer, and return what it is to go on with."""
        if any(frame.is_loop for frame in self._stack):
            return tensor
        above = self._stack[-1]
        address = above.inner(f"~{name}")
        self.calls.append(Call(address, kind, above.address, 0))
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

    def _position(self) -> int:
        """Return how many operations the graph has."""
        return 0 if self.graph is None else self.graph.num_operations()

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

    def _keep(self, address: str, operation: Any, outputs: Any, axis: int) -> Any:
        kind = type(operation).__name__
        if isinstance(outputs, tf.Tensor):
            return self._keep_one(address, "", kind, outputs, axis)
        # Weights of attention, (batch, heads, queries, keys), come behind the output.
        axes = {"1": 1} if is_a(operation, "MultiHeadAttention", "GroupedQueryAttention") else {}
        leaves = keras.tree.flatten_with_path(outputs)
        named = [(_output_name(path, outputs), leaf) for path, leaf in leaves]
        kept = [self._keep_one(address, name, kind, leaf, axes.get(name, axis)) for name, leaf in named]
        return outputs if self._replace is None else keras.tree.pack_sequence_as(outputs, kept)

    def _keep_one(self, call: str, name: str, kind: str, tensor: Any, axis: int) -> Any:
        address = f"{call}:{name}" if name else call
        while address in self.taps:  # a layer may itself be called "x:1"
            address += "#2"
        if not isinstance(tensor, tf.Tensor):
            if tensor is not None:
                self.unreachable[address] = f"it is a {type(tensor).__name__}, not a dense tensor"
            return tensor
        if not _is_value(tensor) and tensor.graph is not self.graph:
            self.unreachable[address] = INSIDE
            return tensor
        if self._replace is not None:
            tensor = self._replace(address, tensor)
        known = tensor.shape
        shape = tuple(known) if known.rank is not None else ()
        axis = axis if len(shape) > 2 else -1
        batched = (None, *shape[1:])[: len(shape)]
        self.taps[address] = Tap(address, kind, batched, tensor.dtype.name, axis, call)
        self.tensors[address] = tensor
        self._axes[id(tensor)] = axis
        return tensor

    def _parameters(self, operation: Any) -> int:
        """Return a layer's number of weights; only the graph shows them, and counting takes time."""
        counted = self._replace is not None and is_layer(operation) and operation.built
        return operation.count_params() if counted else 0


def _is_loop(operation: Any) -> bool:
    """Whether a layer calls its cell in a loop; one that is unrolled calls it step by step."""
    return is_a(operation, "RNN", "ConvRNN") and not getattr(operation, "unroll", False)


# Their outputs have an order of axes of their own.
_REORDERING = ("Permute", "Reshape", "RNN", "Dense", "EinsumDense", "MultiHeadAttention", "Embedding")


def _channel_axis(operation: Any, args: tuple, axes: dict[int, int]) -> int:
    """Return the channel axis of an operation's outputs: stated, or that of what it was given."""
    stated = getattr(operation, "data_format", None)
    if isinstance(stated, str):
        return 1 if stated == _CHANNELS_FIRST else -1
    if is_a(operation, *_REORDERING):
        return -1
    given = (axes[id(leaf)] for leaf in keras.tree.flatten(args) if id(leaf) in axes)
    return next(given, -1)


def _is_value(tensor: Any) -> bool:
    return hasattr(tensor, "numpy")


def own_identity(tensor: Any) -> Any:
    """Return a tensor of its own: layers that change nothing would share their input's."""
    copy = tf.identity(tensor)
    for mark in ("_keras_mask", "_keras_logits"):
        if hasattr(tensor, mark):
            setattr(copy, mark, getattr(tensor, mark))
    return copy


def _output_name(path: tuple[Any, ...], outputs: Any) -> str:
    """Return an output's name from what leads to it in a call's outputs; the first of a list needs none."""
    named = named_path(path, outputs)
    while named and named[-1] == 0:
        named.pop()
    return ".".join(map(str, named))
