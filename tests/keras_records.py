"""Read a model's graph off Keras's own records of its calls, to compare it with the package's.

Keras keeps a record of every call with which a Functional or Sequential model was put together. They
are followed here from the outputs back to the inputs, and into models inside the model, each time
that they are called.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import keras
import networkx as nx


def is_recorded(model: Any) -> bool:
    """Whether Keras's records tell all that a model does: its call is not a subclass's own."""
    if isinstance(model, keras.Sequential):
        return type(model) is keras.Sequential and model.built
    return isinstance(model, keras.Function) and type(model).__name__ == "Functional"


@dataclass
class Records:
    """A graph that grows while a model's records are followed.

    Attributes
    ----------
    graph : networkx.DiGraph
        A node for each call, numbered; `path` leads there by names, `kind` is the class.
    models : set of str
        Paths of the models inside the model.
    """

    graph: nx.DiGraph = field(default_factory=nx.DiGraph)
    models: set[str] = field(default_factory=lambda: {""})
    _numbers: Any = field(default_factory=itertools.count)

    def add(self, path: str, operation: Any, shape: Any, sources: list[int]) -> int:
        number = next(self._numbers)
        kind = _kind(operation)
        weights = operation.weights if isinstance(operation, keras.layers.Layer) else []
        parameters = sum(math.prod(weight.shape) for weight in weights)
        self.graph.add_node(number, path=path, kind=kind, shape=tuple(shape), parameters=parameters)
        self.graph.add_edges_from((source, number) for source in sources)
        return number


def read(model: Any) -> Records:
    """Return what Keras recorded of a model."""
    records = Records()
    inputs = [t._keras_history.operation for t in model.inputs]
    given = [records.add(layer.name, layer, layer.output.shape, []) for layer in inputs]
    _follow(model, given, "", records)
    return records


def _follow(model: Any, given: list[int], path: str, records: Records) -> list[int]:
    """Add the calls inside a model that is called on what `given` made; return who makes its outputs."""
    makers = {id(tensor): number for tensor, number in zip(model.inputs, given, strict=True)}

    def maker(tensor: Any) -> int:
        if id(tensor) not in makers:
            history = tensor._keras_history
            call = history.operation._inbound_nodes[history.node_index]
            number = made(call, [maker(argument) for argument in call.input_tensors])
            makers.update((id(output), number) for output in call.output_tensors)
        return makers[id(tensor)]

    def made(call: Any, sources: list[int]) -> int:
        inner = f"{path}/{call.operation.name}".lstrip("/")
        if is_recorded(call.operation):
            records.models.add(inner)
            sources = _follow(call.operation, sources, inner, records)
        return records.add(inner, call.operation, call.output_tensors[0].shape, sources)

    return [maker(tensor) for tensor in model.outputs]


def _kind(operation: Any) -> str:
    return "Input" if isinstance(operation, keras.layers.InputLayer) else type(operation).__name__


def differences(model: Any, graph: Any) -> list[str]:
    """Return how a `Graph` of the package differs from Keras's records of a model; nothing if it does not.

    Calls of one layer have numbers here and there. They are not compared, but the whole graphs are:
    the numbers must be exchangeable.
    """
    records = read(model)
    ours, theirs = outlined(graph.to_networkx(), {unnumbered(path) for path in records.models}), records.graph
    counts = [Counter(map(repr, _described(one))) for one in (ours, theirs)]
    found = [f"only ours: {one}" for one in counts[0] - counts[1]]
    found += [f"only of Keras: {one}" for one in counts[1] - counts[0]]
    if not found and not nx.is_isomorphic(ours, theirs, node_match=_are_alike):
        found = ["calls of one layer are joined otherwise"]
    return found


def _described(graph: nx.DiGraph) -> list[tuple[Any, ...]]:
    """Return nodes and edges by paths, for a message that a reader understands."""
    path = {node: unnumbered(data["path"]) for node, data in graph.nodes(data=True)}
    nodes = [(path[n], data["kind"], data["parameters"]) for n, data in graph.nodes(data=True)]
    return nodes + [(path[a], "to", path[b]) for a, b in graph.edges]


def _are_alike(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether two nodes are of one layer; sizes that Keras left open may be anything, the batch's is open."""
    sizes = zip(ours["shape"][1:], theirs["shape"][1:], strict=False)
    is_shape = len(ours["shape"]) == len(theirs["shape"]) and all(b in (a, None) for a, b in sizes)
    return is_shape and unnumbered(ours["path"]) == unnumbered(theirs["path"])


def unlike_its_layer(model: Any, graph: Any) -> list[str]:
    """Return the nodes that have another class or number of weights than every layer of their name."""
    known: dict[str, set[tuple[str, int]]] = {}
    for layer in model._flatten_layers(include_self=False):
        weighs = sum(math.prod(weight.shape) for weight in layer.weights)
        known.setdefault(layer.name, set()).add((_kind(layer), weighs))
    names = {node.address: unnumbered(node.name) for node in graph.nodes}
    nodes = [node for node in graph.nodes if names[node.address] in known]
    return [n.address for n in nodes if (n.kind, n.parameters) not in known[names[n.address]]]


def unnumbered(address: str) -> str:
    """Return an address without the numbers of repeated calls, and of inputs that nobody named."""
    return re.sub(r"#\d+", "", re.sub(r"^input_layer(_\d+)?$", "input", address))


def outlined(graph: nx.DiGraph, models: set[str]) -> nx.DiGraph:
    """Return the package's graph without what happens inside layers: of that, Keras keeps no record."""

    def seen(address: str) -> str:
        parent = graph.nodes[address]["parent"]
        inside = seen(parent) if parent else ""
        return address if unnumbered(inside) in models else inside

    outer = nx.DiGraph()
    for address, given in graph.nodes(data=True):
        if seen(address) == address:
            outer.add_node(address, path=unnumbered(address), **given)
    ends = ((seen(a), seen(b)) for a, b in graph.edges)
    outer.add_edges_from((a, b) for a, b in ends if a != b)
    return outer
