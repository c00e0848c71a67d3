"""The model as a graph: calls are nodes, tensors between them are edges."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Node:
    """One call in the model.

    Attributes
    ----------
    address : str
        Address of the call, as everywhere in the public interface.
    kind : str
        Class name of the layer or operation; ``Input`` for what the model is given.
    shape : tuple of (int or None)
        Shape of the first output, batch axis first.
    parameters : int
        Number of weights of the layer, those of its inner layers included.
    parent : str
        Address of the call that this one happened inside; empty at the top.
    tap : str
        Address of the first output, to be selected by a click; empty if it can't be looked at.
    """

    address: str
    kind: str
    shape: tuple[int | None, ...] = ()
    parameters: int = 0
    parent: str = ""
    tap: str = ""

    @property
    def name(self) -> str:
        """Last part of the address."""
        return self.address.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Edge:
    """A tensor that went from one call into another."""

    source: str
    target: str


@dataclass(frozen=True)
class Graph:
    """A model's calls and the tensors between them.

    Attributes
    ----------
    name : str
        The model's name.
    nodes : tuple of Node
        In call order. A call that holds others comes after them: its output is theirs.
    edges : tuple of Edge
        Between addresses of nodes, in the order of their targets.
    """

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def to_dot(self) -> str:
        """Return the graph in Graphviz' language, groups of layers as nested clusters.

        Returns
        -------
        str
            Give it to ``dot``, or save it as UTF-8. A group's own node, which stands for its
            output, lies inside its cluster.
        """
        return _Dot(self).text()

    def to_svg(self, opened: Collection[str] | None = None, fold: bool = True) -> str:
        """Return the graph as an SVG picture that needs no other program or file.

        Parameters
        ----------
        opened : collection of str, optional
            Addresses of the groups that show their layers; all of them if left out.
        fold : bool, optional
            Draw normalisations, activations, paddings and dropouts as thin rows under the
            layer that they alone follow.
        """
        # Imported here because this module is shared by all and must cost nothing, while
        # rendering knows graphs, and loads the layout library.
        from .rendering.graph_svg import graph_to_svg

        return graph_to_svg(self, opened, fold)


class _Dot:
    """Writes one graph; nodes get numbers for names, so that only labels hold foreign text."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.numbers = {node.address: i for i, node in enumerate(graph.nodes)}
        self.inside: dict[str, list[Node]] = {}
        for node in graph.nodes:
            parent = node.parent if node.parent in self.numbers else ""
            self.inside.setdefault(parent, []).append(node)

    def text(self) -> str:
        lines = [f"digraph {_quoted(self.graph.name)} {{", '  charset="UTF-8"; rankdir=TB;']
        lines.append("  node [shape=box, style=rounded, fontname=Helvetica, fontsize=11];")
        lines += self._level(self.inside.get("", []), "  ")
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
        return [
            f"{indent}subgraph cluster_{self.numbers[node.address]} {{",
            f"{deeper}label={label}; style=rounded;",
            *self._level(self.inside[node.address], deeper),
            self._node(node, "output of", deeper),
            f"{indent}}}",
        ]

    def _node(self, node: Node, first_line: str, indent: str) -> str:
        sizes = " × ".join("?" if n is None else str(n) for n in node.shape)
        label = _quoted("\n".join(filter(None, (first_line, node.name, sizes))))
        return f"{indent}n{self.numbers[node.address]} [label={label}, tooltip={_quoted(node.address)}];"


# What can't be in a text that is encoded as UTF-8 and drawn: control characters, half surrogates.
_UNPRINTABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def _quoted(text: str) -> str:
    """Return `text` as a DOT string that shows it as it is; Graphviz reads ``&`` as HTML does."""
    text = _UNPRINTABLE.sub("\ufffd", text)
    for special, escaped in (("\\", "\\\\"), ('"', '\\"'), ("&", "&amp;"), ("\n", "\\n")):
        text = text.replace(special, escaped)
    return f'"{text}"'
