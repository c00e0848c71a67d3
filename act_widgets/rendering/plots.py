"""Bars and lines as tiles of a picture, so that they are shown, clicked and read as maps are.

Tiles are ``uint8`` indices into the palette of charts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .palettes import DOWN, GROUND, NOT_FINITE, UP, ZERO
from .pictures import Scale

# Pixels of a line along each step at the least, so that slopes are not stairs.
_FINE = 4


def with_zero(scale: Scale) -> Scale:
    """Return a scale that reaches to zero, from which bars start."""
    return Scale(min(0.0, scale.low), max(0.0, scale.high))


def bars(values: np.ndarray, scale: Scale, height: int, width: int) -> np.ndarray:
    """Return an upright bar for each value, from zero up or down.

    Parameters
    ----------
    values : (n,) ndarray
        Real numbers; those that are not finite fill their tile.
    scale : Scale
        Values at the bottom and at the top; zero among them.
    height, width : int
        Pixels of a tile; the last column and some rows stay empty.

    Returns
    -------
    (n, height, width) uint8
    """
    zero, ends = _rows(np.zeros(1), scale, height)[0], _rows(values, scale, height)
    rows = np.arange(height)
    ends = ends[:, None]
    up, down = (rows < zero) & (rows >= ends), (rows > zero) & (rows <= ends)
    column = np.full((len(values), height), GROUND, np.uint8)
    column[:, zero] = ZERO
    column[up], column[down] = UP, DOWN
    column[~np.isfinite(values)] = NOT_FINITE
    tiles = column[:, :, None].repeat(width, 2)
    if width > 2:
        tiles[:, :, -1] = GROUND
        tiles[:, zero, -1] = ZERO
    return tiles


def lines(values: np.ndarray, scales: Sequence[Scale], height: int, width: int) -> np.ndarray:
    """Return a line for each row of values, left to right; what is not finite is a stripe.

    Parameters
    ----------
    values : (n, length) ndarray
        Real numbers.
    scales : sequence of Scale
        For each line the values at the bottom and at the top.
    height, width : int
        Pixels of a tile.

    Returns
    -------
    (n, height, width) uint8
    """
    tiles = np.full((len(values), height, width), GROUND, np.uint8)
    rows = np.arange(height)[:, None]
    for tile, line, scale in zip(tiles, values, scales, strict=True):
        if scale.low <= 0 <= scale.high:
            tile[_rows(np.zeros(1), scale, height)[0]] = ZERO
        top, bottom = _reach(_rows(np.where(np.isfinite(line), line, np.nan), scale, height), width)
        stroke = (rows >= top) & (rows <= bottom)
        # Steep parts are as thick as level ones.
        stroke[:, 1:-1] |= stroke[:, :-2] | stroke[:, 2:]
        tile[stroke] = UP
        places = np.flatnonzero(~np.isfinite(line)) * width // len(line)
        tile[:, places] = NOT_FINITE
    return tiles


def marks(values: np.ndarray, chosen: int, scale: Scale, height: int, width: int) -> np.ndarray:
    """Return where values lie between the ends of a scale: a stroke for each, a thick one for the chosen.

    Returns
    -------
    (height, width) uint8
    """
    tile = np.full((height, width), GROUND, np.uint8)
    inner = slice(height // 4, height - height // 4)
    columns = _columns(values, scale, width)
    tile[inner, np.unique(columns[np.isfinite(values)])] = UP
    if scale.low <= 0 <= scale.high:
        tile[:, _columns(np.zeros(1), scale, width)[0]] = ZERO
    if np.isfinite(values[chosen]):
        tile[:, max(0, columns[chosen] - 2) : columns[chosen] + 3] = DOWN
    return tile


def marked(values: np.ndarray, scale: Scale, width: int) -> np.ndarray:
    """Return the number that each column of `marks` stands for: of several, the largest in size.

    Returns
    -------
    (width,) ndarray
        NaN where there is no stroke.
    """
    known = values[np.isfinite(values)].astype(np.float64)
    known = known[np.argsort(np.abs(known))]
    numbers = np.full(width, np.nan)
    numbers[_columns(known, scale, width)] = known
    return numbers


def _columns(values: np.ndarray, scale: Scale, width: int) -> np.ndarray:
    """Return the pixel column of each value, from the left; a margin is left at both ends."""
    return width - 1 - _rows(values, scale, width)


def _rows(values: np.ndarray, scale: Scale, height: int) -> np.ndarray:
    """Return the pixel row of each value, from the top; a margin is left above and below."""
    margin = min(3, height // 8)
    extent = scale.high - scale.low
    share = (values.astype(np.float64) - scale.low) / extent if extent > 0 else np.full(values.shape, 0.5)
    with np.errstate(invalid="ignore"):
        rows = height - 1 - margin - np.rint(np.clip(share, 0, 1) * (height - 1 - 2 * margin))
    return np.nan_to_num(rows, nan=-1).astype(int)


def _reach(rows: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the highest and lowest pixel of a line in each column of pixels."""
    fine = max(len(rows), _FINE * width)
    known = rows >= 0
    if not known.any():
        return np.ones(width), np.zeros(width)
    at = np.linspace(0, len(rows) - 1, fine)
    line = np.interp(at, np.flatnonzero(known), rows[known])
    columns = np.minimum(np.arange(fine) * width // fine, width - 1)
    top, bottom = np.full(width, np.inf), np.full(width, -np.inf)
    np.minimum.at(top, columns, line)
    np.maximum.at(bottom, columns, line)
    # Columns meet: each reaches to where the next one begins.
    first = line[np.searchsorted(columns, np.arange(1, width))]
    top[:-1], bottom[:-1] = np.minimum(top[:-1], first), np.maximum(bottom[:-1], first)
    return np.rint(top) - 1, np.rint(bottom) + 1
