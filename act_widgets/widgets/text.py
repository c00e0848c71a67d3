"""Pieces of HTML; everything that comes from a model or a user is escaped here."""

from __future__ import annotations

import math
import traceback
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files

from ..errors import ActWidgetsError
from ..rendering.palettes import DIVERGING, css_gradient
from ..rendering.pictures import Scale
from ..rendering.veil import Range


def style_sheet() -> str:
    """Return the package's style sheet as an element."""
    return f"<style>{styles()}</style>"


def styles() -> str:
    """Return the rules of the package's style sheet."""
    return files(__package__).joinpath("style.css").read_text("utf-8")


def heading(title: str, note: str = "", whole: str = "", step: str = "") -> str:
    """Return a card's title and what it shows now; `whole` is told when the pointer rests on it.

    During a training, `step` says which one is shown.
    """
    at = f'<span class="aw-step">{escape(step)}</span>' if step else ""
    return (
        '<div class="aw-heading">'
        f'<span class="aw-title" role="heading" aria-level="3">{escape(title)}</span>'
        f'<span class="aw-note" title="{escape(whole or note)}">{escape(note)}</span>{at}</div>'
    )


def many(count: int, one: str, more: str = "") -> str:
    """Return a number of things; `more` is what several are called, if not by an "s"."""
    return f"{count} {one if count == 1 else more or one + 's'}"


def caption(text: str) -> str:
    """Return a line under a picture."""
    return f'<div class="aw-caption">{escape(text)}</div>' if text else ""


def meaning(text: str, expected: str) -> str:
    """Return what a control is for, as a line below it; `expected` is told when the pointer rests on it."""
    return f'<div class="aw-meaning" title="{escape(expected)}">{escape(text)}</div>'


def legend(colours: Mapping[str, str]) -> str:
    """Return the names of lines, each with its colour."""
    items = (f'<span><i style="background:{c}"></i>{escape(name)}</span>' for name, c in colours.items())
    return f'<div class="aw-legend">{"".join(items)}</div>'


def columns(names: Sequence[str], gap: float) -> str:
    """Return names in columns of equal width, below pictures side by side; `gap` is a share of the whole."""
    cells = "".join(f'<span title="{escape(name)}">{escape(name)}</span>' for name in names)
    style = f"grid-template-columns:repeat({len(names)}, minmax(0, 1fr));column-gap:{gap:.2%}"
    return f'<div class="aw-columns" style="{style}">{cells}</div>'


def number(value: float) -> str:
    """Return a number short enough for a colour bar."""
    return f"{value:.3g}".replace("e+0", "e").replace("e-0", "e-")


def answer(value: float, is_probability: bool) -> str:
    """Return what a model gives a class; what is not finite is no share of anything."""
    if math.isnan(value):
        return "NaN"
    return f"{value:.1%}" if is_probability and math.isfinite(value) else number(value)


def ends(scale: Scale) -> tuple[str, str]:
    """Return the values at both ends of a colour bar."""
    return number(scale.low), number(scale.high)


def colour_bar(
    colours: str, scale: Scale | None, low: str = "", high: str = "", chosen: Range | None = None
) -> str:
    """Return a colour bar with the values at both ends, or words where maps have their own scales.

    What is dimmed in a map is dimmed in the bar, if it has one scale.
    """
    left, right = ends(scale) if scale else (low, high)
    is_signed = scale.signed if scale else colours == DIVERGING
    middle = '<span class="aw-bar-zero">0</span>' if is_signed else ""
    veils = _veils(*scale.shares(chosen)) if scale and chosen else ""
    return (
        f'<div class="aw-bar"><span>{escape(left)}</span><div class="aw-bar-colours" '
        f'style="background:{css_gradient(colours)}">{veils}{middle}</div><span>{escape(right)}</span></div>'
    )


def _veils(start: float, stop: float) -> str:
    before, behind = f"left:0;right:{1 - start:.2%}", f"left:{stop:.2%};right:0"
    return f'<i class="aw-veil" style="{before}"></i><i class="aw-veil" style="{behind}"></i>'


def range_of(chosen: Range) -> str:
    """Return both ends of a range of values."""
    return f"{number(chosen[0])} to {number(chosen[1])}"


def lit(chosen: Range, count: int, total: int, where: str) -> str:
    """Return how many numbers lie in a range."""
    share = f"{count / max(total, 1):.1%}"
    if 0 < count < total and share in ("0.0%", "100.0%"):
        share = "less than 0.1%" if share == "0.0%" else "more than 99.9%"
    return f"Lit: {range_of(chosen)} · {count:,} of {total:,} values{where and ' in '}{where}, {share}"


def extent(scale: Scale | None) -> str:
    """Return the values at the bottom and at the top of bars or lines."""
    if scale is None:
        return caption("Each from its lowest value to its highest; a grey line marks 0.")
    return caption(f"From {number(scale.low)} to {number(scale.high)}, bottom to top; a grey line marks 0.")


def both_ends(scale: Scale) -> str:
    """Return the values at the left and at the right of a picture, below it."""
    return (
        f'<div class="aw-bar aw-ends"><span>{number(scale.low)}</span><span>{number(scale.high)}</span></div>'
    )


def alert(error: BaseException) -> str:
    """Return an error as a panel: what happened, and the traceback folded away."""
    known = isinstance(error, ActWidgetsError)
    message = str(error) if known else f"{type(error).__name__}: {error}"
    remedy = "" if known else "Choose something else to go on; the other views are not affected."
    trace = "".join(traceback.format_exception(error))
    return (
        f'<div class="aw-alert" role="alert"><strong>{escape(message)}</strong>'
        f"{f'<p>{escape(remedy)}</p>' if remedy else ''}"
        f"<details><summary>Traceback</summary><pre>{escape(trace)}</pre></details></div>"
    )


def progress(share: float, text: str) -> str:
    """Return a bar that says how much is done; one that only moves if the share is NaN."""
    if math.isnan(share):
        return busy(text)
    percent = f"{share:.0%}"
    return (
        f'<div class="aw-busy" role="progressbar" aria-label="{escape(text)}" '
        f'aria-valuenow="{100 * share:.0f}" aria-valuemin="0" aria-valuemax="100">'
        f'<div class="aw-progress"><div style="width:{percent}"></div></div>'
        f"<span>{escape(text)}</span></div>"
    )


def stopped(text: str) -> str:
    """Return that the work was stopped before it gave anything."""
    return (
        f'<div class="aw-busy" role="status">Stopped: {escape(text)}. '
        "What is shown belongs to an earlier choice.</div>"
    )


def busy(text: str) -> str:
    """Return a moving bar that says what is being computed."""
    return (
        f'<div class="aw-busy" role="status"><div class="aw-busy-bar"></div><span>{escape(text)}</span></div>'
    )
