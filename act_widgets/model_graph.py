"""The model as a graph: calls are nodes, tensors between them are edges."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from .graph_exports.digraph import to_networkx
from .graph_exports.dot import to_dot
from .graph_exports.table import to_table, totals

SCOPE = "Scope"
"""Kind of the nodes that stand for a name scope of TensorFlow."""


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

    @property
    def shape_text(self) -> str:
        """The shape, batch axis first, as ``? × 8 × 16``; empty for a scalar."""
        return " × ".join("?" if n is None else str(n) for n in self.shape)


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
    parameters : int or None
        Number of weights of the model, those of shared layers counted once; None if not known.
    """

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    parameters: int | None = None

    def __repr__(self) -> str:
        return f"Graph {self.name!r}: {totals(self)}"

    def summary(self, width: int | None = None) -> str:
        """Return the graph as a table of text, a row for each call.

        Inner calls are indented under their group. The last column names what a call is fed by:
        neighbours by name, calls of other groups by a slash and their address. The total counts
        the weights of shared layers once.

        Parameters
        ----------
        width : int, optional
            Cells in a line, 60 or more; longer names are cut. The console's width if left out, 100
            where there is no console.

        Returns
        -------
        str
            Lines without a last line break, to be printed.

        Raises
        ------
        InputError
            If `width` has no room for the columns.

        Examples
        --------
        >>> print(graph(model).summary())  # doctest: +SKIP
        """
        return to_table(self, width)

    def to_dot(self, notes: Mapping[str, str] | None = None) -> str:
        """Return the graph in Graphviz' language, groups of layers as nested clusters.

        Parameters
        ----------
        notes : mapping of str to str, optional
            A further line for nodes, by their addresses or unique ends of them.

        Returns
        -------
        str
            Give it to ``dot``, or save it as UTF-8. A group's own node, which stands for its
            output, lies inside its cluster; a group that no edge leads to or from has none.

        Raises
        ------
        UnknownLayerError
            If a note is for no node of the graph.

        Examples
        --------
        >>> pathlib.Path("model.dot").write_text(graph(model).to_dot(), "utf-8")  # doctest: +SKIP
        """
        return to_dot(self, notes or {})

    def to_networkx(self) -> Any:
        """Return the graph as networkx knows them, for paths, orders and other questions.

        Returns
        -------
        networkx.DiGraph
            Nodes are addresses, with the attributes of `Node` and ``name``; groups are in ``parent``.
            The graph's own attributes are ``name`` and ``parameters``.

        Raises
        ------
        ImportError
            If networkx is not installed.

        Examples
        --------
        >>> networkx.ancestors(graph(model).to_networkx(), "block5_conv3")  # doctest: +SKIP
        """
        return to_networkx(self)

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
