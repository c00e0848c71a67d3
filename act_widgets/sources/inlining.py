"""Put the bodies of functions in the place of their calls, so that a graph shows all of its operations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import function_def_to_graph, op_def_registry

_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
# Nobody looks for one of these by its name.
_NAMELESS = {*_CALLS, "Const", "Identity", "NoOp", "ReadVariableOp"}
# Facts that hold only where a node came from. Among them gradients written in Python: they refer to
# tensors of the graph that they were traced in; those of the operations inside are taken instead.
_OF_THE_PLACE = ("_class", "_output_shapes", "_gradient_op_type")


def inlined(definition: Any) -> tuple[Any, dict[str, str]]:
    """Return a graph without calls, and which tensors stand for the results of the calls.

    A body's operations keep their names, in the scope of the call; where one of them is taken, the
    call's own name goes before all of them. Control inputs from operations that write, print or
    check are left out: what flows as values is computed, and nothing else is done.

    Parameters
    ----------
    definition : GraphDef
        Left as it is.

    Returns
    -------
    graph : GraphDef
        Its functions are those of branches and loops, which stay.
    renamed : dict of str to str
        By the tensor's name in `definition`.
    """
    work = _Inliner(definition)
    work.add(definition.node)
    made = tf.compat.v1.GraphDef(versions=definition.versions)
    made.library.CopyFrom(definition.library)
    writing = {node.name for node in work.nodes if has_effects(node)}
    kept = {node.name for node in work.nodes} - writing
    for node in work.nodes:
        inputs = [op_name(work.resolved(tensor_name(i))) for i in node.input if not i.startswith("^")]
        controls = [i for i in node.input if i.startswith("^") and i[1:] in kept]
        added = made.node.add()
        added.CopyFrom(node)
        del added.input[:]
        added.input.extend([*inputs, *controls])
        added.device = ""
        for fact in _OF_THE_PLACE:
            added.attr.pop(fact, None)
    return made, {name: work.resolved(name) for name in work.renamed}


def has_effects(node: Any) -> bool:
    """Whether an operation does something beside computing its results."""
    known = op_def_registry.get(node.op)
    return known is not None and (known.is_stateful or any(arg.is_ref for arg in known.input_arg))


def only_writes(node: Any) -> bool:
    """Whether an operation takes a variable of TensorFlow 1 itself, to write into it, or gives no result."""
    known = op_def_registry.get(node.op)
    if known is None or node.op in {"Identity", "IsVariableInitialized"}:
        return False
    return not known.output_arg or any(arg.is_ref for arg in known.input_arg)


def tensor_name(text: str) -> str:
    """Return a tensor's whole name; a node's input leaves out the ``:0``."""
    return text if ":" in text else f"{text}:0"


def op_name(tensor: str) -> str:
    """Return the name of a tensor without the ``:0`` of a first output."""
    return tensor.removesuffix(":0")


class _Inliner:
    """Collects the nodes of a graph and of the functions that it calls."""

    def __init__(self, definition: Any) -> None:
        self.functions = {f.signature.name: f for f in definition.library.function}
        self.nodes: list[Any] = []
        self.renamed: dict[str, str] = {}
        self._taken = {n.name for n in definition.node if self._called(n) is None}
        self._calls = 0

    def add(self, nodes: Iterable[Any]) -> None:
        """Take over nodes, with bodies for calls."""
        for node in nodes:
            function = self._called(node)
            if function is None:
                self.nodes.append(node)
            else:
                self._add_body(node, function)

    def resolved(self, name: str) -> str:
        """Return the tensor that one is in the end."""
        while name in self.renamed:
            name = self.renamed[name]
        return name

    def _called(self, node: Any) -> Any:
        return self.functions.get(node.attr["f"].func.name if node.op in _CALLS else node.op)

    def _add_body(self, call: Any, function: Any) -> None:
        body, flat = function_def_to_graph.function_def_to_graph_def(function)
        arguments = [arg.name for arg in function.signature.input_arg]
        given = [tensor_name(i) for i in call.input if not i.startswith("^")]
        tensors = {f"{arg}:0": value for arg, value in zip(arguments, given, strict=True)}
        nodes = [node for node in body.node if node.name not in arguments]
        scope = self._scope(call.name.partition("~")[0], [n.name for n in nodes if n.op not in _NAMELESS])
        names = {node.name: self._name(scope, node) for node in nodes}

        def moved(text: str) -> str:
            if text.startswith("^"):
                return "^" + names.get(text[1:], "")
            name, _, index = tensor_name(text).partition(":")
            return tensors.get(f"{name}:{index}") or f"{names[name]}:{index}"

        copies = []
        for node in nodes:
            copy = tf.compat.v1.NodeDef()
            copy.CopyFrom(node)
            copy.name = names[node.name]
            del copy.input[:]
            copy.input.extend(map(moved, node.input))
            copies.append(copy)
        for index, result in enumerate(function.signature.output_arg):
            self.renamed[f"{call.name}:{index}"] = moved(flat[function.ret[result.name]])
        self.add(copies)

    def _name(self, scope: str, node: Any) -> str:
        if self._called(node) is not None:  # leaves no node behind, so its name may come again
            self._calls += 1
            return f"{scope}{node.name}~{self._calls}"
        name, number = scope + node.name, 0
        while name in self._taken:
            number += 1
            name = f"{scope}{node.name}_{number}"
        self._taken.add(name)
        return name

    def _scope(self, call: str, names: Sequence[str]) -> str:
        """Return what goes before the names of a body's nodes."""
        around = call.rpartition("/")[0]
        for number in range(len(self._taken) + 2):
            found = (around and f"{around}/", f"{call}/")[number] if number < 2 else f"{call}_{number - 1}/"
            if self._taken.isdisjoint(found + name for name in names):
                break
        return found
