"""What flows where in a graph: the edges of each level, an order, and loops."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable
from typing import TypeVar

from ..model_graph import Graph, Node
from .graph_groups import enclosing

T = TypeVar("T", bound=Hashable)


def edges_by_level(graph: Graph, nodes: dict[str, Node]) -> dict[str, set[tuple[str, str]]]:
    """Return the edges between the calls inside each call; those into and out of it are left out."""
    chains = {address: (*enclosing(nodes, address), address) for address in nodes}
    edges: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for edge in graph.edges:
        if edge.source not in chains or edge.target not in chains:
            continue
        parent = ""
        for source, target in zip(chains[edge.source], chains[edge.target], strict=False):
            if source != target:
                edges[parent].add((source, target))
                break
            parent = source
    return edges


def in_order(items: Iterable[T], edges: Iterable[tuple[T, T]]) -> list[T]:
    """Return the items, each after those that feed it, else as given; less what is behind a loop."""
    place = {item: i for i, item in enumerate(items)}
    follow: dict[T, list[T]] = defaultdict(list)
    waiting = Counter(target for _, target in edges)
    for source, target in edges:
        follow[source].append(target)
    ready = [(i, item) for item, i in place.items() if not waiting[item]]
    done = []
    while ready:
        _, item = heapq.heappop(ready)
        done.append(item)
        for target in follow[item]:
            waiting[target] -= 1
            if not waiting[target]:
                heapq.heappush(ready, (place[target], target))
    return done


def in_loops(items: Iterable[T], edges: Collection[tuple[T, T]]) -> set[T]:
    """Return the items that feed themselves, or lie between two such."""
    everything = dict.fromkeys(items)
    back = [(target, source) for source, target in edges]
    return set(everything).difference(in_order(everything, edges), in_order(everything, back))
