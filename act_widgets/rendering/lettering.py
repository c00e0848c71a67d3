"""Text in pictures: fonts, and lines cut to the room there is."""

from __future__ import annotations

from functools import cache

from PIL import ImageFont

# Those of Linux, Windows and macOS: they know more letters than Pillow's own font.
_REGULAR = ("DejaVuSans.ttf", "arial.ttf", "Arial.ttf")
_BOLD = ("DejaVuSans-Bold.ttf", "arialbd.ttf", "Arial Bold.ttf")


@cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return a font that this machine has; Pillow's own, which has no bold letters, if there is no other."""
    for name in _BOLD if bold else _REGULAR:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def fitted(line: str, room: float, size: int, bold: bool = False) -> str:
    """Return a line cut with an ellipsis so that it is at most `room` pixels wide."""
    used = font(size, bold)
    line = "".join(letter if letter.isprintable() else " " for letter in line)
    if used.getlength(line) <= room:
        return line
    while line and used.getlength(line + "…") > room:
        line = line[:-1]
    return line + "…"
