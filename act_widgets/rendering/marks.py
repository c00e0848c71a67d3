"""Marks that tell classes apart, by colour and by shape, for readers who do not see all hues too."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

import numpy as np

# Of Okabe and Ito, seen on light and on dark ground: orange and sky blue are darker than theirs.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#c18400", "#2a98d4")
_OTHERS = "#8c8c8c"
# Classes that have a mark of their own.
MOST = 20


class Mark(NamedTuple):
    """How a point looks.

    Attributes
    ----------
    colour : str
        As in CSS.
    outline : tuple of (float, float)
        The corners about the middle; a disc has a radius of 1, and all have its area, roughly.
    """

    colour: str
    outline: tuple[tuple[float, float], ...]


def _regular(corners: int, radius: float, turn: float = 0.0) -> tuple[tuple[float, float], ...]:
    angles = np.arange(corners) * 2 * np.pi / corners + turn
    return tuple(zip((radius * np.sin(angles)).tolist(), (-radius * np.cos(angles)).tolist(), strict=True))


def _cross(turn: float) -> tuple[tuple[float, float], ...]:
    arm, half = 1.25, 0.42
    corners = ((half, arm), (half, half), (arm, half))
    around = [
        (x * a - y * b, x * b + y * a) for a, b in ((1, 0), (0, 1), (-1, 0), (0, -1)) for x, y in corners
    ]
    order = np.argsort([np.arctan2(y, x) for x, y in around])
    across, down = np.cos(turn), np.sin(turn)
    return tuple(
        (float(x * across - y * down), float(x * down + y * across)) for x, y in (around[i] for i in order)
    )


_DISC = _regular(24, 1.0)
# A prime number of shapes: with six colours no pair comes twice before the 42nd.
_SHAPES = (
    _DISC,
    _regular(4, 1.25, np.pi / 4),
    _regular(3, 1.45),
    _regular(4, 1.35),
    _cross(0.0),
    _regular(3, 1.45, np.pi),
    _cross(np.pi / 4),
)
OTHERS = Mark(_OTHERS, tuple((0.7 * x, 0.7 * y) for x, y in _DISC))


def mark(place: int) -> Mark:
    """Return the mark of the class at a place in the legend; from `MOST` on all have the same."""
    if place >= MOST:
        return OTHERS
    return Mark(_COLOURS[place % len(_COLOURS)], _SHAPES[place % len(_SHAPES)])


class Entry(NamedTuple):
    """A line of the legend: a mark, what it stands for, and how many points have it."""

    mark: Mark
    name: str
    points: int

    def html(self) -> str:
        """Return the line as HTML."""
        corners = " ".join(f"{x:.3g},{y:.3g}" for x, y in self.mark.outline)
        shape = f'<polygon fill="{self.mark.colour}" points="{corners}"/>'
        return (
            f'<span role="listitem"><svg viewBox="-1.6 -1.6 3.2 3.2" aria-hidden="true">{shape}</svg>'
            f'<bdi title="{escape(self.name)}">{escape(self.name)}</bdi>&nbsp;'
            f"<small>({self.points:,})</small></span>"
        )


def html(title: str, entries: list[Entry]) -> str:
    """Return a legend as HTML."""
    items = "".join(entry.html() for entry in entries)
    return (
        f'<div class="aw-marks"><strong>{escape(title)}</strong>'
        f'<div role="list" aria-label="{escape(title)}">{items}</div></div>'
    )
