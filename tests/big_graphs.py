"""Large graphs, as a tracer would find them in a graph of operations."""

from __future__ import annotations

import itertools
import random

from act_widgets.model_graph import Edge, Graph, Node

KINDS = ("MatMul", "BiasAdd", "Relu", "Mul", "AddV2", "Rsqrt", "Sub", "Reshape", "Transpose", "Softmax")


def chain(length: int) -> Graph:
    """One dense layer after the other."""
    nodes = [Node("input", "Input", (None, 4), tap="input")]
    names = [f"dense_{i}" for i in range(length)]
    nodes += [Node(name, "Dense", (None, 4), 20, tap=name) for name in names]
    return Graph(
        "chain", tuple(nodes), tuple(Edge(a.address, b.address) for a, b in itertools.pairwise(nodes))
    )


def scopes(sizes: list[int], inside: int = 10) -> Graph:
    """Operations in name scopes, one after the other; each scope of more than `inside` is not divided.

    An operation reads the one before it and, every third time, one of the forty before that; a scope of
    `inside` or less is one of several in an outer scope.
    """
    draw = random.Random(0)
    nodes, edges, before = [Node("input", "Placeholder", (None, 64), tap="input")], [], ["input"]
    for number, size in enumerate(sizes):
        scope = f"model/block_{number}" if size > inside else f"model/part_{number // inside}/block_{number}"
        for i in range(size):
            address = f"{scope}/op_{i}"
            nodes.append(Node(address, KINDS[i % len(KINDS)], (None, 64), 0, scope, address))
            read = {before[-1], draw.choice(before[-40:])} if i % 3 == 0 else {before[-1]}
            edges += [Edge(source, address) for source in sorted(read)]
            before.append(address)
        nodes.append(Node(scope, "Scope", (), 0, scope.rpartition("/")[0]))
    known = {node.address for node in nodes}
    outer = {node.parent for node in nodes} - known - {""}
    nodes += [Node(a, "Scope", (), 0, a.rpartition("/")[0]) for a in sorted(outer - {"model"}, reverse=True)]
    return Graph("operations", (*nodes, Node("model", "Scope")), tuple(edges))
