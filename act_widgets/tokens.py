"""Fold the tokens of a vision transformer back into the grid of patches that they were cut from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

# Class and distillation tokens stand before the patches.
_MOST_EXTRA = 2


@dataclass(frozen=True)
class Grid:
    """How tokens lie in the picture.

    Attributes
    ----------
    extra : int
        Tokens before the patches: they have no place and are left out.
    rows, columns : int
        The grid of patches.
    """

    extra: int
    rows: int
    columns: int

    def folded(self, values: np.ndarray) -> np.ndarray:
        """Return ``(tokens, ...)`` as ``(rows, columns, ...)``."""
        return values[self.extra :].reshape(self.rows, self.columns, *values.shape[1:])

    @property
    def tokens(self) -> int:
        """Number of tokens, those without a place among them."""
        return self.extra + self.rows * self.columns


def grid_of(tokens: int, pictures: Iterable[tuple[int, int]]) -> Grid | None:
    """Return how so many tokens fill one of some pictures by square patches, or None if they do not.

    Parameters
    ----------
    tokens : int
        Their number, class tokens included.
    pictures : iterable of (int, int)
        Heights and widths.
    """
    for height, width in pictures:
        for extra in range(_MOST_EXTRA + 1):
            patches = tokens - extra
            side = round((height * width / patches) ** 0.5) if patches > 1 else 0
            if side > 1 and (height // side) * (width // side) == patches:
                return Grid(extra, height // side, width // side)
    return None
