"""Cut the part of a traced graph that lies between chosen tensors, as a function to run.

The traced graph is never run itself. A question is a set of tensors to feed and a set to fetch;
only the operations between them are imported into a new function. Variables stay the live ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.framework import ops

# Preparing so many results for speed takes TensorFlow longer than it saves.
_MOST_OPTIMIZED = 1000


@dataclass(frozen=True)
class Cut:
    """A function from some tensors of a graph to others.

    Attributes
    ----------
    function : callable
        Takes a tensor for each feed in `used`, and returns the list of fetched tensors.
    used : dict of int to tf.DType
        Which of the feeds are needed, and their types.
    is_optimized : bool
        Whether TensorFlow rewrites the function before it runs it for the first time.
    """

    function: Callable
    used: dict[int, Any]
    is_optimized: bool = True

    def __call__(self, values: Sequence[np.ndarray]) -> list[Any]:
        """Run on the values of all feeds."""
        tensors = [_as_tensor(values[index], dtype) for index, dtype in self.used.items()]
        with _unfused(self.is_optimized):
            return self.function(*tensors)


@contextmanager
def _unfused(is_optimized: bool) -> Iterator[None]:
    """Run functions of this thread without fused kernels.

    TensorFlow's fused convolution and ReLU on CPU gives 0 for NaN where the model itself, called
    eagerly, gives NaN: a person who looks for the NaN must see it.
    """
    current = context.context()
    before = current.function_call_options
    current.function_call_options = _unfused_options(is_optimized)
    try:
        yield
    finally:
        current.function_call_options = before


@lru_cache
def _unfused_options(is_optimized: bool) -> Any:
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.remapping = config.graph_options.rewrite_options.OFF
    config.graph_options.rewrite_options.disable_meta_optimizer = not is_optimized
    return context.FunctionCallOptions(config_proto=config)


def _as_tensor(value: np.ndarray, dtype: Any) -> Any:
    """Return an array as a tensor: one that nobody writes into without a copy."""
    flags, is_same = value.flags, value.dtype == dtype.as_numpy_dtype and dtype != tf.string
    if is_same and flags.c_contiguous and not flags.writeable:
        return ops.EagerTensor(value, context.context().device_name, dtype.as_datatype_enum)
    return tf.constant(value, dtype)


def cut(
    graph: Any,
    feeds: Sequence[Any],
    fetches: Sequence[Any],
    aliases: dict[str, Any],
    captured: dict[str, Any],
) -> Cut:
    """Return the part of a graph between `feeds` and `fetches`.

    Parameters
    ----------
    graph : tf.Graph
        The traced function graph.
    feeds, fetches : sequence of tf.Tensor
        Tensors of `graph`. Feeds that the fetches do not need are allowed.
    aliases : dict of str to tf.Tensor
        Names of tensors that hold the same value as one of `feeds`; they are fed with it.
    captured : dict of str to tf.Tensor
        What stands for the variables' placeholders, by the names of these.
    """
    fed = {feed.name: index for index, feed in enumerate(feeds)}
    for name, feed in aliases.items():
        fed.setdefault(name, fed[feed.name])
    definition, borders = part(graph, fetches, stop={*fed, *captured})
    used = sorted({fed[n] for n in (*borders, *(f.name for f in fetches)) if n in fed})
    place = {index: at for at, index in enumerate(used)}
    imported = [f for f in fetches if f.name not in fed and f.name not in captured]

    def body(*values: Any) -> list[Any]:
        inside = tf.compat.v1.get_default_graph()
        bound = {n: values[place[fed[n]]] if n in fed else inside.capture(captured[n]) for n in borders}
        tensors = tf.graph_util.import_graph_def(
            definition, input_map=bound, return_elements=[f.name for f in imported], name=""
        )
        made = {f.name: tensor for f, tensor in zip(imported, tensors or (), strict=True)}
        return [made[f.name] if f.name in made else tf.identity(values[place[fed[f.name]]]) for f in fetches]

    # Not tf.function: its automatic control dependencies would keep operations nobody asked for.
    specs = [tf.TensorSpec(feeds[index].shape, feeds[index].dtype) for index in used]
    function = tf.compat.v1.wrap_function(body, specs)
    return Cut(function, {index: feeds[index].dtype for index in used}, len(fetches) <= _MOST_OPTIMIZED)


def part(graph: Any, fetches: Sequence[Any], stop: set[str]) -> tuple[Any, list[str]]:
    """Return the definition of what some tensors of a graph are computed by, from where to where.

    Parameters
    ----------
    graph : tf.Graph
        The traced function graph.
    fetches : sequence of tf.Tensor
        Tensors of `graph`.
    stop : set of str
        Names of tensors that are given.

    Returns
    -------
    definition : GraphDef
        The operations.
    borders : list of str
        Which of `stop` they take.
    """
    nodes, borders = _needed(fetches, stop)
    definition = tf.compat.v1.GraphDef(versions=graph.graph_def_versions)
    definition.node.extend(_without_colocation(op) for op in nodes)
    definition.library.CopyFrom(_library(graph, nodes))
    return definition, borders


def _needed(fetches: Sequence[Any], stop: set[str]) -> tuple[list[Any], list[str]]:
    """Walk back from the fetches; return the operations on the way and the stops reached."""
    nodes: dict[str, Any] = {}
    borders: dict[str, None] = {}
    waiting = list(fetches)
    while waiting:
        tensor = waiting.pop()
        if tensor.name in stop:
            borders[tensor.name] = None
            continue
        pending = [tensor.op]
        while pending:
            op = pending.pop()
            if op.name in nodes:
                continue
            nodes[op.name] = op
            waiting.extend(op.inputs)
            pending.extend(op.control_inputs)
    fetched = {f.name for f in fetches}
    used = {name for op in nodes.values() for name in (t.name for t in op.inputs)}
    return list(nodes.values()), [n for n in borders if n in used or n not in fetched]


def _without_colocation(op: Any) -> Any:
    definition = op.node_def
    if "_class" in definition.attr:
        del definition.attr["_class"]
    return definition


def _library(graph: Any, nodes: Sequence[Any]) -> Any:
    """Return the functions that the operations call; most models have none."""
    calls = any(a.WhichOneof("value") == "func" for op in nodes for a in op.node_def.attr.values())
    gradients = any("_gradient_op_type" in op.node_def.attr for op in nodes)
    if not (calls or gradients):
        return tf.compat.v1.GraphDef().library
    return graph.as_graph_def().library


def downstream(graph: Any, tensor: Any) -> set[str]:
    """Return the names of the operations whose result depends on `tensor`, its own left out."""
    readers = [op for op in graph.get_operations() if any(t.name == tensor.name for t in op.inputs)]
    return reached(graph, readers)


def reached(graph: Any, first: Sequence[Any]) -> set[str]:
    """Return the names of `first` and of the operations whose result depends on them."""
    found = {op.name for op in first}
    if found:
        for op in graph.get_operations():
            if any(t.op.name in found for t in op.inputs):
                found.add(op.name)
    return found


def upstream(tensor: Any) -> set[str]:
    """Return the names of the operations that `tensor` is computed from, its own included."""
    return {op.name for op in _needed([tensor], stop=set())[0]}
