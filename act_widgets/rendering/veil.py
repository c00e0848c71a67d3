"""Which numbers lie in a chosen range, and how pictures and lines tell them from the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from .palettes import CHART, DOWN, GROUND, UP
from .pictures import Picture, encoded

Range = tuple[float, float]

# Some colour maps begin with black and one is grey: stripes tell what is dimmed from what is dark itself.
_CLEAR, _DARK, _STRIPE, _FAINT = range(4)
_COLOURS = ((0, 0, 0, 0), (8, 8, 8, 208), (104, 104, 104, 208), (196, 196, 196, 255))
_STRIPES_EVERY = 8


@dataclass(frozen=True)
class Veil:
    """What lies over a picture, clear where its numbers are lit.

    Attributes
    ----------
    indices : (height, width) uint8
        What is over each pixel.
    """

    indices: np.ndarray

    def png(self) -> bytes:
        """Return it as an indexed PNG, clear and half clear where it is so."""
        image = Image.fromarray(self.indices)  # mode L: indices become palette entries below
        image.putpalette([level for colour in _COLOURS for level in colour[:3]])
        return encoded(image, transparency=bytes(colour[3] for colour in _COLOURS))

    def over(self, rgb: np.ndarray) -> np.ndarray:
        """Return a picture of the same size under it, ``(height, width, 3) uint8``."""
        colours = np.array(_COLOURS, np.float32)[self.indices]
        share = colours[..., 3:] / 255
        return (rgb * (1 - share) + colours[..., :3] * share + 0.5).astype(np.uint8)


def lit(values: np.ndarray, chosen: Range) -> np.ndarray:
    """Return which numbers lie in a range, both ends included. NaN never does.

    Parameters
    ----------
    values : ndarray
        Real numbers of any kind. They are compared as they are, not rounded to a colour.
    chosen : tuple of float
        The lowest and the highest number.
    """
    # Not Python's numbers: NumPy would round those to the values' dtype.
    low, high = np.float64(chosen[0]), np.float64(chosen[1])
    return (values >= low) & (values <= high)


def lit_pieces(values: np.ndarray, chosen: Range | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the pieces of a line that go through numbers in a range, half a step to either side.

    Parameters
    ----------
    values : (length,) ndarray
        The numbers along the line.
    chosen : tuple of float or None
        The lowest and the highest number; None for no piece.

    Returns
    -------
    tuple of ndarray
        Places along the line and values there; a value of NaN between two pieces.
    """
    places = np.flatnonzero(lit(values, chosen)) if chosen else np.zeros(0, int)
    line, last = values.astype(np.float64), len(values) - 1
    here, none = line[places], np.full(len(places), np.nan)
    before, after = line[np.maximum(places - 1, 0)], line[np.minimum(places + 1, last)]
    before, after = (np.where(np.isfinite(near), near, here) for near in (before, after))
    start, stop = np.maximum(places - 0.5, 0), np.minimum(places + 0.5, last)
    x = np.stack([start, places, stop, stop], 1).ravel()
    y = np.stack([(before + here) / 2, here, (after + here) / 2, none], 1).ravel()
    return x[:-1], y[:-1]  # bqplot fails on a line whose last point is none


def veil_over(picture: Picture, dim: np.ndarray, height: int, width: int) -> Veil:
    """Return what dims some pixels of a picture that is drawn in another size.

    Maps get darker and striped, bars and lines pale. The ground stays as it is.

    Parameters
    ----------
    picture : Picture
        What is dimmed.
    dim : bool ndarray
        Which pixels are dimmed, in the shape of the picture.
    height, width : int
        Pixels of the drawing.
    """
    is_chart = picture.colours == CHART
    inked = np.isin(picture.indices, (UP, DOWN)) if is_chart else picture.indices != GROUND
    rows, columns = (_nearest(n, m) for n, m in zip((height, width), dim.shape, strict=True))
    over = (dim & inked)[rows][:, columns]
    if is_chart:
        return Veil(np.where(over, _FAINT, _CLEAR).astype(np.uint8))
    return Veil(np.where(over, _striped(height, width), _CLEAR).astype(np.uint8))


def _striped(height: int, width: int) -> np.ndarray:
    slant = np.add.outer(np.arange(height), np.arange(width)) % _STRIPES_EVERY
    return np.where(slant < _STRIPES_EVERY // 4, _STRIPE, _DARK)


def _nearest(length: int, count: int) -> np.ndarray:
    """Return which of `count` pixels each of `length` shows when a picture is drawn in another size."""
    return ((np.arange(length) + 0.5) * count / length).astype(int)
