"""What each axis of an activation is, and what is drawn of it: bars, lines or maps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..errors import InputError
from ..tokens import Grid

ACTIVATION, ATTENTION = "activation", "attention"

# One of these axes is spread over pictures: bars, lines or maps of their own. The first one counts.
_CHANNELS = ("channels", "features", "units", "heads")
PATCHES = "patches"
# What patches become when they are folded.
_FOLDED = ("rows", "columns")
_PLANES = (_FOLDED, ("height", "width"), ("queries", "keys"))
# Neighbours on these axes lie beside one another in no picture.
_NEVER_DRAWN = ("depth", "heads")

_STATED_GRID = re.compile(r"patches\s*\(\s*(\d+)\s*[×x]\s*(\d+)\s*\)")

_ONE = {
    "height": "row",
    "width": "column",
    "queries": "query",
    PATCHES: "patch",
}


@dataclass(frozen=True)
class Axes:
    """The role of each axis of one sample's activation.

    Attributes
    ----------
    roles : tuple of str
        One word for each axis, such as ``("time", "height", "width", "channels")``. Any word will do. Of
        ``channels``, ``features``, ``units`` and ``heads`` the first has a picture for each of its
        numbers; ``height`` and ``width``, ``queries`` and ``keys``, ``patches``, or else the last two
        others are drawn; what is left has a slider.
    grid : Grid or None
        How the axis with the role ``patches`` is folded into rows and columns.
    of : str
        What the axes belong to: the layer's ``"activation"``, or the ``"attention"`` weights in it.

    Raises
    ------
    InputError
        If two axes have the same role, or patches have no grid.
    """

    roles: tuple[str, ...]
    grid: Grid | None = None
    of: str = ACTIVATION

    def __post_init__(self) -> None:
        if len(set(self.roles)) < len(self.roles) or not all(self.roles):
            raise InputError(
                f"Each axis has a role of its own. Received: {self}. Expected: different words, "
                "such as 'time × height × width × channels'."
            )
        if (PATCHES in self.roles) != (self.grid is not None):
            raise InputError(
                f"Patches are folded by a grid. Received: {self}, grid={self.grid}. "
                f"Expected: one axis '{PATCHES}' and a grid, or neither."
            )

    def __str__(self) -> str:
        return " × ".join(self.roles) or "a single number"

    @property
    def words(self) -> str:
        """The roles for the screen, with the grid of patches."""
        grid = f"{PATCHES} ({self.grid.rows} × {self.grid.columns})" if self.grid else ""
        words = " × ".join(grid if role == PATCHES else role for role in self.roles)
        return f"attention: {words}" if self.of == ATTENTION else words or str(self)

    @cached_property
    def spread_axis(self) -> int | None:
        """Which axis has a picture for each of its numbers; None if there is a single picture."""
        return next((self.roles.index(role) for role in _CHANNELS if role in self.roles), None)

    @property
    def spread_role(self) -> str:
        """The role of that axis; empty if there is none."""
        return "" if self.spread_axis is None else self.roles[self.spread_axis]

    @property
    def has_channels(self) -> bool:
        """Whether its pictures are the channels of the layer, which controls choose."""
        return self.of == ACTIVATION and self.spread_axis is not None

    @cached_property
    def rest(self) -> tuple[str, ...]:
        """The roles in a picture and on sliders, in their order, patches folded."""
        return tuple(part for role in self._others for part in (_FOLDED if role == PATCHES else (role,)))

    @cached_property
    def _others(self) -> tuple[str, ...]:
        return tuple(role for i, role in enumerate(self.roles) if i != self.spread_axis)

    @cached_property
    def plane(self) -> tuple[str, ...]:
        """The roles of the axes that are drawn: none for bars, one for lines, two for maps."""
        rest = self.rest
        for pair in _PLANES:
            if len(rest) > 2 and set(pair) <= set(rest):
                return tuple(role for role in rest if role in pair)
        drawn = tuple(role for role in rest if role not in _NEVER_DRAWN)
        return (drawn or rest)[-2:]

    @property
    def is_spatial(self) -> bool:
        """Whether maps lie over a picture."""
        return set(self.plane) in (set(_FOLDED), {"height", "width"})

    @cached_property
    def sliders(self) -> tuple[str, ...]:
        """The roles of the axes of which one index is shown at a time."""
        return tuple(role for role in self.rest if role not in self.plane)

    def lengths(self, shape: tuple[int, ...]) -> dict[str, int]:
        """Return how long each axis in pictures and on sliders is, for ``(pictures, ...)`` of a shape."""
        lengths: dict[str, int] = {}
        for role, length in zip(self._others, shape[1:], strict=True):
            if role == PATCHES and self.grid is not None:
                lengths |= dict(zip(_FOLDED, (self.grid.rows, self.grid.columns), strict=True))
            else:
                lengths[role] = length
        return lengths

    def spread(self, activation: np.ndarray) -> np.ndarray:
        """Return one sample's activation as ``(pictures, ...)``, the other axes in their order."""
        if self.spread_axis is None:
            return activation[None]
        return np.moveaxis(activation, self.spread_axis, 0)

    def drawn(self, pictures: np.ndarray, places: Mapping[str, int]) -> np.ndarray:
        """Return what is drawn of ``(pictures, ...)`` where sliders stand at `places`.

        Returns
        -------
        (pictures,), (pictures, length) or (pictures, rows, columns) ndarray
            A view where possible.
        """
        if self.grid is not None:
            at = self._others.index(PATCHES) + 1
            folded = self.grid.folded(np.moveaxis(pictures, at, 0))
            pictures = np.moveaxis(folded, (0, 1), (at, at + 1))
        plane = self.plane
        return pictures[(slice(None), *(slice(None) if r in plane else places[r] for r in self.rest))]

    @property
    def remark(self) -> str:
        """How the axes lie where nobody expects it, and what is left out, in words."""
        if self.grid is None:
            return (
                ""
                if len(self.plane) < 2 or self.is_spatial
                else f"{self.plane[0]} down, {self.plane[1]} across"
            )
        lie = f"{self.grid.rows * self.grid.columns} patches lie as {self.grid.rows} × {self.grid.columns}"
        extra = self.grid.extra
        before = f"{extra} token{'s' if extra > 1 else ''} before them left out" if extra else ""
        return " · ".join(filter(None, [lie, before]))


def one_of(role: str) -> str:
    """Return what one index on an axis is called: ``channel`` of ``channels``, ``row`` of ``height``."""
    return _ONE.get(role, role[:-1] if role.endswith("s") and not role.endswith("ss") else role)


def read_axes(words: str, grid: Grid | None = None, shape: tuple[int, ...] = ()) -> Axes:
    """Return axes written as words: ``"time × channels"``, ``"time x channels"`` or ``"time, channels"``.

    ``"patches (4 × 8) × features"`` states the grid; `shape`, that of the activation, then tells how many
    tokens stand before the patches.
    """
    stated = _STATED_GRID.search(words)
    plain = _STATED_GRID.sub(PATCHES, words, 1).strip()
    roles = tuple(part for part in re.split(r"[\s,×]+", plain) if part != "x")
    if stated and PATCHES in roles[: len(shape)]:
        rows, columns = int(stated[1]), int(stated[2])
        grid = Grid(shape[roles.index(PATCHES)] - rows * columns, rows, columns)
    return Axes(roles, grid)
