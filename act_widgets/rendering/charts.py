"""Bar charts as pictures, for where no browser draws them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_INK, _FAINT, _BAR = (30, 30, 30), (220, 220, 220), (0, 114, 178)


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def _plain(line: str) -> str:
    """Return a line in what the built-in font can draw."""
    return line.replace("×", "x").replace("▸", ">").replace("\u2007", " ")


def text_lines(lines: Sequence[str], width: int = 560) -> np.ndarray:
    """Return lines of text as a picture, ``(height, width, 3) uint8``."""
    image = Image.new("RGB", (width, 12 + 20 * max(1, len(lines))), "white")
    pen = ImageDraw.Draw(image)
    for index, line in enumerate(lines):
        pen.text((8, 6 + 20 * index), _plain(line), fill=_INK, font=_font(14))
    return np.asarray(image)


def histogram(
    counts: np.ndarray, edges: np.ndarray, *, log: bool, width: int = 560, height: int = 300
) -> np.ndarray:
    """Return counts as upright bars over their bins, ``(height, width, 3) uint8``."""
    image = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(image)
    left, right, top, bottom = 60, width - 16, 16, height - 36
    level = np.log10(np.maximum(counts, 0.8) / 0.8) if log else counts.astype(float)
    full = max(float(level.max(initial=0)), 1e-12)
    step = (right - left) / max(len(counts), 1)
    for index, value in enumerate(level / full):
        if value > 0:
            x = left + index * step
            pen.rectangle((x, bottom - value * (bottom - top), x + max(step - 1, 1), bottom), fill=_BAR)
    pen.line((left, bottom, right, bottom), fill=_INK)
    pen.text((left, bottom + 8), f"{edges[0]:.3g}", fill=_INK, font=_font(13))
    pen.text((right, bottom + 8), f"{edges[-1]:.3g}", fill=_INK, font=_font(13), anchor="ra")
    pen.text((left - 6, top), f"{counts.max(initial=0):g}", fill=_INK, font=_font(13), anchor="ra")
    return np.asarray(image)


def line(values: np.ndarray, along: str, *, width: int = 560, height: int = 300) -> np.ndarray:
    """Return values over their indices as a line with gaps, ``(height, width, 3) uint8``."""
    image = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(image)
    left, right, top, bottom = 60, width - 16, 16, height - 36
    finite = np.isfinite(values)
    low, high = (float(values[finite].min()), float(values[finite].max())) if finite.any() else (0.0, 1.0)
    x = left + np.arange(len(values)) * (right - left) / max(len(values) - 1, 1)
    share = (np.where(finite, values, low).astype(float) - low) / (high - low or 1)
    y = bottom - share * (bottom - top)
    pen.rectangle((left, top, right, bottom), outline=_FAINT)
    for start in range(len(values) - 1):
        if finite[start] and finite[start + 1]:
            pen.line((x[start], y[start], x[start + 1], y[start + 1]), fill=_BAR, width=2)
    pen.text((left, bottom + 8), "0", fill=_INK, font=_font(13))
    pen.text(((left + right) / 2, bottom + 8), along, fill=_INK, font=_font(13), anchor="ma")
    pen.text((right, bottom + 8), f"{len(values) - 1}", fill=_INK, font=_font(13), anchor="ra")
    pen.text((left - 6, top), f"{high:.3g}", fill=_INK, font=_font(13), anchor="ra")
    pen.text((left - 6, bottom - 14), f"{low:.3g}", fill=_INK, font=_font(13), anchor="ra")
    return np.asarray(image)


def rows(
    names: Sequence[str], starts: Sequence[float], ends: Sequence[float], values: Sequence[str]
) -> np.ndarray:
    """Return named bars lying from start to end (shares of the track), ``(height, 560, 3) uint8``."""
    image = Image.new("RGB", (560, 12 + 26 * max(1, len(names))), "white")
    pen = ImageDraw.Draw(image)
    left, right = 200, 470
    for index, (name, start, end, value) in enumerate(zip(names, starts, ends, values, strict=True)):
        y = 8 + 26 * index
        pen.text((8, y), name[:26], fill=_INK, font=_font(14))
        pen.rectangle((left, y + 2, right, y + 16), fill=_FAINT)
        pen.rectangle((left + start * (right - left), y + 2, left + end * (right - left), y + 16), fill=_BAR)
        pen.text((548, y), value, fill=_INK, font=_font(14), anchor="ra")
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
