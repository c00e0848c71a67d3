"""List what can be looked at in a graph of operations, and make it answer as a traced model does.

An operation's output is listed if its values depend on what is fed. Left out are

- constants, variables and what is computed from them alone;
- ``Identity`` and its kin, which pass on the tensor before them, unless somebody gave it a name;
- the arithmetic of shapes: what depends on an input by its shape only;
- further outputs that nothing reads, such as the statistics of a normalisation;
- what no result of a function is computed from;
- handles, lists of tensors and summaries, which hold no numbers.

What is made inside loops and branches can't be taken out of them, and is listed with this reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf
from tensorflow.python.ops import handle_data_util

from ..errors import ModelError, listed, said
from ..keys import Tap
from .inlining import op_name, tensor_name
from .op_kinds import PASS_ON, SHAPE_ONLY, holds_numbers
from .raw_graph import RawGraph, fed_part
from .recorder import INSIDE, Call
from .subgraph import upstream
from .trace import ENTRIES, EXITS, TENSOR, Trace

_UNLISTED = PASS_ON | SHAPE_ONLY


@dataclass(frozen=True)
class Operation(Call):
    """An operation, and the sizes of the weights that it is given: others may be given them too."""

    weights: Mapping[str, int] = field(default_factory=dict)


def trace_operations(raw: RawGraph, fed: Sequence[str], bound: Mapping[str, Any], name: str) -> Trace:
    """Return a trace of a graph of operations.

    Parameters
    ----------
    raw : RawGraph
        The graph.
    fed : sequence of str
        The names of the placeholders that batches are fed to.
    bound : mapping of str to tf.Tensor
        What other placeholders hold.
    name : str
        What the graph is called in errors.

    Raises
    ------
    ModelError
        If TensorFlow can't read the graph, nothing in it depends on what is fed, or a result is looked
        up in a table whose entries are elsewhere.
    """
    bound = {tensor_name(placeholder): value for placeholder, value in bound.items()}
    graph, held = _imported(raw, fed, bound, name)
    inputs = [graph.get_tensor_by_name(f"{placeholder}:0") for placeholder in fed]
    sizes = {place: raw.weights.get(value, 0) for place, value in held.items()}
    outputs = None if raw.outputs is None else [graph.get_tensor_by_name(o) for o in raw.outputs]
    found = _Found(graph, inputs, sizes, outputs)
    outputs, structure = found.sinks() if outputs is None else (outputs, raw.structure)
    if not outputs:
        raise ModelError(
            f"Nothing in '{name}' is computed from {listed(fed)} alone. Expected: all inputs that an output "
            f"depends on; its placeholders are {listed(spec.name for spec in raw.specs)}."
        )
    if not raw.has_tables:
        _check_tables(set().union(*map(upstream, outputs)), graph, name)
    named = dict(zip(fed, inputs, strict=True))
    return Trace(
        graph=graph,
        inputs=inputs,
        names=list(fed),
        tensors=named | found.tensors,
        taps={a: _tap(a, t, found.axes) for a, t in (named | found.tensors).items()},
        calls=found.calls,
        outputs=outputs,
        output_structure=structure,
        unreachable=found.unreachable,
        captured={place: {**raw.captured, **bound}[value] for place, value in held.items()},
    )


def _check_tables(needed: Collection[str], graph: Any, name: str) -> None:
    operations = (op for op in graph.get_operations() if op.name in needed)
    lookups = [op for op in operations if op.type.startswith("LookupTable")]
    if lookups:
        tables = dict.fromkeys(op.inputs[0].op.name for op in lookups)
        raise ModelError(
            f"'{name}' looks values up in a table whose entries live in a session of TensorFlow 1. Received: "
            f"{listed(tables)}, read by {listed(op.name for op in lookups)}. Expected: the folder of a "
            "SavedModel, which brings its tables: tf.compat.v1.saved_model.simple_save(session, folder, "
            "inputs, outputs, legacy_init_op=tf.compat.v1.tables_initializer())."
        )


def _imported(
    raw: RawGraph, fed: Sequence[str], bound: Mapping[str, Any], name: str
) -> tuple[Any, dict[str, str]]:
    """Return a graph of our own, and by its placeholders' names which of the values that are held they take.

    The user's graph is not touched, and questions may add gradients to this one.
    """
    held = {**raw.captured, **bound}
    definition = fed_part(raw.definition, {*fed, *map(op_name, held)})
    nodes = [node for node in definition.node if tensor_name(node.name) not in held]
    read = {tensor_name(i) for node in nodes for i in node.input}
    del definition.node[:]
    definition.node.extend(nodes)
    graph = tf.Graph()
    with graph.as_default():
        # Not named as what they stand for: TensorFlow takes each part of a name for one that is given away.
        places = {n: _stand_in(f".held_{i}", value) for i, (n, value) in enumerate(held.items()) if n in read}
        try:
            tf.graph_util.import_graph_def(definition, input_map=places, name="")
        except (ValueError, tf.errors.OpError) as error:
            raise ModelError(f"TensorFlow can't read the graph '{name}'. It said: {said(error)}") from error
    return graph, {place.name: name for name, place in places.items()}


def _stand_in(name: str, value: Any) -> Any:
    place = tf.compat.v1.placeholder(value.dtype, value.shape, name)
    if value.dtype in (tf.resource, tf.variant):
        handle_data_util.copy_handle_data(value, place)  # shapes behind it are not known else
    return place


class _Found:
    """What a graph holds that depends on its inputs."""

    def __init__(
        self, graph: Any, inputs: Sequence[Any], weights: Mapping[str, int], outputs: Sequence[Any] | None
    ) -> None:
        self.graph = graph
        self.tensors: dict[str, Any] = {}
        self.calls: list[Call] = [Operation(t.op.name, t.op.type, "", 0) for t in inputs]
        self.unreachable: dict[str, str] = {}
        self.axes: dict[str, int] = {}
        self._dependent = _dependent(inputs)
        if outputs is not None:
            self._dependent &= set().union(*map(upstream, outputs))
        self._fed = {t.op.name for t in inputs}
        self._inside: dict[str, int] = {}
        self._weights: dict[str, frozenset[str]] = {}
        self._sizes = weights
        self._bodies = {f.signature.name: f for f in graph.as_graph_def().library.function}
        for place, op in enumerate(graph.get_operations()):
            self._see(op, place)

    def _see(self, op: Any, place: int) -> None:
        if f"{op.name}:0" in self._sizes:
            self._weights[op.name] = frozenset((f"{op.name}:0",))
        if not op.inputs or op.name in self._fed:
            return
        weights = frozenset().union(*(self._weights.get(t.op.name, frozenset()) for t in op.inputs))
        depth = self._inside[op.name] = self._depth(op)
        is_listed = op.name in self._dependent and not _passes_on(op)
        outputs = list(_readable(op)) if is_listed else []
        if not outputs:
            self._weights[op.name] = weights
            return
        self.unreachable |= dict.fromkeys(_inner(op, self._bodies), INSIDE)
        if depth:
            self.unreachable[op.name] = INSIDE
            return
        self.axes[op.name] = self._channel_axis(op)
        self.tensors |= {_address(tensor): tensor for tensor in outputs}
        held = {name: self._sizes[name] for name in sorted(weights)}
        parent, made = op.name.rpartition("/")[0], range(place, place + 1)
        self.calls.append(Operation(op.name, op.type, parent, sum(held.values()), made, held))

    def _depth(self, op: Any) -> int:
        """Return in how many of the old loops and branches an operation lies."""
        depth = max(self._inside.get(t.op.name, 0) for t in op.inputs)
        kinds = {t.op.type for t in op.inputs}
        is_of_loop = bool(kinds & {"NextIteration", "RefNextIteration", "LoopCond"})
        if op.type in ENTRIES and not is_of_loop:
            return depth + 1
        if op.type in EXITS and not is_of_loop:
            return max(0, depth - 1)
        return depth

    def _channel_axis(self, op: Any) -> int:
        """Return the channel axis: stated, or that of what comes in with as many axes."""
        if "data_format" in op.node_def.attr:
            return 1 if op.node_def.attr["data_format"].s.startswith(b"NC") else -1
        if op.type in {"Transpose", "Reshape"}:
            return -1
        rank = op.outputs[0].shape.rank if op.outputs else None
        known = (self.axes[t.op.name] for t in op.inputs if t.op.name in self.axes and t.shape.rank == rank)
        return next(known, -1)

    def sinks(self) -> tuple[list[Any], Any]:
        """Return the tensors that nothing reads, and their names as a structure."""
        found = {
            _address(tensor): tensor
            for op in self.graph.get_operations()
            if op.name in self._dependent and not any(t.consumers() for t in op.outputs)
            for tensor in op.outputs
            if _holds_numbers(tensor) and op.type != "Placeholder" and not self._inside.get(op.name)
        }
        if len(found) == 1:
            return list(found.values()), TENSOR
        return [found[name] for name in sorted(found)], dict.fromkeys(sorted(found), TENSOR)


def _passes_on(op: Any) -> bool:
    return op.type in PASS_ON and op.name.rpartition("/")[2].startswith(op.type)


def _dependent(inputs: Sequence[Any]) -> set[str]:
    """Return the names of the operations whose values depend on the inputs."""
    found = {tensor.op.name for tensor in inputs}
    waiting = [tensor.op for tensor in inputs]
    while waiting:
        for reader in (op for tensor in waiting.pop().outputs for op in tensor.consumers()):
            if reader.name not in found and reader.type not in SHAPE_ONLY:
                found.add(reader.name)
                waiting.append(reader)
    return found


def _inner(op: Any, bodies: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the operations in the branches or the body of an operation."""
    for key, attribute in op.node_def.attr.items():
        for called in (attribute.func, *attribute.list.func):
            for node in bodies[called.name].node_def if called.name in bodies else ():
                if node.op not in _UNLISTED and any(not i.startswith("^") for i in node.input):
                    yield f"{op.name}/{key}/{node.name}"


def _readable(op: Any) -> Iterator[Any]:
    for index, tensor in enumerate(op.outputs):
        if _holds_numbers(tensor) and (index == 0 or tensor.consumers()):
            yield tensor


def _holds_numbers(tensor: Any) -> bool:
    return holds_numbers(tensor) and not tensor.op.type.endswith("Summary")


def _address(tensor: Any) -> str:
    return op_name(tensor.name)


def _tap(address: str, tensor: Any, axes: Mapping[str, int]) -> Tap:
    shape = () if tensor.shape.rank is None else tuple(tensor.shape.as_list())
    axis = axes.get(tensor.op.name, -1)
    return Tap(
        address,
        tensor.op.type,
        (None, *shape[1:]) if shape else (),
        tensor.dtype.base_dtype.name,
        axis if len(shape) > 2 else -1,
        tensor.op.name,
    )
