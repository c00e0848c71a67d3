"""Give every tensor of one model call an address."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf

from ..keys import Tap

_CHANNELS_FIRST = "channels_first"


@dataclass(frozen=True)
class Call:
    """One call of a layer or operation, as the recorder saw it."""

    address: str
    kind: str
    parent: str
    parameters: int


@dataclass
class _Frame:
    """A call that is under way: what its inner calls are named after."""

    address: str
    operations: frozenset[int] = frozenset()
    is_loop: bool = False
    counts: Counter = field(default_factory=Counter)
    taken: set[str] = field(default_factory=set)

    def inner(self, name: str) -> str:
        """Return the address of the next inner call of this name."""
        self.counts[name] += 1
        nth = self.counts[name]
        last = name if nth == 1 else f"{name}#{nth}"
        if last in self.taken:  # a layer may itself be called "conv#2"
            return self.inner(name)
        self.taken.add(last)
        return f"{self.address}/{last}" if self.address else last


class Recorder:
    """Listens to one call of a model and keeps its tensors under their addresses.

    Parameters
    ----------
    graph : tf.Graph or None
        The graph being traced; None to record an eager call.

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

    def __init__(self, graph: Any = None) -> None:
        self.graph = graph
        self.calls: list[Call] = []
        self.taps: dict[str, Tap] = {}
        self.tensors: dict[str, Any] = {}
        self.unreachable: dict[str, str] = {}
        self._stack: list[_Frame] = []
        self._axes: dict[int, int] = {}

    def call(self, operation: Any, original: Callable, args: tuple, kwargs: dict) -> Any:
        """Make the call under the address that its place in the model gives it."""
        outermost = not self._stack
        address = "" if outermost else self._stack[-1].inner(self._name(operation))
        parent = "" if outermost else self._stack[-1].address
        frame = _Frame(address, _operations(operation), isinstance(operation, keras.layers.RNN))
        self._stack.append(frame)
        try:
            outputs = original(operation, *args, **kwargs)
        finally:
            self._stack.pop()
        if outermost:
            return outputs
        if any(frame.is_loop for frame in self._stack):
            self.unreachable[self._once(address)] = (
                "it is called once per time step, inside the loop of its layer"
            )
            return outputs
        self.calls.append(Call(address, type(operation).__name__, parent, _parameters(operation)))
        return self._keep(address, operation, outputs, _channel_axis(operation, args, self._axes))

    def _once(self, address: str) -> str:
        """Return an address inside a loop without the number of the time step."""
        loop = next(frame.address for frame in self._stack if frame.is_loop)
        return loop + re.sub(r"#\d+", "", address[len(loop) :])

    def _name(self, operation: Any) -> str:
        if isinstance(operation, keras.Layer) or id(operation) in self._stack[-1].operations:
            return operation.name
        # Made during the call: its own name comes from a process-wide counter.
        return "~" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(operation).__name__).lower()

    def _keep(self, address: str, operation: Any, outputs: Any, axis: int) -> Any:
        leaves = keras.tree.flatten(outputs)
        numbered = keras.tree.pack_sequence_as(outputs, list(range(len(leaves))))
        names = [name for _, name in sorted(_output_names(numbered))]
        kept = [
            self._keep_one(address, name, type(operation).__name__, leaf, axis)
            for name, leaf in zip(names, leaves, strict=True)
        ]
        return keras.tree.pack_sequence_as(outputs, kept) if self.graph is not None else outputs

    def _keep_one(self, call: str, name: str, kind: str, tensor: Any, axis: int) -> Any:
        address = f"{call}:{name}" if name else call
        while address in self.taps:  # a layer may itself be called "x:1"
            address += "#2"
        if not isinstance(tensor, tf.Tensor):
            if tensor is not None:
                self.unreachable[address] = f"it is a {type(tensor).__name__}, not a dense tensor"
            return tensor
        if getattr(tensor, "graph", None) is not self.graph and not _is_value(tensor):
            self.unreachable[address] = "it is made inside a loop, a branch or a compiled function"
            return tensor
        if self.graph is not None:
            tensor = _own_identity(tensor)
        shape = tuple(tensor.shape) if tensor.shape.rank is not None else ()
        axis = axis if len(shape) > 2 else -1
        batched = (None, *shape[1:])[: len(shape)]
        self.taps[address] = Tap(address, kind, batched, tensor.dtype.name, axis, call)
        self.tensors[address] = tensor
        self._axes[id(tensor)] = axis
        return tensor


# Their outputs have an order of axes of their own.
_REORDERING = (
    keras.layers.Permute,
    keras.layers.Reshape,
    keras.layers.RNN,
    keras.layers.Dense,
    keras.layers.EinsumDense,
    keras.layers.MultiHeadAttention,
    keras.layers.Embedding,
)


def _channel_axis(operation: Any, args: tuple, axes: dict[int, int]) -> int:
    """Return the channel axis of an operation's outputs: stated, or that of what it was given."""
    stated = getattr(operation, "data_format", None)
    if isinstance(stated, str):
        return 1 if stated == _CHANNELS_FIRST else -1
    if isinstance(operation, _REORDERING):
        return -1
    given = (axes[id(leaf)] for leaf in keras.tree.flatten(args) if id(leaf) in axes)
    return next(given, -1)


def _is_value(tensor: Any) -> bool:
    return hasattr(tensor, "numpy")


def _own_identity(tensor: Any) -> Any:
    """Return a tensor of its own: layers that change nothing would share their input's."""
    copy = tf.identity(tensor)
    for mark in ("_keras_mask", "_keras_logits"):
        if hasattr(tensor, mark):
            setattr(copy, mark, getattr(tensor, mark))
    return copy


def _operations(operation: Any) -> frozenset[int]:
    return frozenset(map(id, getattr(operation, "operations", ()) or ()))


def _parameters(operation: Any) -> int:
    return operation.count_params() if isinstance(operation, keras.Layer) and operation.built else 0


def _output_names(numbered: Any) -> Iterator[tuple[int, str]]:
    """Yield each output leaf's number and name: the first of a list is the layer's own address."""
    if isinstance(numbered, int):
        yield numbered, ""
        return
    items = numbered.items() if isinstance(numbered, dict) else enumerate(numbered)
    for key, item in items:
        own = str(key) if key or isinstance(numbered, dict) else ""
        yield from ((number, ".".join(filter(None, (own, rest)))) for number, rest in _output_names(item))
