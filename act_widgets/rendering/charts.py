"""Bar charts and lines of text as pictures, for where no browser draws them."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from .lettering import fitted, font
from .palettes import DIVERGING, LEVELS
from .pictures import Picture, Scale
from .veil import Range, lit, lit_pieces, veil_over

INK, FAINT = (30, 30, 30), (220, 220, 220)
_PALE, _BAND = (170, 170, 170), (255, 224, 160)
_BAR, CHOSEN = (0, 114, 178), (213, 94, 0)
_SIZE, _LINE = 18, 26


def text_lines(lines: Sequence[str], width: int = 560) -> np.ndarray:
    """Return lines of text as a picture, ``(height, width, 3) uint8``."""
    image = Image.new("RGB", (width, 8 + _LINE * max(1, len(lines))), "white")
    pen = ImageDraw.Draw(image)
    for index, line in enumerate(lines):
        pen.text((8, 4 + _LINE * index), fitted(line, width - 16, _SIZE), fill=INK, font=font(_SIZE))
    return np.asarray(image)


def paragraph(words: str, width: int = 560) -> np.ndarray:
    """Return words as lines that fit the width, ``(height, width, 3) uint8``."""
    return text_lines(wrap(words, width // 10) or [""], width)


def colour_bar(
    colours: str, scale: Scale | None, ends: tuple[str, str], chosen: Range | None = None, width: int = 560
) -> np.ndarray:
    """Return a colour map with words at its ends, ``(42, width, 3) uint8``; a zero below signed ones.

    What lies outside the range `chosen` is dimmed as it is in maps, if they share one scale.
    """
    image = Image.new("RGB", (width, 42), "white")
    pen = ImageDraw.Draw(image)
    left, right = (round(pen.textlength(end, font=font(_SIZE))) + 18 for end in ends)
    levels = np.linspace(0, LEVELS - 1, max(1, width - left - right)).round().astype(np.uint8)
    bar = Picture(np.repeat(levels[None], 12, 0), colours)
    rgb = bar.rgb()
    if scale is not None and chosen:
        values = np.linspace(scale.low, scale.high, len(levels))
        rgb = veil_over(bar, np.repeat(~lit(values, chosen)[None], 12, 0), *rgb.shape[:2]).over(rgb)
    image.paste(Image.fromarray(rgb), (left, 9))
    pen.text((8, 4), ends[0], fill=INK, font=font(_SIZE))
    pen.text((width - 8, 4), ends[1], fill=INK, font=font(_SIZE), anchor="ra")
    if scale.signed if scale else colours == DIVERGING:
        pen.text(((left + width - right) / 2, 22), "0", fill=INK, font=font(15), anchor="ma")
    return np.asarray(image)


def histogram(
    counts: np.ndarray,
    edges: np.ndarray,
    chosen: Range | None = None,
    *,
    log: bool,
    width: int = 560,
    height: int = 300,
) -> np.ndarray:
    """Return counts as upright bars over their bins, a range behind them, ``(height, width, 3) uint8``."""
    image = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(image)
    left, right, top, bottom = 64, width - 16, 16, height - 40
    if chosen and chosen[0] <= edges[-1] and chosen[1] >= edges[0]:
        shares = Scale(float(edges[0]), float(edges[-1])).shares(chosen)
        start, stop = (left + share * (right - left) for share in shares)
        pen.rectangle((start, top, stop, bottom), fill=_BAND, outline=CHOSEN)
    level = np.log10(np.maximum(counts, 0.8) / 0.8) if log else counts.astype(float)
    full = max(float(level.max(initial=0)), 1e-12)
    step = (right - left) / max(len(counts), 1)
    for index, value in enumerate(level / full):
        if value > 0:
            x = left + index * step
            pen.rectangle((x, bottom - value * (bottom - top), x + max(step - 1, 1), bottom), fill=_BAR)
    pen.line((left, bottom, right, bottom), fill=INK)
    pen.text((left, bottom + 8), f"{edges[0]:.3g}", fill=INK, font=font(_SIZE))
    pen.text((right, bottom + 8), f"{edges[-1]:.3g}", fill=INK, font=font(_SIZE), anchor="ra")
    pen.text((left - 6, top), f"{counts.max(initial=0):g}", fill=INK, font=font(_SIZE), anchor="ra")
    return np.asarray(image)


def line(
    values: np.ndarray, along: str, chosen: Range | None = None, *, width: int = 560, height: int = 300
) -> np.ndarray:
    """Return values over their indices as a line with gaps, ``(height, width, 3) uint8``.

    If a range is chosen, the line is pale outside it and bold inside.
    """
    image = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(image)
    left, right, top, bottom = 60, width - 16, 16, height - 36
    finite = np.isfinite(values)
    low, high = (float(values[finite].min()), float(values[finite].max())) if finite.any() else (0.0, 1.0)
    pen.rectangle((left, top, right, bottom), outline=FAINT)

    def draw(x: np.ndarray, y: np.ndarray, fill: tuple[int, int, int], thick: int) -> None:
        across = left + x * (right - left) / max(len(values) - 1, 1)
        up = bottom - (y - low) / (high - low or 1) * (bottom - top)
        known = np.isfinite(up)
        for i in np.flatnonzero(known[:-1] & known[1:]):
            pen.line((across[i], up[i], across[i + 1], up[i + 1]), fill=fill, width=thick)

    draw(np.arange(len(values)), values.astype(np.float64), _PALE if chosen else _BAR, 2)
    draw(*lit_pieces(values, chosen), _BAR, 4)
    pen.text((left, bottom + 8), "0", fill=INK, font=font(13))
    pen.text(((left + right) / 2, bottom + 8), along, fill=INK, font=font(13), anchor="ma")
    pen.text((right, bottom + 8), f"{len(values) - 1}", fill=INK, font=font(13), anchor="ra")
    pen.text((left - 6, top), f"{high:.3g}", fill=INK, font=font(13), anchor="ra")
    pen.text((left - 6, bottom - 14), f"{low:.3g}", fill=INK, font=font(13), anchor="ra")
    return np.asarray(image)


class Curve(NamedTuple):
    """A curve of a chart: its name and colour, and where along the chart, from 0 to 1, it has which value."""

    name: str
    colour: str
    x: np.ndarray
    y: np.ndarray


class Stroke(NamedTuple):
    """An upright line in a chart: where, from 0 to 1, and its colour."""

    x: float
    colour: str


def curves(
    drawn: Sequence[Curve],
    heights: tuple[float, float],
    strokes: Sequence[Stroke] = (),
    ends: tuple[str, str] | None = None,
    width: int = 560,
    height: int = 300,
) -> np.ndarray:
    """Return curves with gaps at NaN, ``(height, width, 3) uint8``.

    Written below are both `ends`, or else shares from 0 % to 100 %.
    """
    image = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(image)
    left, right, top, bottom = 60, width - 24, 36, height - 36
    low, high = heights
    for share in np.linspace(0, 1, 5):
        x, y = left + share * (right - left), bottom - share * (bottom - top)
        pen.line((left, y, right, y), fill=FAINT)
        pen.text((left - 6, y), f"{low + share * (high - low):.3g}", fill=INK, font=font(13), anchor="rm")
        if ends is None:
            pen.text((x, bottom + 8), f"{share:.0%}", fill=INK, font=font(13), anchor="ma")
    if ends is not None:
        pen.text((left, bottom + 8), ends[0], fill=INK, font=font(13))
        pen.text((right, bottom + 8), ends[1], fill=INK, font=font(13), anchor="ra")
    for stroke in strokes:
        x = left + stroke.x * (right - left)
        pen.line((x, top, x, bottom), fill=stroke.colour, width=2)
    at = left
    for curve in drawn:
        x = left + curve.x * (right - left)
        y = bottom - (curve.y - low) / (high - low) * (bottom - top)
        for piece in _pieces(np.isfinite(curve.y)):
            pen.line(list(zip(x[piece].tolist(), y[piece].tolist(), strict=True)), fill=curve.colour, width=2)
            if piece.stop - piece.start == 1:
                across, up = float(x[piece][0]), float(y[piece][0])
                pen.ellipse((across - 3, up - 3, across + 3, up + 3), fill=curve.colour)
        pen.text((at, 10), curve.name, fill=curve.colour, font=font(14))
        at += (right - left) // len(drawn)
    return np.asarray(image)


def _pieces(known: np.ndarray) -> list[slice]:
    """Return the stretches in which all is known."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]])))
    return [slice(start, stop) for start, stop in edges.reshape(-1, 2).tolist()]


