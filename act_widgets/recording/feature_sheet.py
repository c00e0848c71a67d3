"""The feature maps of one sample as one picture, for where no widget shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..keys import Tap
from ..rendering.axes import Axes
from ..rendering.palettes import DIVERGING, SEQUENTIAL
from ..rendering.pictures import Picture, enlarged, finite_scale, laid, lay_out, quantised, resampled
from ..rendering.roles import guess

# Pixels of the longer side: large sheets are made smaller, small ones have larger pixels.
_MOST, _LEAST = 1024, 128


def sheet_axes(taps: Mapping[str, Tap], address: str, shape: tuple[int, ...]) -> Axes:
    """Return what the axes of a layer's activations, ``(batch, ...)`` of a shape, most likely are."""
    sized = replace(taps[address], shape=(None, *shape[1:]))
    return guess(sized, [sized if tap.address == address else tap for tap in taps.values()])


def feature_sheet(sample: np.ndarray, axes: Axes) -> Picture:
    """Return all channels of one sample's activation side by side, on one scale.

    Parameters
    ----------
    sample : ndarray
        The activation, of real numbers.
    axes : Axes
        What its axes are. Of those that are neither drawn nor channels, the middle is shown.
    """
    pictures = axes.spread(sample)
    lengths = axes.lengths(pictures.shape)
    drawn = axes.drawn(pictures, {role: lengths[role] // 2 for role in axes.sliders})
    tiles = drawn.reshape(len(drawn), *(1,) * (3 - drawn.ndim), *drawn.shape[1:])
    scale = finite_scale(tiles)
    mosaic = lay_out(len(tiles), tiles.shape[1], tiles.shape[2])
    longest = max(mosaic.shape)
    if longest > _MOST:
        height, width = (max(1, n * _MOST // longest) for n in tiles.shape[1:])
        tiles = resampled(tiles, (height, width))
        mosaic = lay_out(len(tiles), height, width, mosaic.columns)
    colours = DIVERGING if scale.signed else SEQUENTIAL[0]
    return Picture(enlarged(laid(quantised(tiles, scale), mosaic), _LEAST), colours)
