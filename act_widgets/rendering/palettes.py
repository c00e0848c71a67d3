"""Colour maps that a colour-blind reader can tell apart, as tables for indexed pictures."""

from __future__ import annotations

from functools import cache

import cmap
import numpy as np

# One index is kept for what lies between maps and one for values that are not finite.
LEVELS = 254
GROUND = 254
NOT_FINITE = 255
NOT_FINITE_COLOUR = (255, 0, 255)

# Bars and lines are drawn in a few colours that stand out on light and on dark ground.
CHART = "chart"
UP, DOWN, ZERO = 0, 1, 2
_CHART_COLOURS = ((43, 140, 196), (213, 94, 0), (140, 140, 140))

SEQUENTIAL = ("viridis", "cividis", "magma", "gray")
DIVERGING = "colorbrewer:RdBu_r"


@cache
def palette(name: str) -> np.ndarray:
    """Return a colour map as a read-only table.

    Returns
    -------
    (256, 3) uint8
        Low values first; then the ground, black for maps and white for charts, and magenta for values that
        are not finite.
    """
    if name == CHART:
        colours, ground = np.resize(_CHART_COLOURS, (LEVELS, 3)), (255, 255, 255)
    else:
        colours, ground = (cmap.Colormap(name).lut(LEVELS)[:, :3] * 255).round(), (0, 0, 0)
    table = np.vstack([colours, ground, NOT_FINITE_COLOUR]).astype(np.uint8)
    table.flags.writeable = False
    return table


def css_gradient(name: str, stops: int = 16) -> str:
    """Return a colour map as a CSS gradient from left to right, for a colour bar."""
    picks = palette(name)[np.linspace(0, LEVELS - 1, stops).round().astype(int)]
    return "linear-gradient(to right, " + ", ".join(f"rgb({r},{g},{b})" for r, g, b in picks.tolist()) + ")"