def rows(
    names: Sequence[str],
    starts: Sequence[float],
    ends: Sequence[float],
    values: Sequence[str],
    chosen: int | None = None,
) -> np.ndarray:
    """Return named bars lying from start to end (shares of the track), ``(height, 560, 3) uint8``.

    The one at index `chosen` is set off.
    """
    step = 32
    image = Image.new("RGB", (560, 12 + step * max(1, len(names))), "white")
    pen = ImageDraw.Draw(image)
    left, right = 200, 456
    for index, (name, start, end, value) in enumerate(zip(names, starts, ends, values, strict=True)):
        y, bold = 8 + step * index, index == chosen
        lettering = font(_SIZE, bold)
        pen.text((8, y), fitted(name, left - 20, _SIZE, bold), fill=INK, font=lettering)
        pen.rectangle((left, y + 3, right, y + 19), fill=FAINT)
        reach = (left + start * (right - left), y + 3, left + end * (right - left), y + 19)
        pen.rectangle(reach, fill=CHOSEN if bold else _BAR)
        pen.text((552, y), value, fill=INK, font=lettering, anchor="ra")
    return np.asarray(image)


def stacked(parts: Sequence[np.ndarray], gap: int = 12) -> np.ndarray:
    """Return pictures one below another on white."""
    width = max(part.shape[1] for part in parts)
    padded = [np.pad(p, ((0, gap), (0, width - p.shape[1]), (0, 0)), constant_values=255) for p in parts]
    return np.concatenate(padded)


def beside(parts: Sequence[np.ndarray], gap: int = 16) -> np.ndarray:
    """Return pictures side by side on white."""
    height = max(part.shape[0] for part in parts)
    padded = [np.pad(p, ((0, height - p.shape[0]), (0, gap), (0, 0)), constant_values=255) for p in parts]
    return np.concatenate(padded, axis=1)


def centred(picture: np.ndarray, width: int = 560) -> np.ndarray:
    """Return a picture in the middle of a strip of white."""
    left = max(0, width - picture.shape[1]) // 2
    right = max(0, width - picture.shape[1] - left)
    return np.pad(picture, ((0, 0), (left, right), (0, 0)), constant_values=255)
