"""Cards and a dashboard as one picture, for where no browser draws them."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from .charts import INK, centred, stacked
from .lettering import fitted, font

WIDTH = 560
_PAD, _GAP = 20, 20
_HEAD = 44
_BORDER, _SOFT = (216, 216, 216), (90, 90, 90)


def decoded(png: bytes) -> np.ndarray:
    """Return a PNG as ``(height, width, 3) uint8``, on white where it is transparent."""
    image = Image.open(io.BytesIO(png)).convert("RGBA")
    ground = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(ground, image).convert("RGB"))


def card(title: str, note: str, parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return pictures one below another under a title, with a border around them.

    Parameters
    ----------
    title, note : str
        What it is, and what it shows.
    parts : sequence of (height, width, 3) uint8 ndarray
        Each is brought to the width of the card.
    """
    body = stacked([_to_width(part) for part in parts], gap=6)
    height = body.shape[0] + _HEAD + _PAD
    image = Image.new("RGB", (WIDTH + 2 * _PAD, height), "white")
    pen = ImageDraw.Draw(image)
    pen.rounded_rectangle((0, 0, image.width - 1, height - 1), radius=14, outline=_BORDER, width=2)
    pen.text((_PAD, 12), title, fill=INK, font=font(21, bold=True))
    taken = round(font(21, bold=True).getlength(title)) + 14
    pen.text((_PAD + taken, 15), fitted(note, WIDTH - taken, 17), fill=_SOFT, font=font(17))
    image.paste(Image.fromarray(body), (_PAD, _HEAD))
    return np.asarray(image)


def sheet(name: str, facts: str, columns: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Return columns of cards under a heading, ``(height, width, 3) uint8``."""
    stacks = [stacked(column, gap=_GAP) for column in columns]
    height = max(stack.shape[0] for stack in stacks)
    width = sum(stack.shape[1] + _GAP for stack in stacks) - _GAP
    image = Image.new("RGB", (width, height + 60 - _GAP), "white")
    pen = ImageDraw.Draw(image)
    name = fitted(name, width / 2, 28, bold=True)
    pen.text((4, 8), name, fill=INK, font=font(28, bold=True))
    taken = font(28, bold=True).getlength(name) + 28
    pen.text((taken, 16), fitted(facts, width - taken, 19), fill=_SOFT, font=font(19))
    left = 0
    for stack in stacks:
        image.paste(Image.fromarray(stack), (left, 60))
        left += stack.shape[1] + _GAP
    return np.asarray(image)


def small_png(rgb: np.ndarray, width: int) -> bytes:
    """Return a picture at most `width` pixels wide as a PNG of 256 colours: a quarter of the bytes."""
    image = Image.fromarray(rgb)
    if image.width > width:
        image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    # Dithered, or the bands of a colour map would look like contours.
    colours = image.quantize(method=Image.Quantize.FASTOCTREE)
    image = image.quantize(palette=colours, dither=Image.Dither.FLOYDSTEINBERG)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def _to_width(part: np.ndarray) -> np.ndarray:
    """Return a picture as wide as a card; one that would be more than twice as high stands in the middle."""
    if part.shape[1] == WIDTH:
        return part
    image = Image.fromarray(part)
    scale = min(WIDTH / image.width, 2 * WIDTH / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    # Enlarged maps keep their cells; what is made smaller is averaged.
    way = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX
    return centred(np.asarray(image.resize(size, way)), WIDTH)
