"""A laid-out graph as pixels, for where no browser draws it."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .graph_layout import Box, Drawing, Frame
from .graph_lettering import shorten
from .graph_tones import Tones
from .layer_families import GROUP, family
from .lettering import fitted, font

_LINE, _FRAME, _CHOSEN = (120, 120, 120), (190, 190, 190), (213, 94, 0)
_STRIPE = (160, 160, 160)
_TALLEST = 1600
# Width at the least, and height, of what tells the meaning of colours.
_LEGEND = (184, 54)


def paint(
    drawing: Drawing,
    selected: str = "",
    *,
    scale: float = 1.0,
    room: tuple[int, int] | None = None,
    tones: Tones | None = None,
) -> np.ndarray:
    """Return a drawing on white, ``(height, width, 3) uint8``.

    Parameters
    ----------
    drawing : Drawing
    selected : str
        Address of the layer that is set off.
    scale : float
        Pixels for each pixel of the drawing.
    room : tuple of int, optional
        Width and height at the most: what is about the selected layer is shown. Left out, only what is very
        long is cut.
    tones : Tones, optional
        Colours by a measure; by the families of layers if left out.
    """
    whole = (round(drawing.width * scale), round(drawing.height * scale))
    room = room or (whole[0], _TALLEST)
    size = (max(1, min(whole[0], room[0])), max(1, min(whole[1], room[1])))
    image = Image.new("RGB", size, "white")
    chosen = next((box for box in drawing.boxes if box.node.address == selected), None)
    _Painter(image, scale, _corner(chosen, whole, size, scale), tones).draw(drawing, chosen)
    return np.asarray(image)


def with_scale(picture: np.ndarray, tones: Tones) -> np.ndarray:
    """Return a picture with the meaning of its colours below it."""
    width = max(picture.shape[1], _LEGEND[0])
    strip = Image.new("RGB", (width, _LEGEND[1]), "white")
    pen, legend = ImageDraw.Draw(strip), tones.scale()
    pen.text((8, 4), fitted(legend["title"], width - 16, 12), fill="black", font=font(12))
    colours, inner = legend["colours"], width - 16
    for left in range(inner):
        colour = colours[min(left * len(colours) // inner, len(colours) - 1)]
        pen.line([(8 + left, 24), (8 + left, 34)], fill=colour)
    for (share, words), anchor in zip(legend["ticks"], ("la", "ma", "ra"), strict=True):
        pen.text((8 + share * inner, 38), words, fill="black", font=font(11), anchor=anchor)
    ground = np.full((picture.shape[0], width, 3), 255, np.uint8)
    ground[:, : picture.shape[1]] = picture
    return np.vstack([ground, np.asarray(strip)])


def _corner(
    chosen: Box | None, whole: tuple[int, int], size: tuple[int, int], scale: float
) -> tuple[int, int]:
    """Return left and top of the part of the drawing that has the chosen box in its middle."""
    if chosen is None:
        return 0, 0
    middles = (chosen.x + chosen.width / 2, chosen.y + chosen.height / 2)
    wished = [round(middle * scale - n / 2) for middle, n in zip(middles, size, strict=True)]
    left, top = (min(max(w, 0), n - m) for w, n, m in zip(wished, whole, size, strict=True))
    return left, top


class _Painter:
    """Draws in pixels of a part of the drawing."""

    def __init__(
        self, image: Image.Image, scale: float, corner: tuple[int, int], tones: Tones | None
    ) -> None:
        self._pen = ImageDraw.Draw(image)
        self._tones = tones
        self._scale = scale
        self._left, self._top = corner

    def draw(self, drawing: Drawing, chosen: Box | None) -> None:
        for frame in drawing.frames:
            self._pen.rectangle(self._corners(frame), outline=_FRAME)
        for line in drawing.lines:
            self._pen.line([self._at(*point) for point in line.points], fill=_LINE, width=round(self._scale))
        for box in drawing.boxes:
            self._box(box, box is chosen)

    def _box(self, box: Box, is_chosen: bool) -> None:
        colours = GROUP if box.role in {"group", "output"} else family(box.node.kind)
        fill, ink = colours.fill, colours.ink
        if self._tones:
            fill, ink = self._tones.fill(box.node.address), self._tones.ink(box.node.address)
        border, width = (_CHOSEN, round(3 * self._scale)) if is_chosen else (None, 0)
        self._pen.rectangle(self._corners(box), fill=fill, outline=border, width=width)
        if self._tones and self._tones.is_blank(box.node.address):
            self._hatch(box)
        size = round(12 * self._scale)
        name = fitted(shorten(box.node.name, box.width - 8), (box.width - 8) * self._scale, size)
        middle = self._at(box.x + box.width / 2, box.y + box.height / 2)
        self._pen.text(middle, name, fill=ink, font=font(size), anchor="mm")

    def _hatch(self, box: Box) -> None:
        """Draw stripes over what has no value."""
        for step in range(0, int(box.width), 8):
            end = min(step + box.height, box.width)
            ends = (box.x + step, box.y + box.height), (box.x + end, box.y + box.height - (end - step))
            self._pen.line([self._at(*point) for point in ends], fill=_STRIPE)

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return x * self._scale - self._left, y * self._scale - self._top

    def _corners(self, item: Box | Frame) -> tuple[float, float, float, float]:
        return *self._at(item.x, item.y), *self._at(item.x + item.width, item.y + item.height)
