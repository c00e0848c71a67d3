"""The input as it lies under a map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..rendering import pictures
from .surface import Sheet


@dataclass(frozen=True)
class Ground:
    """A picture of the input.

    Attributes
    ----------
    rgb : (height, width, 3) uint8 ndarray
        The picture.
    sheet : Sheet
        The same, to be sent once.
    """

    rgb: np.ndarray
    sheet: Sheet


def ground_of(photo: np.ndarray, colours: str) -> Ground:
    """Return a photo as the ground of a map in these colours: grey where hues tell signs."""
    rgb = pictures.ground(photo, colours)
    return Ground(rgb, Sheet(pictures.png_of(rgb)))
