"""Other rules for the gradient of a ReLU, in a traced graph; in an eager call see `eager_gates`.

A rule holds only while gradients are built. A copy of the graph would not do: gradients that a layer
writes itself, such as SiLU's, refer to tensors of the graph that they were traced in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import ops

GUIDED = "guided"
DECONVNET = "deconvnet"
# ReLU6 has its own gate to both sides; what is leaky or smooth is no gate.
RELUS = {"Relu", "Relu6"}
MAXIMUM = "Maximum"


def inner_gates(graph: Any) -> int:
    """Return the number of ReLUs inside a graph's functions and branches, which no rule reaches."""
    functions = graph.as_graph_def().library.function
    return sum(node.op in RELUS for function in functions for node in function.node_def)


def _own(operation: Any, gradient: Any) -> Any:
    """Return what TensorFlow's own rule makes of a gradient."""
    return ops.gradient_registry.lookup(operation.type)(operation, gradient)


def guided(operation: Any, gradient: Any) -> Any:
    """Return what a gradient becomes that passes a ReLU where it and what went in are positive."""
    return _own(operation, tf.nn.relu(gradient))


def _deconvnet(operation: Any, gradient: Any) -> Any:
    passed = tf.nn.relu(gradient)
    if operation.type in RELUS:
        return passed
    return [None, passed] if _is_zero(operation.inputs[0]) else [passed, None]


_RULES = {GUIDED: guided, DECONVNET: _deconvnet}


def gates(graph: Any) -> list[Any]:
    """Return a graph's ReLUs, ``maximum(x, 0)`` and ``maximum(0, x)`` among them."""
    return [op for op in graph.get_operations() if op.type in RELUS or _is_maximum(op)]


def _is_maximum(operation: Any) -> bool:
    return operation.type == MAXIMUM and any(map(_is_zero, operation.inputs))


def _is_zero(tensor: Any) -> bool:
    while tensor.op.type == "Identity":  # a tap's
        tensor = tensor.op.inputs[0]
    value = tf.get_static_value(tensor)
    return tensor.op.type == "ZerosLike" or (value is not None and not value.any())


@contextmanager
def ruled(operations: Sequence[Any], rule: str) -> Iterator[None]:
    """Let ReLUs pass the gradients that are built meanwhile by another rule, or by their own."""
    changed = operations if rule else ()
    for operation in changed:
        operation._gradient_function = _RULES[rule]
    try:
        yield
    finally:
        for operation in changed:
            operation._gradient_function = None
