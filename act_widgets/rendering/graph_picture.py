"""A laid-out graph as pixels, for where no browser draws it."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .graph_layout import Drawing
from .layer_families import GROUP, family

_LINE, _FRAME, _CHOSEN = (120, 120, 120), (190, 190, 190), (213, 94, 0)
_TALLEST = 1600


def paint(drawing: Drawing, selected: str = "") -> np.ndarray:
    """Return a drawing on white, ``(height, width, 3) uint8``; very long ones are cut at the foot."""
    size = (max(1, round(drawing.width)), min(_TALLEST, max(1, round(drawing.height))))
    image = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(image)
    for frame in drawing.frames:
        pen.rectangle((frame.x, frame.y, frame.x + frame.width, frame.y + frame.height), outline=_FRAME)
    for line in drawing.lines:
        pen.line([tuple(point) for point in line.points], fill=_LINE, width=1)
    font = ImageFont.load_default(12)
    for box in drawing.boxes:
        colours = GROUP if box.role in {"group", "output"} else family(box.node.kind)
        corners = (box.x, box.y, box.x + box.width, box.y + box.height)
        chosen = box.node.address == selected
        pen.rectangle(
            corners, fill=colours.fill, outline=_CHOSEN if chosen else None, width=3 if chosen else 1
        )
        middle = (box.x + box.width / 2, box.y + box.height / 2)
        pen.text(middle, box.node.name[:22], fill=colours.ink, font=font, anchor="mm")
    return np.asarray(image)
