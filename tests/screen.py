"""What a reader sees of a card, read without a browser."""

from __future__ import annotations

from html.parser import HTMLParser


def text_of(html: str) -> str:
    """Return what a browser would show of a piece of HTML."""
    parts: list[str] = []
    parser = HTMLParser()
    parser.handle_data = parts.append
    parser.feed(html)
    return " ".join(parts)


def alert_of(view) -> str:
    """Return the words of a card's error panel; empty if there is none."""
    return text_of(view._alert.value)
