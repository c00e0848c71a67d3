"""A graph as a table of text, for a console."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import InputError
from .members import TOP, UNKNOWN, members

if TYPE_CHECKING:
    from ..model_graph import Graph, Node

NARROWEST = 60
_NO_CONSOLE = (100, 24)
_INDENT = "  "
_GAP = "  "


def to_table(graph: Graph, width: int | None = None) -> str:
    """Return `graph` as lines of at most `width` cells; see `Graph.summary`."""
    if width is None:
        width = max(shutil.get_terminal_size(_NO_CONSOLE).columns, NARROWEST)
    if width < NARROWEST:
        raise InputError(
            f"The table's columns do not fit. Received: width={width}. Expected: {NARROWEST} or more."
        )
    rows = list(_rows(graph))
    columns = [[column.heading, *(column.text(row) for row in rows)] for column in _COLUMNS]
    widths = _shared_out([max(map(cells, texts)) for texts in columns], width)
    lines = [
        _GAP.join(
            column.fit(text, room) for column, text, room in zip(_COLUMNS, texts, widths, strict=True)
        ).rstrip()
        for texts in zip(*columns, strict=True)
    ]
    rule = "─" * max(map(cells, lines))
    return "\n".join(
        [cut(printable(graph.name), width), rule, lines[0], rule, *lines[1:], rule, totals(graph)]
    )


def totals(graph: Graph) -> str:
    """Return how many nodes, groups, edges and parameters there are, in words."""
    holders = len(members(graph).keys() - {TOP})
    counts = [_counted(len(graph.nodes), "node"), _counted(len(graph.edges), "edge")]
    counts[0] += f" in {_counted(holders, 'group')}" if holders else ""
    if graph.parameters is not None:
        counts.append(_counted(graph.parameters, "parameter"))
    return ", ".join(counts)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


# --- rows ---


@dataclass(frozen=True)
class _Row:
    node: Node
    depth: int
    sources: Sequence[str]


def _rows(graph: Graph) -> Iterator[_Row]:
    """Yield a row for each node, a group before what is inside it."""
    inside = members(graph)
    parents = {node.address: parent for parent, nodes in inside.items() for node in nodes}
    sources: dict[str, list[str]] = {address: [] for address in parents}
    for edge in graph.edges:
        if {edge.source, edge.target} <= parents.keys():
            for address in _entered(edge.source, edge.target, parents):
                sources[address].append(_seen_from(address, edge.source, parents))

    def level(parent: str, depth: int) -> Iterator[_Row]:
        for node in inside.get(parent, ()):
            yield _Row(node, depth, tuple(dict.fromkeys(sources[node.address])))
            yield from level(node.address, depth + 1)

    return level(TOP, 0)


def _around(address: str, parents: dict[str, str]) -> list[str]:
    """Return `address` and the groups that it is in, innermost first."""
    chain = [address]
    while parents[chain[-1]] != TOP:
        chain.append(parents[chain[-1]])
    return chain


def _entered(source: str, target: str, parents: dict[str, str]) -> list[str]:
    """Return the target and the groups around it that the source is not in."""
    outside = set(_around(source, parents))
    return [address for address in _around(target, parents) if address not in outside]


def _seen_from(address: str, source: str, parents: dict[str, str]) -> str:
    """Return the name of a neighbour in the same group, the address after a slash of what is elsewhere."""
    if parents[source] == parents[address]:
        return source.rsplit("/", 1)[-1]
    return f"/{source}"


# --- columns ---


@dataclass(frozen=True)
class _Column:
    heading: str
    text: Callable[[_Row], str]
    fit: Callable[[str, int], str]


def _name(row: _Row) -> str:
    return _INDENT * row.depth + printable(row.node.name)


def _fit_name(text: str, room: int) -> str:
    name = text.lstrip(" ")
    indent = len(text) - len(name)
    indent = indent if cells(text) <= room else min(indent, room // 3)
    return padded(" " * indent + cut(name, room - indent, keep_end=True), room)


def _fit_left(text: str, room: int) -> str:
    return padded(cut(text, room), room)


def _fit_right(text: str, room: int) -> str:
    return text.rjust(room)


_COLUMNS = (
    _Column("layer", _name, _fit_name),
    _Column("kind", lambda row: printable(row.node.kind), _fit_left),
    _Column("output shape", lambda row: row.node.shape_text, _fit_left),
    _Column("parameters", lambda row: f"{row.node.parameters:,}", _fit_right),
    _Column("fed by", lambda row: printable(", ".join(row.sources)), _fit_left),
)
_NEVER_CUT = 3


def _shared_out(wanted: list[int], width: int) -> list[int]:
    """Return widths of the columns: the widest gives way first, numbers never do."""
    widths = [min(cells, width) for cells in wanted]
    while sum(widths) + len(_GAP) * (len(widths) - 1) > width:
        widest = max((i for i in range(len(widths)) if i != _NEVER_CUT), key=lambda i: widths[i])
        widths[widest] -= 1
    return widths


# --- text in cells of a console ---


def printable(text: str) -> str:
    """Return `text` in one line, what moves the console's cursor or turns its direction replaced."""
    return "".join(c if c.isprintable() else UNKNOWN for c in text)


def cells(text: str) -> int:
    """Return how many cells of a console `text` takes: two for a wide character, none for an accent."""
    return sum(map(_cells, text))


def _cells(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def cut(text: str, room: int, keep_end: bool = False) -> str:
    """Return `text` with its end, or its middle, replaced by ``…`` if it takes more than `room` cells."""
    if cells(text) <= room:
        return text
    behind = _end(text, (room - 1) // 2) if keep_end else ""
    return _start(text, room - 1 - cells(behind)) + "…" + behind


def _start(text: str, room: int) -> str:
    taken = 0
    for index, character in enumerate(text):
        taken += _cells(character)
        if taken > room:
            return text[:index]
    return text


def _end(text: str, room: int) -> str:
    end = _start(text[::-1], room)[::-1]
    while end and not _cells(end[0]):  # an accent whose letter is gone
        end = end[1:]
    return end


def padded(text: str, room: int) -> str:
    """Return `text` with spaces up to `room` cells."""
    return text + " " * (room - cells(text))
