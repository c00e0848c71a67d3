"""Names in the drawing of the model graph: what can be printed of them, and what there is room for."""

from __future__ import annotations

import unicodedata

FONT_SIZE = 12

# Plain and bold at that size in DejaVu Sans, the widest of the fonts that a page may take.
_WIDTHS = {
    **dict.fromkeys("ilj' ", (3.9, 4.2)),
    **dict.fromkeys("I.,|", (4.1, 4.6)),
    **dict.fromkeys("tfr:;!()[]/\\-_", (6.0, 6.1)),
    **dict.fromkeys("csz", (6.6, 7.2)),
    **dict.fromkeys("aekovxy", (7.4, 8.3)),
    **dict.fromkeys("DHNU", (9.3, 10.1)),
    **dict.fromkeys("wCGOQ#+<=>^~×", (10.1, 11.1)),
    **dict.fromkeys("mMW@%&—…", (12.0, 13.3)),
}
_SMALL, _CAPITAL = (7.7, 8.6), (8.4, 9.3)
# Other scripts than Latin have wider letters, and those of East Asia fill a square.
_LATIN, _FOREIGN, _SQUARE = "\u024f", (13.2, 14.8), (13.0, 13.0)


def printable(text: str) -> str:
    """Return `text` with what XML forbids (control characters, half surrogates) replaced by U+FFFD."""
    return "".join("\ufffd" if _forbidden(c) else c for c in text)


def shorten(text: str, width: float, bold: bool = False) -> str:
    """Return `text` with its middle replaced by ``…`` if it is wider than `width` pixels.

    Layers of one model differ at the end of their names more often than in the middle.
    """
    text = printable(text)
    if text_width(text, bold) <= width:
        return text
    text = text[:200] + text[-200:] if len(text) > 400 else text
    head, tail = text[: (len(text) + 1) // 2], text[(len(text) + 1) // 2 :]
    while head and text_width(head + "…" + tail, bold) > width:
        head, tail = (head[:-1], tail) if len(head) > len(tail) else (head, tail[1:])
    return head + "…" + tail


def _forbidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs") or character in "\ufffe\uffff"


def text_width(text: str, bold: bool) -> float:
    """Estimate the width in pixels at the drawing's font size, rather too wide than too narrow."""
    return sum(_character_width(character)[bold] for character in text)


def _character_width(character: str) -> tuple[float, float]:
    if character in _WIDTHS:
        return _WIDTHS[character]
    if unicodedata.combining(character):
        return 0.0, 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return _SQUARE
    if character > _LATIN:
        return _FOREIGN
    return _CAPITAL if character.isupper() else _SMALL
