"""A graph of TensorFlow operations, as every kind of raw model is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import tensor_util

from .inlining import inlined, only_writes, tensor_name
from .inputs import Spec

PLACEHOLDER = "Placeholder"
# Shapes and axes are small; what is larger is data, and would be copied into every question.
_MOST_ELEMENTS = 1024


@dataclass(frozen=True)
class RawGraph:
    """A graph, what is fed into it, what comes out, and the values that it holds.

    Attributes
    ----------
    definition : GraphDef
        Without calls and without the nodes that `captured` stands for.
    specs : tuple of Spec
        What can be fed: its placeholders, by the names of their nodes.
    needs_all : bool
        Whether all of them are fed at once, as the arguments of a function are.
    captured : dict of str to tf.Tensor
        Variables' handles and constants, by the names of the tensors they stand for.
    variables : tuple of tf.Variable
        The live variables among them.
    outputs : tuple of str, or None
        Names of the output tensors; None where they are whatever nothing else reads.
    structure : nest
        The structure of the outputs, with a mark for each tensor.
    arguments : dict of str to nest
        Placeholders by the names of a function's arguments, each in the structure that the argument has.
    has_tables : bool
        Whether tables that the graph makes have their entries in this process.
    weights : dict of str to int
        How many numbers each of `captured` holds.
    """

    definition: Any
    specs: tuple[Spec, ...]
    needs_all: bool
    captured: Mapping[str, Any]
    variables: tuple[Any, ...] = ()
    outputs: tuple[str, ...] | None = None
    structure: Any = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    has_tables: bool = True
    weights: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sizes = {id(v.handle): int(np.prod(v.shape)) for v in self.variables}
        for name, value in self.captured.items():
            is_constant = value.dtype not in (tf.resource, tf.variant)
            self.weights[name] = int(np.prod(value.shape)) if is_constant else sizes.get(id(value), 0)


def raw_graph(definition: Any, captured: Mapping[str, Any], **facts: Any) -> RawGraph:
    """Return a graph with its calls inlined and its large constants held outside of it.

    Parameters
    ----------
    definition : GraphDef
        As TensorFlow states it; left as it is.
    captured : mapping of str to tf.Tensor
        What stands for some of its tensors.
    **facts
        As the attributes of `RawGraph`. `outputs` are named as in `definition`.
    """
    flat, renamed = inlined(definition)
    if facts.get("outputs") is not None:
        facts["outputs"] = tuple(renamed.get(name, name) for name in facts["outputs"])
    constants = {
        tensor_name(node.name): value for node in flat.node if (value := _weight_of(node)) is not None
    }
    held = {**captured, **constants}
    nodes = [node for node in flat.node if tensor_name(node.name) not in held]
    specs = facts.pop("specs", None) or tuple(spec_of(n) for n in nodes if n.op == PLACEHOLDER)
    return RawGraph(with_nodes(flat, nodes), specs, captured=held, **facts)


def spec_of(node: Any) -> Spec:
    """Return what a placeholder takes; a shape of None where its rank is not known."""
    shape = tf.TensorShape(node.attr["shape"].shape if "shape" in node.attr else None)
    dtype = tf.as_dtype(node.attr["dtype"].type).name
    return Spec(node.name, None if shape.rank is None else tuple(shape.as_list()), dtype)


def with_nodes(definition: Any, nodes: Iterable[Any]) -> Any:
    """Return a graph of these nodes, with the functions of another one."""
    made = tf.compat.v1.GraphDef(versions=definition.versions)
    made.library.CopyFrom(definition.library)
    made.node.extend(nodes)
    return made


def _weight_of(node: Any) -> Any:
    """Return a constant's value if it is likely a weight, or large."""
    if node.op != "Const" or node.input:
        return None
    proto = node.attr["value"].tensor
    elements = int(np.prod([axis.size for axis in proto.tensor_shape.dim]))
    is_weight = bool(proto.tensor_shape.dim) and tf.as_dtype(proto.dtype).is_floating
    if not is_weight and elements <= _MOST_ELEMENTS:
        return None
    return tf.constant(tensor_util.MakeNdarray(proto), tf.as_dtype(proto.dtype))


def fed_part(definition: Any, fed: Iterable[str]) -> Any:
    """Return the part of a graph that can be computed from what is fed.

    What writes into a variable of TensorFlow 1, and what is made from that, is left out too.
    """
    fed = set(fed)
    readers: dict[str, list[Any]] = {}
    for node in definition.node:
        for name in node.input:
            if not name.startswith("^"):
                readers.setdefault(name.partition(":")[0], []).append(node)
    waiting = [
        node
        for node in definition.node
        if (node.op == PLACEHOLDER and node.name not in fed) or only_writes(node)
    ]
    out = {node.name for node in waiting}
    while waiting:
        for node in readers.get(waiting.pop().name, ()):
            if node.name not in out:
                out.add(node.name)
                waiting.append(node)
    kept = with_nodes(definition, (node for node in definition.node if node.name not in out))
    for node in kept.node:
        inputs = [i for i in node.input if not (i.startswith("^") and i[1:] in out)]
        if len(inputs) != len(node.input):
            del node.input[:]
            node.input.extend(inputs)
    return kept
