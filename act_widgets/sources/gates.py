"""Other rules for the gradient of a ReLU, set in a copy of a traced graph.

The model and its trace keep TensorFlow's own rule: an operation of the copy names the rule that
`tf.gradients` takes instead.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.framework import ops

GUIDED = "guided"
DECONVNET = "deconvnet"
_REGISTERED = {GUIDED: "ActWidgetsGuided", DECONVNET: "ActWidgetsDeconvnet"}
# ReLU6 has its own gate to both sides; what is leaky or smooth is no gate.
_RELUS = {"Relu", "Relu6"}


def _own(operation: Any, gradient: Any) -> Any:
    """Return what TensorFlow's own rule makes of a gradient."""
    return ops.gradient_registry.lookup(operation.type)(operation, gradient)


@tf.RegisterGradient(_REGISTERED[GUIDED])
def _guided(operation: Any, gradient: Any) -> Any:
    return _own(operation, tf.nn.relu(gradient))


@tf.RegisterGradient(_REGISTERED[DECONVNET])
def _deconvnet(operation: Any, gradient: Any) -> Any:
    passed = tf.nn.relu(gradient)
    return passed if operation.type in _RELUS else [passed, None]


def gates(graph: Any) -> list[str]:
    """Return the names of a graph's ReLUs, ``maximum(x, 0)`` among them."""
    return [op.name for op in graph.get_operations() if op.type in _RELUS or _is_maximum(op)]


def _is_maximum(operation: Any) -> bool:
    if operation.type != "Maximum" or operation.inputs[1].shape.rank != 0:
        return False
    return tf.get_static_value(operation.inputs[1]) == 0


def ruled_copy(graph: Any, rule: str) -> Any:
    """Return a copy of a graph whose ReLUs pass gradients back by another rule, or by their own."""
    definition = graph.as_graph_def()
    ruled = set(gates(graph)) if rule else set()
    for node in definition.node:
        if node.name in ruled:
            node.attr["_gradient_op_type"].s = _REGISTERED[rule].encode()
    copy = tf.Graph()
    with copy.as_default():
        tf.graph_util.import_graph_def(definition, name="")
    return copy
