"""The page around the data."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from ...rendering import palettes
from ...rendering.bins import BINS
from .. import text
from ..attribution_view import COLOURS
from ..choice_list import ChoiceList
from ..graph_canvas import GraphCanvas
from .packing import as_json

# One job each; they share their names as parts of one script.
_SCRIPTS = (
    "start",
    "numbers",
    "contents",
    "choice",
    "colours",
    "grid",
    "map",
    "histogram",
    "attribution",
    "predictions",
    "controls",
    "pointer",
    "page",
)


def assembled(facts: dict[str, Any], blocks: Sequence[str]) -> bytes:
    """Return the page.

    Parameters
    ----------
    facts : dict
        What its script reads first; ``name`` is its title.
    blocks : sequence of str
        What the script reads when it is chosen, made by `block`.
    """
    head, middle, foot = _frame()
    title = escape(facts["name"])
    data = f'<script type="application/json" id="data">{as_json(facts)}</script>\n'
    parts = [head, title, middle, data, *blocks, foot]
    return "".join(parts).encode("utf-8", "replace")


def block(name: str, numbers: str) -> str:
    """Return packed numbers as an element that shows nothing."""
    return f'<script type="text/plain" id="{name}">{numbers}</script>\n'


def _known() -> dict[str, Any]:
    """Return what Python draws with, for the script to draw with the same."""
    names = (*palettes.SEQUENTIAL, palettes.DIVERGING, palettes.CHART, COLOURS)
    tables = {name: base64.b64encode(palettes.palette(name).tobytes()).decode("ascii") for name in names}
    constants = ("SEQUENTIAL", "DIVERGING", "LEVELS", "NOT_FINITE", "UP", "DOWN", "ZERO")
    return {"PALETTES": tables, "BINS": BINS} | {name: getattr(palettes, name) for name in constants}


@cache
def _frame() -> tuple[str, str, str]:
    """Return the template in three parts: what comes before the title, before the data, and after it."""
    folder = files(__package__) / "template"
    script = "\n".join(folder.joinpath(f"{name}.js").read_text("utf-8") for name in _SCRIPTS)
    parts = {
        "SCRIPT": script,
        "STYLE": text.styles() + folder.joinpath("page.css").read_text("utf-8"),
        "GRAPH": GraphCanvas.script,
        "LIST": ChoiceList.script,
        "KNOWN": as_json(_known()),
    }
    page = folder.joinpath("page.html").read_text("utf-8")
    for name, part in parts.items():
        page = page.replace(f"/* {name} */", part)
    head, rest = page.split("<!-- TITLE -->")
    middle, foot = rest.split("<!-- DATA -->")
    return head, middle, foot
