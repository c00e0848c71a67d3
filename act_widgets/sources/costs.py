"""Count the floating-point operations of each call, with TensorFlow's own counter."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf
from tensorflow.python.framework import ops

# Imported for what it registers: how many operations each kind takes.
from tensorflow.python.profiler.internal import flops_registry  # noqa: F401
from tensorflow.python.util import deprecation

from .inputs import Inputs
from .protocol import Counted
from .recorder import Call
from .replay import Replay
from .subgraph import part
from .trace import Trace

_INSIDE = "it runs {}, and TensorFlow counts nothing inside loops, branches and functions"
_UNKNOWN = "the size of its {} is known only when it runs"
_NO_COUNT = "TensorFlow has no count for {}"
_NONE = "TensorFlow counts none of its operations: {}"
_AROUND = "it is counted with the call that makes it"

# They move numbers and compute none.
_MOVING = {
    *("BatchToSpaceND", "Bitcast", "BroadcastTo", "Cast", "CheckNumerics", "ConcatV2", "DepthToSpace"),
    *("EnsureShape", "ExpandDims", "Fill", "GatherNd", "GatherV2", "Identity", "IdentityN", "MirrorPad"),
    *("OneHot", "OnesLike", "Pack", "Pad", "PadV2", "PreventGradient", "Reshape", "ResizeNearestNeighbor"),
    *("ReverseV2", "Roll", "ScatterNd", "Slice", "SpaceToBatchND", "SpaceToDepth", "SparseToDense", "Split"),
    *("SplitV", "Squeeze", "StopGradient", "StridedSlice", "Tile", "Transpose", "Unpack", "Where"),
    "ZerosLike",
}
# They take about one operation for each number, although they return other sizes.
_LIGHT = {"EuclideanNorm", "Max", "Min", "Prod", "ResizeBicubic", "ResizeBilinear"}


class _Cost(NamedTuple):
    """What one operation takes.

    Attributes
    ----------
    flops : float
        As counted.
    light : str
        Its kind if it has no count and takes about one operation for each number.
    reason : str
        Why it can't be counted, and may take many.
    """

    flops: float = 0.0
    light: str = ""
    reason: str = ""


def counted(answers: Trace | Replay, inputs: Inputs, calls: Iterable[Call] | None = None) -> Counted:
    """Return how many floating-point operations each call takes for a batch of this size.

    The traced graph is built again at the sizes of the batch, and nothing is computed. Sizes that are
    known only at run time, such as those behind a loop, are taken from one pass. `calls` are those of the
    graph if left out.
    """
    if isinstance(answers, Replay):
        why = answers.reason.partition(" It said:")[0].rstrip(".")
        return Counted({}, {}, None, f"They are counted in a traced graph, and this model has none. {why}.")
    graph = _at_sizes(answers, inputs, {})
    computed = {a: t for a, t in answers.tensors.items() if a not in answers.names}
    vague = [a for a, t in computed.items() if not _tensor(graph, t).shape.is_fully_defined()]
    if vague:
        values = answers.forward(inputs, vague).values
        graph = _at_sizes(answers, inputs, {computed[a].name: v.shape for a, v in values.items()})
    made = {op.name: op for op in graph.get_operations()}
    with deprecation.silence():  # TensorFlow's counter calls what TensorFlow itself has marked as old
        costs = [
            _cost(graph, made[op.name]) if op.name in made else _Cost()
            for op in answers.graph.get_operations()
        ]
    return _by_call(answers.calls if calls is None else calls, costs)


def _tensor(graph: Any, tensor: Any) -> Any:
    return graph.get_tensor_by_name(tensor.name)


def _at_sizes(trace: Trace, inputs: Inputs, known: Mapping[str, Sequence[int]]) -> Any:
    """Return the graph of a pass that computes everything, with the sizes of a batch.

    `known` holds sizes of tensors by their names: what follows starts from these.
    """
    given = {tensor.name: array.shape for tensor, array in zip(trace.inputs, inputs.arrays, strict=True)}
    fetches = [*trace.outputs, *trace.tensors.values()]
    definition, borders = part(trace.graph, fetches, stop={*given, *trace.captured})

    def body(*leaves: Any) -> list[Any]:
        inside = tf.compat.v1.get_default_graph()
        bound = dict(zip(given, leaves, strict=True))
        bound = {n: bound[n] if n in bound else inside.capture(trace.captured[n]) for n in borders}
        for tensor in trace.tensors.values():
            if tensor.name in known:
                bound[tensor.name] = tf.compat.v1.placeholder(tensor.dtype, known[tensor.name], "known")
        tf.graph_util.import_graph_def(definition, input_map=bound, name="")
        return []

    specs = [tf.TensorSpec(given[tensor.name], tensor.dtype) for tensor in trace.inputs]
    return tf.compat.v1.wrap_function(body, specs).graph


def _by_call(calls: Iterable[Call], costs: Sequence[_Cost]) -> Counted:
    flops: dict[str, float] = {}
    missing: dict[str, str] = {}
    for call in calls:
        if call.operations is None:
            missing[call.address] = _AROUND
            continue
        own = [costs[place] for place in call.operations]
        reason = next((cost.reason for cost in own if cost.reason), "")
        light = Counter(cost.light for cost in own if cost.light)
        flops[call.address] = sum((cost.flops for cost in own), 0.0)
        if reason or (light and not flops[call.address]):
            missing[call.address] = reason or _NONE.format(", ".join(light))
            del flops[call.address]
    light = Counter(cost.light for cost in costs if cost.light)
    left_out = ", ".join(f"{kind} ({count} ×)" for kind, count in light.most_common())
    remarks = [f"{_NO_COUNT.format(left_out)}."] if left_out else []
    reason = next((cost.reason for cost in costs if cost.reason), "")
    if reason:
        remarks.append(f"There is no total: {reason}.")
    total = None if reason else sum((cost.flops for cost in costs), 0.0)
    return Counted(flops, missing, total, " ".join(remarks))


def _cost(graph: Any, op: Any) -> _Cost:
    definition = op.node_def
    if "adj_x" in definition.attr:  # TensorFlow's counter looks for it by another name
        definition.attr["transpose_a"].b = definition.attr["adj_x"].b
    if any(value.WhichOneof("value") == "func" for value in definition.attr.values()):
        return _Cost(reason=_INSIDE.format(op.type))
    try:
        flops = ops.get_stats_for_node_def(graph, definition, "flops").value
    except ValueError:  # a size is not known
        return _Cost(reason=_UNKNOWN.format(op.type)) if _is_of_floats(op) else _Cost()
    return _uncounted(op) if flops is None else _Cost(float(flops))


def _uncounted(op: Any) -> _Cost:
    """Return what an operation takes that TensorFlow has no count for."""
    if op.type in _MOVING or not _is_of_floats(op):
        return _Cost()
    if op.type == "Einsum":
        return _einsum(op)
    result = op.outputs[0].shape
    same = result.is_fully_defined() and any(tensor.shape.is_compatible_with(result) for tensor in op.inputs)
    if op.type in _LIGHT or same:
        return _Cost(light=op.type)
    return _Cost(reason=_NO_COUNT.format(op.type))


def _is_of_floats(op: Any) -> bool:
    """Whether an operation takes and gives real or complex numbers."""
    return all(
        any(tensor.dtype.is_floating or tensor.dtype.is_complex for tensor in tensors)
        for tensors in (op.inputs, op.outputs)
    )


def _einsum(op: Any) -> _Cost:
    """Count a sum of products as the matrix product that it is: two for each product."""
    shapes = [tensor.shape for tensor in (*op.inputs, *op.outputs)]
    if not all(shape.is_fully_defined() for shape in shapes):
        return _Cost(reason=_UNKNOWN.format(op.type))
    given, _, result = op.get_attr("equation").decode().partition("->")
    sizes: dict[str, int] = {}
    for labels, tensor in zip(given.split(","), op.inputs, strict=True):
        before, _, behind = labels.partition("...")
        shape = tensor.shape.as_list()
        sizes |= zip(before, shape[: len(before)], strict=True)
        sizes |= zip(behind, shape[len(shape) - len(behind) :], strict=True)
    summed = math.prod(size for label, size in sizes.items() if label not in result)
    return _Cost(2.0 * summed * math.prod(op.outputs[0].shape.as_list()))
