"""Colours of a graph's boxes by a number that each layer has: scale, legend, and the worst first."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isfinite, log10
from typing import Any

from ..model_graph import Graph
from .graph_groups import enclosing, groups
from .layer_families import readable_ink
from .palettes import DIVERGING, LEVELS, palette

SEQUENTIAL = "viridis"
BLANK = "#cfcfcf"
# Values that span more powers of ten are shown on a logarithmic scale.
_DECADES = 3
_STOPS = 17
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True, eq=False)
class Tones:
    """What a measure says of the layers of a graph, as colours.

    Parameters
    ----------
    graph : Graph
    title, unit : str
        What is measured, and in what; the unit may be empty.
    values : mapping of str to float
        By the address of the call.
    missing : mapping of str to str
        Why other calls have no value.
    """

    graph: Graph
    title: str
    unit: str
    values: Mapping[str, float]
    missing: Mapping[str, str]

    @cached_property
    def leaves(self) -> dict[str, float]:
        """The finite values of all that is no group: a group's own would count its layers twice."""
        closed = set(groups(self.graph))
        hidden = {node.address for node in self.graph.nodes if node.parent and node.parent not in closed}
        known = {a: float(v) for a, v in self.values.items() if a not in closed | hidden}
        return {a: v for a, v in known.items() if isfinite(v)}

    @cached_property
    def is_signed(self) -> bool:
        """Whether there are values on both sides of 0, or below it."""
        return any(value < 0 for value in self.leaves.values())

    @cached_property
    def ranking(self) -> tuple[str, ...]:
        """Addresses of the leaves, the worst first: the highest; the furthest from 0 if some are below it."""
        order = {node.address: i for i, node in enumerate(self.graph.nodes)}
        return tuple(sorted(self.leaves, key=lambda a: (-self._weight(self.leaves[a]), order.get(a, 0))))

    @cached_property
    def is_logarithmic(self) -> bool:
        """Whether the values span more than three powers of ten."""
        positive = [v for v in self.leaves.values() if v > 0]
        return bool(positive) and not self.is_signed and max(positive) > 10**_DECADES * min(positive)

    @cached_property
    def range(self) -> tuple[float, float]:
        """The values at both ends of the scale."""
        values = list(self.leaves.values()) or [0.0]
        if self.is_signed:
            largest = max(map(abs, values))
            return -largest, largest
        return (min(v for v in values if v > 0) if self.is_logarithmic else 0.0), max(values)

    @cached_property
    def _worst_inside(self) -> dict[str, str]:
        nodes = {node.address: node for node in self.graph.nodes}
        worst: dict[str, str] = {}
        for address in reversed(self.ranking):
            for group in enclosing(nodes, address) if address in nodes else ():
                worst[group] = address
        return worst

    def fill(self, address: str) -> str:
        """Return the colour of a box; grey for what has no value."""
        leaf = self._leaf(address)
        return self._colour(self._share(self.leaves[leaf])) if leaf in self.leaves else BLANK

    def is_blank(self, address: str) -> bool:
        """Whether a box has no value."""
        return self._leaf(address) not in self.leaves

    def ink(self, address: str) -> str:
        """Return black or white, whichever reads better on the box."""
        return readable_ink(self.fill(address))

    def facts(self, address: str) -> list[tuple[str, str]]:
        """Return what is said of a call: its value, or why there is none; of a group the worst inside."""
        leaf = self._leaf(address)
        own = self.values.get(address)
        said = [(self.title, quantity(own, self.unit))] if own is not None else []
        if leaf != address:
            said += [("highest inside", f"{quantity(self.leaves[leaf], self.unit)}, {leaf}")]
        return said or [(self.title, self.missing.get(address, "no value"))]

    def scale(self) -> dict[str, Any]:
        """Return the legend: ``title``, ``colours`` from low to high, ``ticks`` of place and text."""
        words = [self.title + (f", {self.unit}" if self.unit not in ("", self.title) else "")]
        words += ["logarithmic scale"] if self.is_logarithmic else []
        words += ["a group shows the worst inside"] if self._worst_inside else []
        places = [i / (_STOPS - 1) for i in range(_STOPS)]
        ticks = [(share, quantity(self._at(share), "")) for share in (0, 0.5, 1)]
        return {
            "title": " · ".join(words),
            "colours": [self._colour(share) for share in places],
            "ticks": [list(tick) for tick in ticks],
        }

    def _leaf(self, address: str) -> str:
        return self._worst_inside.get(address, address)

    def _weight(self, value: float) -> float:
        return abs(value) if self.is_signed else value

    def _share(self, value: float) -> float:
        low, high = self.range
        if self.is_logarithmic:
            value, low, high = log10(max(value, low)), log10(low), log10(high)
        return min(max((value - low) / (high - low), 0.0), 1.0) if high > low else 0.0

    def _at(self, share: float) -> float:
        low, high = self.range
        return low * (high / low) ** share if self.is_logarithmic else low + (high - low) * share

    def _colour(self, share: float) -> str:
        table = palette(DIVERGING if self.is_signed else SEQUENTIAL)
        red, green, blue = table[round(share * (LEVELS - 1))].tolist()
        return f"#{red:02x}{green:02x}{blue:02x}"


def quantity(value: float, unit: str = "") -> str:
    """Return a number short enough for a legend, with its unit: ``3.54 M``, ``12 ms``."""
    factor, prefix = next(((f, p) for f, p in _PREFIXES if abs(value) >= max(f, 1e4)), (1.0, ""))
    unit = "B" if unit == "bytes" else unit
    scaled = value / factor
    digits = f"{scaled:,.0f}" if 1000 <= abs(scaled) < 1e4 else f"{scaled:.3g}"
    digits = digits.replace("e-0", "e-").replace("e+0", "e")
    return f"{digits} {prefix}{unit}".rstrip()


def shown_blank(tones: Tones, addresses: Collection[str]) -> bool:
    """Whether any of the boxes has no value."""
    return any(tones.is_blank(address) for address in addresses)
