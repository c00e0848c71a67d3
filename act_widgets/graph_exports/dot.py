"""A graph in Graphviz' language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..keys import resolve
from .members import TOP, UNKNOWN, members

if TYPE_CHECKING:
    from ..model_graph import Graph, Node


def to_dot(graph: Graph, notes: Mapping[str, str]) -> str:
    """Return `graph` as DOT, `notes` being further lines of nodes; see `Graph.to_dot`."""
    return _Dot(graph, notes).text()


class _Dot:
    """Writes one graph; nodes get numbers for names, so that only labels hold foreign text."""

    def __init__(self, graph: Graph, notes: Mapping[str, str]) -> None:
        self.graph = graph
        self.numbers = {node.address: i for i, node in enumerate(graph.nodes)}
        self.inside = members(graph)
        self.joined = {address for edge in graph.edges for address in (edge.source, edge.target)}
        self.notes = {resolve(address, tuple(self.numbers)): note for address, note in notes.items()}

    def text(self) -> str:
        lines = [f"digraph {_quoted(self.graph.name)} {{", '  charset="UTF-8"; rankdir=TB;']
        lines.append("  node [shape=box, style=rounded, fontname=Helvetica, fontsize=11];")
        lines += self._level(self.inside.get(TOP, []), "  ")
        ends = [(self.numbers.get(e.source), self.numbers.get(e.target)) for e in self.graph.edges]
        lines += [f"  n{s} -> n{t};" for s, t in ends if s is not None and t is not None]
        return "\n".join([*lines, "}\n"])

    def _level(self, nodes: list[Node], indent: str) -> list[str]:
        lines = []
        for node in nodes:
            if node.address in self.inside:
                lines += self._cluster(node, indent)
            else:
                lines.append(self._node(node, node.kind, indent))
        return lines

    def _cluster(self, node: Node, indent: str) -> list[str]:
        deeper = indent + "  "
        label = _quoted(f"{node.name} ({node.kind})")
        lines = [
            f"{indent}subgraph cluster_{self.numbers[node.address]} {{",
            f"{deeper}label={label}; tooltip={_tooltip(node)}; style=rounded;",
            *self._level(self.inside[node.address], deeper),
        ]
        if node.address in self.joined or node.address in self.notes:
            lines.append(self._node(node, "output of", deeper))
        return [*lines, f"{indent}}}"]

    def _node(self, node: Node, first_line: str, indent: str) -> str:
        lines = (first_line, node.name, node.shape_text, self.notes.get(node.address, ""))
        label = _quoted("\n".join(filter(None, lines)))
        return f"{indent}n{self.numbers[node.address]} [label={label}, tooltip={_tooltip(node)}];"


# What can't be in a text that is encoded as UTF-8 and drawn: control characters, half surrogates.
_UNPRINTABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def _quoted(text: str) -> str:
    """Return `text` as a DOT string that shows it as it is; Graphviz reads ``&`` as HTML does."""
    text = _UNPRINTABLE.sub(UNKNOWN, text)
    for special, escaped in (("\\", "\\\\"), ('"', '\\"'), ("&", "&amp;"), ("\n", "\\n")):
        text = text.replace(special, escaped)
    return f'"{text}"'


def _tooltip(node: Node) -> str:
    """Return a node's address as a DOT string: Graphviz takes backslashes out of tooltips twice."""
    return _quoted(node.address.replace("\\", "\\\\"))
