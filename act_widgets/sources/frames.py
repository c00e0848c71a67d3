"""Calls under way: where they stand, and what is inside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .libraries import is_a
from .operations import Entry


@dataclass
class Frame:
    """A call that is under way: what its inner calls are named after.

    Attributes
    ----------
    address : str
        Where it stands in the model.
    operation : operation
        What is called.
    is_loop : bool
        Whether it, or a call around it, calls its inner layers once per time step.
    listens : bool
        Whether its author's own code is running.
    counts : dict of str to int
        How often each name was given away.
    entries : list of Entry
        What it computed without a layer.
    made : list of range
        The operations of each of its inner calls, by their places in the graph.
    """

    address: str
    operation: Any = None
    is_loop: bool = False
    listens: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    made: list[range] = field(default_factory=list)

    @cached_property
    def operations(self) -> frozenset[int]:
        """What was put into the model when it was built."""
        return frozenset(map(id, getattr(self.operation, "operations", None) or ()))

    def inner(self, name: str) -> str:
        """Return the address of the next inner call of this name."""
        nth = self.counts[name] = self.counts.get(name, 0) + 1
        last = name if nth == 1 else f"{name}#{nth}"
        if nth > 1:
            if last in self.counts:  # a layer may itself be called "conv#2"
                return self.inner(name)
            self.counts[last] = 1
        return f"{self.address}/{last}" if self.address else last

    def own(self, places: range) -> Sequence[int]:
        """Return which of these places do not belong to an inner call."""
        inner = [made for made in self.made if made.start in places]
        return [place for place in places if not any(place in made for made in inner)]


def is_loop(operation: Any) -> bool:
    """Whether a layer calls its cell in a loop; one that is unrolled calls it step by step."""
    return is_a(operation, "RNN", "ConvRNN") and not getattr(operation, "unroll", False)
