"""Open graphs of TensorFlow 1: frozen ones from a file, and those of a session with its variables."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorflow.python.eager import context

from ..errors import ModelError, listed, said
from .inlining import only_writes, tensor_name
from .loader import Loader
from .raw_graph import PLACEHOLDER, RawGraph, raw_graph
from .weights import same_buffers

_REFERENCES = {"Variable", "VariableV2"}
_HANDLE = "VarHandleOp"


class FrozenLoader(Loader):
    """A graph whose weights are constants.

    Parameters
    ----------
    definition : GraphDef
        The graph.
    name : str
        Its name.
    """

    def __init__(self, definition: Any, name: str) -> None:
        super().__init__(name)
        self._definition = definition

    def made(self, asked: Any) -> RawGraph:  # noqa: ARG002
        """Check that the graph is frozen, and read it."""
        variables = [node.name for node in self._definition.node if node.op in {*_REFERENCES, _HANDLE}]
        if variables:
            raise ModelError(
                f"The graph '{self.name}' is not frozen: it holds no values for its variables. Received: "
                f"{len(variables)} variables, such as {listed(variables[:3])}. Expected: a graph whose "
                "variables were made constants; or the session that they live in, in place of the file."
            )
        return _checked(raw_graph(self._definition, {}, needs_all=False, has_tables=False), self.name)


class SessionLoader(Loader):
    """The graph of a session, its variables as they are there.

    The variables are copied into ones of our own, from which all questions are answered: nothing is
    added to the user's graph, and nothing but its variables is run in the session.
    """

    def __init__(self, session: Any) -> None:
        super().__init__("graph")
        self._session: Any = weakref.ref(session)
        self._reads: list[Any] = []
        self._copies: list[Any] = []
        self._held: list[np.ndarray] = []
        self._version = 0
        self._seen = -1

    def look(self) -> None:
        """Forget a graph to which operations were added."""
        if len(self._session().graph.get_operations()) != self._seen:
            self.forget()

    def made(self, asked: Any) -> RawGraph:  # noqa: ARG002
        """Read the graph, and its variables out of the session."""
        graph = self._session().graph
        self._seen = len(graph.get_operations())
        definition = graph.as_graph_def()
        needed = _needed_variables(definition)
        variables = [node for node in definition.node if node.name in needed]
        self._reads = [_reading_of(graph, node) for node in variables]
        before, self._held = self._held, self._values()
        if len(before) != len(self._held) or not same_buffers(before, self._held):
            self._version += 1  # others may have read the values before
        self._copies = [tf.Variable(value, trainable=False) for value in self._held]
        captured: dict[str, Any] = {}
        for node, copy in zip(variables, self._copies, strict=True):
            if node.op in _REFERENCES:
                _read_instead(node, captured, copy, definition)
            else:
                captured[tensor_name(node.name)] = copy.handle
        facts = {"needs_all": False, "has_tables": False, "variables": tuple(self._copies)}
        return _checked(raw_graph(definition, captured, **facts), self.name)

    def version(self) -> int:
        """Return a number that goes up when variables changed in the session; the copies then follow."""
        with self._lock, context.eager_mode():
            try:
                before, self._held = self._held, self._values()
            except RuntimeError:  # the session was closed: nothing changes any more
                return self._version
            if not same_buffers(before, self._held):
                for copy, value in zip(self._copies, self._held, strict=True):
                    copy.assign(value)
                self._version += 1
            return self._version

    def _values(self) -> list[np.ndarray]:
        session = self._session()
        try:
            values = session.run(self._reads) if self._reads else []
        except tf.errors.FailedPreconditionError as error:
            raise ModelError(
                "Variables of the session have no values yet. Expected: "
                "session.run(tf.compat.v1.global_variables_initializer()) before it is read. "
                f"It said: {said(error)}"
            ) from error
        # Variables of the old kind are written into where they lie.
        return [
            v.copy() if read.dtype._is_ref_dtype else v for v, read in zip(values, self._reads, strict=True)
        ]


def read_graph_def(path: str) -> Any:
    """Return the graph in a ``.pb`` file.

    Raises
    ------
    ModelError
        If there is no such file, or it holds no graph.
    """
    definition = tf.compat.v1.GraphDef()
    try:
        definition.ParseFromString(Path(path).read_bytes())
    except (OSError, DecodeError) as error:
        raise ModelError(_no_graph(path, said(error))) from error
    if not definition.node:
        raise ModelError(_no_graph(path, "it has no operations"))
    return definition


def _no_graph(path: str, reason: str) -> str:
    folder = " For a SavedModel give the folder." if Path(path).name == "saved_model.pb" else ""
    return (
        f"No graph could be read. Received: path '{path}'. Expected: a frozen GraphDef of TensorFlow 1 "
        f"in its binary form.{folder} It said: {reason}"
    )


def _checked(raw: RawGraph, name: str) -> RawGraph:
    if not raw.specs:
        raise ModelError(
            f"The graph '{name}' has no placeholders. Expected: at least one, which a batch is fed to."
        )
    return raw


def _needed_variables(definition: Any) -> set[str]:
    """Return the variables that something reads which depends on a placeholder: not those of an optimizer."""
    nodes = {node.name: node for node in definition.node}
    sources = {n: [i.partition(":")[0] for i in node.input if i[0] != "^"] for n, node in nodes.items()}
    readers: dict[str, list[str]] = {}
    for name, given in sources.items():
        for one in given:
            readers.setdefault(one, []).append(name)
    dependent = _reach([n for n, node in nodes.items() if node.op == PLACEHOLDER], readers)
    before = _reach([n for n in dependent if not only_writes(nodes[n])], sources)
    return {name for name in before if nodes[name].op in {*_REFERENCES, _HANDLE}}


def _reach(first: Sequence[str], ways: dict[str, list[str]]) -> set[str]:
    found, waiting = set(first), list(first)
    while waiting:
        for name in ways.get(waiting.pop(), ()):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found


def _reading_of(graph: Any, node: Any) -> Any:
    """Return a tensor of the user's graph that holds a variable's value."""
    tensor = graph.get_tensor_by_name(tensor_name(node.name))
    if node.op in _REFERENCES:
        return tensor
    reads = [op for op in tensor.consumers() if op.type == "ReadVariableOp"]
    free = [op for op in reads if not op.control_inputs] or reads
    if not free:
        raise ModelError(f"Nothing in the graph reads the variable '{node.name}'.")
    return free[0].outputs[0]


def _read_instead(node: Any, captured: dict[str, Any], copy: Any, definition: Any) -> None:
    """Let a variable's node read our copy in place of the session's."""
    handle = f"{node.name}/handle_of_copy"
    node.op = "ReadVariableOp"
    for key in list(node.attr):
        if key != "dtype":
            del node.attr[key]
    node.input.append(handle)
    place = definition.node.add()
    place.name, place.op = handle, PLACEHOLDER
    place.attr["dtype"].type = tf.resource.as_datatype_enum
    captured[f"{handle}:0"] = copy.handle
