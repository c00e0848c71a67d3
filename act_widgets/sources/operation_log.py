"""The operations of one eager call, in the form of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from .eager_gates import EagerGates
from .operations import flat

INPUT = "Placeholder"
"""The kind of what the call is given from outside: inputs, and other values of weights."""

CONSTANT = "Const"
"""The kind of a tensor that no operation made."""


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
    """The operations of one eager call in their order: what a graph is to a traced call.

    Attributes
    ----------
    gates : EagerGates or None
        What is told of the operations that may be ReLUs.
    """

    gates: EagerGates | None = None
    operations: list[LoggedOperation] = field(default_factory=list)
    _tensors: dict[int, LoggedTensor] = field(default_factory=dict)

    def get_operations(self) -> list[LoggedOperation]:
        """Return the operations, as a graph does."""
        return self.operations

    def __getitem__(self, tensor: Any) -> LoggedTensor:
        """Return what is logged of a tensor; one that no operation made is a constant."""
        if id(tensor) not in self._tensors:
            self._add(CONSTANT, [], [tensor])
        return self._tensors[id(tensor)]

    def take(self, tensors: Sequence[Any]) -> None:
        """Take note of what the call is given from outside."""
        for tensor in tensors:
            self._add(INPUT, [], [tensor])

    def has_recorded(self, outputs: Sequence[Any]) -> bool:
        """Whether a gradient of these outputs was recorded that is to count."""
        return self.gates is not None and self.gates.has_recorded(outputs)

    def let_go(self) -> None:
        """Forget the tensors' values."""
        for tensor in self._tensors.values():
            tensor.value = None
        self._tensors = {}

    def hear(self, kind: str, given: Sequence[Any], outputs: Any, is_apart: bool) -> None:
        """Log an operation, unless it is one of a graph.

        `is_apart`: whether a graph would hold it in a function of its own, as the body of a loop.
        """
        made = flat([outputs])
        if not all(map(_is_eager, made)):
            return
        sides = [self[leaf] if _is_eager(leaf) else leaf for leaf in flat(given)]
        self._add(kind, [side for side in sides if isinstance(side, LoggedTensor)], made)
        if self.gates is not None:
            self.gates.hear(kind, sides, made, is_apart)

    def _add(self, kind: str, inputs: list[LoggedTensor], outputs: Sequence[Any]) -> None:
        op = LoggedOperation(f"{len(self.operations)}", kind, inputs)
        self.operations.append(op)
        for index, tensor in enumerate(outputs):
            self._tensors[id(tensor)] = LoggedTensor(op, f"{op.name}:{index}", tensor.shape, tensor)


def _is_eager(tensor: Any) -> bool:
    return isinstance(tensor, tf.Tensor) and hasattr(tensor, "numpy")
