"""Other rules for the gradient of a ReLU, in a model that is called eagerly.

The same operations count as in a traced call, and pass gradients by the same rules; see `gates`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context, record

from .gates import GUIDED, MAXIMUM, RELUS, guided

# What they give of constants is known beforehand, in a graph too.
_OF_CONSTANTS = {"Const", "Identity", "Cast", "Fill", "BroadcastTo", "StopGradient"}
# How the name of a function begins.
_FUNCTION = "__"


@dataclass
class _Gate:
    """A ReLU as TensorFlow's own rule for its gradient takes it."""

    type: str
    inputs: list[Any]
    outputs: list[Any]


class EagerGates:
    """Hears the operations of one eager call: counts ReLUs, and lets them pass gradients by a rule.

    Parameters
    ----------
    tape : tf.GradientTape
        Records the call.
    rule : str
        ``"guided"``, ``"deconvnet"``, or empty for the ReLUs' own.

    Attributes
    ----------
    outer, inner : int
        Number of ReLUs that a rule reaches, and of those that it does not, each time that they run.
    """

    def __init__(self, tape: tf.GradientTape, rule: str = "") -> None:
        self._tape = tape
        self._rule = rule
        self._latest: Any = None
        self.outer = 0
        self.inner = 0

    def hear(self, kind: str, given: Sequence[Any], made: Sequence[Any], is_apart: bool) -> None:
        """Hear of an operation.

        Parameters
        ----------
        kind : str
            What it is, or the name of the function that was run.
        given : sequence
            What it takes: a `LoggedTensor` for each tensor, and numbers as they are.
        made : sequence of tf.Tensor
            What it gave.
        is_apart : bool
            Whether a graph would hold it in a function of its own.
        """
        if kind.startswith(_FUNCTION) and context.context().has_function(kind):
            self.inner += sum(_relus_in(name) for name in _functions(kind))
            return
        zeros = [_is_zero(side) for side in given[:2]] if kind == MAXIMUM else []
        if kind not in RELUS and not any(zeros):
            return
        if is_apart or not self._is_reached:
            self.inner += kind in RELUS
            return
        self.outer += 1
        if self._rule:
            self._record(kind, given, made, at=zeros[:1] == [True])

    def has_recorded(self, outputs: Sequence[Any]) -> bool:
        """Whether outputs are those of the ReLU heard last, whose gradient follows the rule."""
        return self._latest is not None and any(output is self._latest for output in outputs)

    @property
    def _is_reached(self) -> bool:
        """Whether our tape records what runs now, and no other one.

        What is computed anew on the way back is recorded by none, and what the model differentiates
        itself by a second one, whose gradients it goes on with.
        """
        if not record.could_possibly_record():
            return False
        with self._tape.stop_recording():
            return not record.could_possibly_record()

    def _record(self, kind: str, given: Sequence[Any], made: Sequence[Any], at: int) -> None:
        """Record a ReLU of the number `at` of what it is given, with the gradient that the rule passes."""
        count = 2 if kind == MAXIMUM else 1
        values = [_tensor(side, made[0].dtype) for side in given[:count]]
        gate = _Gate(kind, values, list(made))

        def passed(gradient: Any) -> list[Any]:
            if self._rule == GUIDED:
                slopes = guided(gate, gradient)
                return list(slopes) if isinstance(slopes, list | tuple) else [slopes]
            return [tf.nn.relu(gradient) if index == at else None for index in range(count)]

        # As `tf.custom_gradient` does: of a tensor's records the last one counts.
        record.record_operation(kind, list(made), values, passed)
        self._latest = made[0]


def _tensor(side: Any, dtype: Any) -> Any:
    return side.value if hasattr(side, "value") else tf.convert_to_tensor(side, dtype)


def _is_zero(side: Any) -> bool:
    """Whether something is zero in every call: as a number in the code is, or zeros like another tensor."""
    if not hasattr(side, "op"):
        return isinstance(side, int | float | np.ndarray | np.generic) and not np.any(side)
    while side.op.type == "Identity":  # a tap's
        side = side.op.inputs[0]
    return side.op.type == "ZerosLike" or (_is_constant(side) and not np.any(side.value.numpy()))


def _is_constant(tensor: Any) -> bool:
    return tensor.op.type in _OF_CONSTANTS and all(map(_is_constant, tensor.op.inputs))


def _functions(name: str) -> set[str]:
    """Return a function's name, and those of all that it calls."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        attributes = [a for node in context.get_function_def(name).node_def for a in node.attr.values()]
        waiting += [a.func.name for a in attributes if a.HasField("func")]
        waiting += [function.name for a in attributes for function in a.list.func]
    return found


def _relus_in(name: str) -> int:
    return sum(node.op in RELUS for node in context.get_function_def(name).node_def)
