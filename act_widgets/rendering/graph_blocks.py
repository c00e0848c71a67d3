"""Repeated blocks of a flat model, found by the layers' names and by what flows between them."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..model_graph import Graph, Node
from .block_names import Item, Tokens, is_index, item_of, pattern_of
from .block_tree import BLOCK, rebuilt, without_small_scopes
from .graph_flow import edges_by_level, in_loops, in_order
from .layer_families import is_minor

# So many layers beside each other can be taken in; of more, repeated blocks are drawn as one box each.
FEW = 40


@dataclass(frozen=True)
class _Block:
    """Items that are to become one, and the name of that."""

    name: str
    items: tuple[str, ...]
    prefix: Tokens = ()


def with_blocks(graph: Graph) -> Graph:
    """Return a graph in which blocks that repeat are calls of their own, which hold their layers.

    Only where more than `FEW` layers lie beside each other, normalisations and the like not
    counted. There, layers become a block whose names begin (or end) with the same words and number,
    such as ``conv2_block1``, if other numbers hold layers of the same classes. What has only Keras's
    own name, such as ``add_3``, belongs to the block that it leads around. Where names tell nothing,
    a block is what lies between two layers that everything passes, if it branches and is repeated.
    Nothing becomes a block that would feed itself by way of others.

    A name scope around a single operation gets that operation's kind: it is drawn as one.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    Graph
        With the same calls and edges; `parent` of some is a block. Blocks have the kind ``"Block"``, no tap,
        and addresses that no call has: ``conv2_block1_*``, ``*_3``, ``…mixed0`` (all up to ``mixed0``).
    """
    graph = without_small_scopes(graph)
    nodes = {node.address: node for node in graph.nodes}
    edges = edges_by_level(graph, nodes)
    levels: dict[str, list[Node]] = defaultdict(list)
    for node in graph.nodes:
        levels[node.parent if node.parent in nodes else ""].append(node)
    taken = set(nodes)
    parents: dict[str, str] = {}
    for parent, siblings in levels.items():
        _Level(parent, siblings, edges[parent], taken).find(parents)
    return rebuilt(graph, parents) if parents else graph


class _Level:
    """The calls inside one call, of which some become blocks."""

    def __init__(
        self, parent: str, siblings: Sequence[Node], edges: Iterable[tuple[str, str]], taken: set[str]
    ) -> None:
        self._parent = parent
        self._items = {node.address: item_of(node) for node in siblings}
        self._flows(edges)
        self._taken = taken

    def _flows(self, edges: Iterable[tuple[str, str]]) -> None:
        self._edges = frozenset(edges)
        self._place = {address: i for i, address in enumerate(self._items)}
        self._follow: dict[str, list[str]] = defaultdict(list)
        self._before: dict[str, list[str]] = defaultdict(list)
        for source, target in self._edges:
            self._follow[source].append(target)
            self._before[target].append(source)

    def find(self, parents: dict[str, str]) -> None:
        """Enter the block that each call or block is in, until few are left or nothing repeats."""
        ways: tuple[Callable[[], list[_Block]], ...] = (self._by_prefix, self._by_suffix, self._by_flow)
        while sum(not is_minor(item.kind) for item in self._items.values()) > FEW:
            before = len(self._items)
            for way in ways:
                blocks = self._without_loops(self._with_leading(way()))
                if blocks:
                    self._contract(blocks, parents)
                    break
            if len(self._items) == before:
                return

    def _by_prefix(self) -> list[_Block]:
        found: list[_Block] = []
        used: set[str] = set()
        longest = max(len(item.prefix) for item in self._items.values())
        for length in range(longest, 0, -1):
            named = [
                (item.prefix[:length], item.address)
                for item in self._items.values()
                if item.address not in used and len(item.prefix) > length and is_index(item.prefix, length)
            ]
            for key, members in self._alike(named):
                used.update(members)
                found.append(_Block("".join(key) + "_*", members, key))
        return self._widened(found)

    def _by_suffix(self) -> list[_Block]:
        named = [(item.suffix, item.address) for item in self._items.values() if item.suffix]
        return self._widened(
            [_Block("*" + self._common_end(members), members) for _, members in self._alike(named)]
        )

    def _by_flow(self) -> list[_Block]:
        """Return what lies between two items that everything passes, with the second of them."""
        regions = [region for region in self._regions()[1:] if len(region) > 1]
        kinds = Counter(map(self._kinds, regions))
        return [
            _Block("…" + region[-1].rpartition("/")[2], region)
            for region in regions
            if kinds[self._kinds(region)] > 1
        ]

    def _alike(self, named: Iterable[tuple[Tokens, str]]) -> list[tuple[Tokens, tuple[str, ...]]]:
        """Return those of one name that hang together, if those of another number have the same kinds."""
        by_name: dict[Tokens, list[str]] = defaultdict(list)
        for name, address in named:
            by_name[name].append(address)
        parts = [
            (name, part)
            for name, members in by_name.items()
            if len(members) > 1
            for part in self._connected(self._with_between(members))
            if sum(not is_minor(self._items[a].kind) for a in part) > 1
        ]
        patterns = Counter((pattern_of(name), self._kinds(part)) for name, part in parts)
        repeated = {pattern for (pattern, _), count in patterns.items() if count > 1}
        return [(name, part) for name, part in parts if pattern_of(name) in repeated]

    def _kinds(self, members: Iterable[str]) -> frozenset[str]:
        return frozenset(self._items[a].kind for a in members)

    def _with_between(self, members: Sequence[str]) -> list[str]:
        """Return the items and all between them that has no name of its own."""
        inside = set(members)
        between = self._reached(inside, self._follow) & self._reached(inside, self._before) - inside
        return sorted(inside | between, key=self._place.__getitem__)

    def _reached(self, members: set[str], edges: dict[str, list[str]]) -> set[str]:
        """Return what is reached from the items without passing any that has a name of its own."""
        found: set[str] = set()
        waiting = list(members)
        while waiting:
            fresh = {a for a in edges[waiting.pop()] if not self._items[a].prefix} - found
            found |= fresh
            waiting += fresh
        return found

    def _common_end(self, members: Sequence[str]) -> str:
        """Return what the names of the items end with: a number, and the words before it."""
        names = [item.prefix[::-1] for a in members if (item := self._items[a]).suffix]
        same = itertools.takewhile(lambda tokens: len(set(tokens)) == 1, zip(*names, strict=False))
        return "".join(tokens[0] for tokens in reversed(list(same)))

    def _connected(self, members: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the parts of `members` between which nothing flows directly."""
        part = {address: address for address in members}

        def find(address: str) -> str:
            while part[address] != address:
                part[address] = address = part[part[address]]
            return address

        for source, target in self._edges:
            if source in part and target in part:
                part[find(source)] = find(target)
        parts: dict[str, list[str]] = defaultdict(list)
        for address in members:
            parts[find(address)].append(address)
        return [tuple(addresses) for addresses in parts.values()]

    def _widened(self, blocks: list[_Block]) -> list[_Block]:
        """Return blocks with all of their regions, where no name says that something there is not theirs."""
        regions = {address: region for region in self._regions() for address in region}
        wide = []
        for block in blocks:
            around = {other for address in block.items for other in regions.get(address, (address,))}
            is_alone = not any(self._items[a].prefix for a in around.difference(block.items))
            items = tuple(sorted(around, key=self._place.__getitem__)) if is_alone else block.items
            wide.append(replace(block, items=items))
        return wide

    def _with_leading(self, blocks: list[_Block]) -> list[_Block]:
        """Return blocks with the activations and the like that lead into them alone from other blocks."""
        inside = {address: number for number, block in enumerate(blocks) for address in block.items}
        more: dict[int, list[str]] = defaultdict(list)
        for address, item in self._items.items():
            behind = {inside.get(t, -1) for t in self._follow[address]}
            before = {inside.get(s, -1) for s in self._before[address]}
            is_free = address not in inside and not item.prefix and is_minor(item.kind)
            if is_free and len(behind) == 1 and before and -1 not in behind | before:
                more[behind.pop()].append(address)
        place = self._place.__getitem__
        return [
            replace(block, items=tuple(sorted((*block.items, *more[number]), key=place)))
            for number, block in enumerate(blocks)
        ]

    def _regions(self) -> list[tuple[str, ...]]:
        """Return the items in parts that each end with one that everything passes."""
        order = in_order(self._items, self._edges)
        if len(order) < len(self._items):  # there are loops
            return []
        place = {address: i for i, address in enumerate(order)}
        reach = [0] * len(order)
        for source, target in self._edges:
            reach[place[source]] = max(reach[place[source]], place[target])
        regions, inside, furthest = [], [], 0
        for i, address in enumerate(order):
            inside.append(address)
            if furthest <= i:
                regions.append(tuple(inside))
                inside = []
            furthest = max(furthest, reach[i])
        return [*regions, tuple(inside)] if inside else regions

    def _without_loops(self, blocks: list[_Block]) -> list[_Block]:
        """Return the blocks apart from each other, less those that would feed themselves by way of others."""
        taken: set[str] = set()
        apart = []
        for block in blocks:
            if taken.isdisjoint(block.items):
                apart.append(block)
                taken.update(block.items)
        blocks = apart
        inside = {address: block for block in blocks for address in block.items}
        edges = self._joined(inside)
        looped = in_loops((inside.get(a, a) for a in self._items), edges)
        return [block for block in blocks if block not in looped]

    def _joined(self, inside: dict[str, _Block] | dict[str, str]) -> set[tuple[Any, Any]]:
        """Return the edges between items or what they are inside of."""
        edges = ((inside.get(s, s), inside.get(t, t)) for s, t in self._edges)
        return {(s, t) for s, t in edges if s != t}

    def _contract(self, blocks: list[_Block], parents: dict[str, str]) -> None:
        """Put each block in the place of its items."""
        start = f"{self._parent}/" if self._parent else ""
        inside: dict[str, str] = {}
        made: dict[str, Item] = {}
        for block in blocks:
            address = start + block.name
            while address in self._taken:
                address += "*"
            self._taken.add(address)
            inside.update(dict.fromkeys(block.items, address))
            made[block.items[-1]] = Item(address, BLOCK, block.prefix)
            parents[address] = self._parent
        parents.update(inside)
        kept = (made.get(a, item) for a, item in self._items.items() if a in made or a not in inside)
        self._items = {item.address: item for item in kept}
        self._flows(self._joined(inside))
