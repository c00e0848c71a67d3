"""What is measured of each call of a model, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ..keys import Target
from ..model_graph import SCOPE, Graph, Node
from ..reading.reader import Reader

HIGH = "high"
GIVEN = "it is given to the model, not computed"


@dataclass(frozen=True)
class Measured:
    """A number for each call of a model.

    Attributes
    ----------
    name : str
        The measure's.
    values : mapping of str to float
        By the address of a node of the graph, in call order; all are finite. Calls that hold others
        have a value of their own. In the measure's unit.
    total : float or None
        Of the whole model; None where there is none.
    words : str
        What was measured on what.
    missing : mapping of str to str
        Nodes without a value, with the reason.
    """

    name: str
    values: Mapping[str, float]
    total: float | None
    words: str
    missing: Mapping[str, str]

    @property
    def nbytes(self) -> int:
        """Roughly the size in memory, for a cache."""
        return 64 * (len(self.values) + len(self.missing))


class Partial(NamedTuple):
    """A measurement as far as it is known."""

    result: Measured
    share: float = 1.0
    words: str = ""


@dataclass(frozen=True)
class Asked:
    """What is measured.

    Attributes
    ----------
    reader : Reader
        The model and its batch.
    sample : int
        Number of the sample.
    target : int or Target
        What is explained.
    """

    reader: Reader
    sample: int
    target: int | Target

    @property
    def graph(self) -> Graph:
        """The model's calls."""
        return self.reader.graph()


@dataclass(frozen=True)
class Measure:
    """Something that each call of a model has a number of.

    Attributes
    ----------
    name, title : str
        As in the call, and for a menu.
    unit : str
        Of the values: ``"ms"``, ``"bytes"``, ``"%"``, ...; empty for plain numbers.
    about : str
        What is measured, and how, in a sentence.
    run : callable
        Measures, step by step; the last step has a share of 1.
    worst : str
        ``"high"``: the call with the largest value is the one to go to.
    per_sample, per_target : bool
        Whether the values are those of one sample, and of what is explained.
    is_kept : bool
        Whether it is measured once, until the weights change.
    """

    name: str
    title: str
    unit: str
    about: str
    run: Callable[[Asked], Iterator[Partial]]
    worst: str = HIGH
    per_sample: bool = False
    per_target: bool = False
    is_kept: bool = False


def at_once(compute: Callable[[Asked], Measured]) -> Callable[[Asked], Iterator[Partial]]:
    """Return a measurement that has a single step."""

    def run(asked: Asked) -> Iterator[Partial]:
        yield Partial(compute(asked))

    return run


def is_given(reader: Reader, node: Node) -> bool:
    """Whether a node is an input."""
    return node.kind == "Input" or node.address in reader.input_addresses


def innermost(graph: Graph) -> list[Node]:
    """Return the calls that hold no others, and operations of raw graphs that are named as their scope."""
    if any(node.kind == SCOPE for node in graph.nodes):
        return [node for node in graph.nodes if node.kind != SCOPE]
    holding = {node.parent for node in graph.nodes}
    return [node for node in graph.nodes if node.address not in holding]
