"""Points in the plane: where they lie in a drawing, where there is room for pictures, and the drawing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from .charts import CHOSEN, FAINT, INK, stacked
from .lettering import fitted, font
from .marks import Entry, Mark

# A drawing of 4 to 3; the page draws it at the size that there is.
WIDTH, HEIGHT = 560, 420
# Side of a picture; between a point and what is beside it; between points and the edge.
SIDE = 40
_CLEAR = 6
_MARGIN = 30
# Where a picture may begin, seen from its point: near before far, above and below before beside.
_AROUND = np.array(
    [
        (np.cos(turn) * far - SIDE / 2, np.sin(turn) * far - SIDE / 2)
        for far in (SIDE * 0.85, SIDE * 1.3)
        for turn in np.pi * np.array([-0.5, 0.5, 0, 1, -0.25, -0.75, 0.25, 0.75])
    ]
)
# Drawn so much larger, and then made smaller: smooth edges.
_FINE = 3


class Plot(NamedTuple):
    """What a drawing of points shows.

    Attributes
    ----------
    places : (samples, 2) float32 ndarray
        Pixels from the left and from the top; NaN for a sample without a point.
    marks : sequence of Mark
        That of each sample.
    titles : tuple of str
        What lies along the bottom and along the left side; empty where an axis means nothing.
    legend_title : str
        What marks tell.
    legend : list of Entry
        What each of them stands for.
    """

    places: np.ndarray
    marks: Sequence[Mark]
    titles: tuple[str, str]
    legend_title: str
    legend: list[Entry]


def laid_out(points: np.ndarray) -> np.ndarray:
    """Return where points lie in the drawing: both axes have one scale, so that distances are true.

    Parameters
    ----------
    points : (samples, 2) ndarray
        NaN for samples that have none.
    """
    known = np.isfinite(points).all(1)
    places = np.full(points.shape, np.nan, np.float32)
    if not known.any():
        return places
    low, high = points[known].min(0).astype(float), points[known].max(0).astype(float)
    room, extent = np.array([WIDTH, HEIGHT]) - 2 * _MARGIN, high - low
    scale = min((r / e for r, e in zip(room, extent, strict=True) if e > 0), default=0.0)
    centred = (points[known] - (low + high) / 2) * scale
    places[known] = np.array([WIDTH, HEIGHT]) / 2 + centred * (1, -1)
    return places


class Pinned(NamedTuple):
    """A picture beside the point of a sample: its left and top."""

    sample: int
    left: int
    top: int


def with_room(places: np.ndarray) -> list[Pinned]:
    """Return pictures near their points that cover no point, and none of one another."""
    known = np.flatnonzero(np.isfinite(places).all(1))
    tried = (places[known, None] + _AROUND).round().astype(int)
    is_free = ((tried >= 0) & (tried <= (WIDTH - SIDE, HEIGHT - SIDE))).all(-1)
    left, top = np.where(is_free, tried.transpose(2, 0, 1), 0)
    covered, right, bottom = _covered(places[known]), left + SIDE, top + SIDE
    points = covered[bottom, right] - covered[top, right] - covered[bottom, left] + covered[top, left]
    taken = np.zeros((HEIGHT, WIDTH), bool)  # corners at which a picture would lie over one that is there
    near = SIDE + 2
    found: list[Pinned] = []
    for row, place in np.argwhere(is_free & (points == 0)).tolist():
        x, y = tried[row, place].tolist()
        if taken[y, x] or (found and found[-1].sample == known[row]):
            continue
        taken[max(y - near, 0) : y + near + 1, max(x - near, 0) : x + near + 1] = True
        found.append(Pinned(int(known[row]), x, y))
    return found


def _covered(places: np.ndarray) -> np.ndarray:
    """Return how many pixels of marks lie above and left of each corner, ``(HEIGHT + 1, WIDTH + 1) int``."""
    taken = np.zeros((HEIGHT + 1, WIDTH + 1), int)
    reach = np.arange(-_CLEAR, _CLEAR + 1)
    across, down = (
        np.clip(along[:, None] + reach, 0, end)
        for along, end in zip(places.round().astype(int).T, (WIDTH - 1, HEIGHT - 1), strict=True)
    )
    taken[down[:, :, None] + 1, across[:, None, :] + 1] = 1
    return taken.cumsum(0).cumsum(1)


def radius(samples: int) -> float:
    """Return how large marks are: smaller where there are many."""
    return 4.5 if samples <= 200 else 3.5 if samples <= 1000 else 2.5


def painted(plot: Plot, chosen: int, thumbnail: Callable[[int, int], np.ndarray] | None = None) -> np.ndarray:
    """Return the drawing with its titles and legend, ``(height, 560, 3) uint8``.

    Parameters
    ----------
    plot : Plot
    chosen : int
        The sample with a ring around it.
    thumbnail : callable, optional
        Returns the picture of a sample at a side length; they are laid where there is room.
    """
    image = Image.new("RGB", (WIDTH * _FINE, HEIGHT * _FINE), "white")
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, image.width - 1, image.height - 1), outline=FAINT, width=_FINE)
    if thumbnail is not None:
        for pinned in with_room(plot.places):
            _pin(image, plot, pinned, thumbnail(pinned.sample, SIDE * _FINE))
    size = radius(len(plot.places)) * _FINE
    for sample in np.flatnonzero(np.isfinite(plot.places).all(1)).tolist():
        x, y = plot.places[sample].astype(float) * _FINE
        corners = [(x + size * dx, y + size * dy) for dx, dy in plot.marks[sample].outline]
        pen.polygon(corners, fill=plot.marks[sample].colour)
    if np.isfinite(plot.places[chosen]).all():
        x, y = plot.places[chosen].astype(float) * _FINE
        reach = size + 5 * _FINE
        pen.ellipse((x - reach, y - reach, x + reach, y + reach), outline=CHOSEN, width=3 * _FINE)
    drawn = np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS))
    return stacked([drawn, *_titles(plot.titles), _legend(plot)], gap=4)


def _pin(image: Image.Image, plot: Plot, pinned: Pinned, picture: np.ndarray) -> None:
    """Draw a picture with a frame, and a line that leads to its point."""
    pen, side, colour = ImageDraw.Draw(image), SIDE * _FINE, plot.marks[pinned.sample].colour
    left, top = pinned.left * _FINE, pinned.top * _FINE
    x, y = (plot.places[pinned.sample].astype(float) * _FINE).tolist()
    pen.line((left + side / 2, top + side / 2, x, y), fill=colour, width=_FINE)
    image.paste(Image.fromarray(picture), (left, top))
    pen.rectangle((left, top, left + side - 1, top + side - 1), outline=colour, width=2 * _FINE)


def _titles(titles: tuple[str, str]) -> list[np.ndarray]:
    if not any(titles):
        return []
    image = Image.new("RGB", (WIDTH, 24), "white")
    pen = ImageDraw.Draw(image)
    pen.text((4, 2), f"→ {titles[0]}", fill=INK, font=font(15))
    pen.text((WIDTH - 4, 2), f"↑ {titles[1]}", fill=INK, font=font(15), anchor="ra")
    return [np.asarray(image)]


def _legend(plot: Plot) -> np.ndarray:
    """Return what marks stand for, in three columns."""
    columns, line = 3, 24
    rows = -(-len(plot.legend) // columns)
    image = Image.new("RGB", (WIDTH, line * (rows + 1)), "white")
    pen = ImageDraw.Draw(image)
    pen.text((4, 2), fitted(plot.legend_title, WIDTH - 8, 15, bold=True), fill=INK, font=font(15, bold=True))
    for index, entry in enumerate(plot.legend):
        x, y = 10 + index % columns * (WIDTH // columns), line * (index // columns + 1) + 11
        pen.polygon([(x + 5 * dx, y + 5 * dy) for dx, dy in entry.mark.outline], fill=entry.mark.colour)
        words = fitted(entry.name, WIDTH // columns - 70, 15)
        pen.text((x + 12, y), f"{words} ({entry.points:,})", fill=INK, font=font(15), anchor="lm")
    return np.asarray(image)
