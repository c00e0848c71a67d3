"""The model's answer as bars."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import ipywidgets
import numpy as np

from ..keys import Target
from ..rendering import charts, pictures
from ..session import Session
from . import text
from .base import View
from .recipe import Setting

# Classes that are shown, if nothing else is said.
_COUNT = 8


@dataclass(frozen=True)
class Answer:
    """The main output for one sample.

    Attributes
    ----------
    array : (units,) ndarray
        As computed, positions averaged.
    after : (units,) ndarray or None
        The same with channels silenced.
    order : list of int
        The units shown, highest first.
    chosen : int or None
        The unit that is set off; None where a layer's channel is explained in place of a class, or where
        none is chosen and the model gives none first, since no number is finite.
    """

    array: np.ndarray
    after: np.ndarray | None
    order: list[int]
    chosen: int | None
    probabilities: bool


class Predictions(View):
    """The classes that the model gives a sample, best first. The chosen class is set off.

    Parameters
    ----------
    session : Session
        The model and batch to look at.
    count : int
        Number of classes to show.
    """

    title = "Prediction"
    working = "what lies behind the silenced channels"
    watches = ("sample", "target", "target_layer")

    def __init__(self, session: Session, *, count: int = _COUNT) -> None:
        self._count = count
        self._rows = ipywidgets.HTML()
        super().__init__(session)

    def _get_count(self) -> int:
        return self._count

    def _set_count(self, count: int) -> None:
        self._count = count
        self.refresh()

    count = Setting(_get_count, _set_count, doc="Number of classes that are shown.", usual=_COUNT)

    def build(self) -> list[ipywidgets.Widget]:
        """Return the rows."""
        return [self._rows]

    def key(self) -> tuple:
        """The sample, the class that is set off, what is silenced, and how many classes are shown."""
        sample = self.session.selection.sample
        explained = self.session.explained_target(sample)
        chosen = None if isinstance(explained, Target) or self._is_without_first(sample) else explained
        return sample, chosen, self.session.silenced, self._count

    def _is_without_first(self, sample: int) -> bool:
        """Whether no class was chosen, and the model gives none first: no number is finite."""
        is_chosen = self.session.selection.target is not None
        return not is_chosen and not np.isfinite(self.session.predictions(sample)).any()

    def is_ready(self, key: tuple) -> bool:
        """Whether nothing is silenced, so that the output is there."""
        return not key[2]

    def compute(self, key: tuple) -> Answer:
        """Return the output and which units to show: the highest, and the chosen one."""
        sample, chosen, _, count = key
        after = self.session.silenced_predictions(sample)
        values = self.session.predictions(sample)
        order = np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable").tolist()
        shown = order[:count]
        if len(values) == 1 and chosen is not None:
            chosen = 0
        if chosen is not None and chosen not in shown:
            shown.append(chosen)
        return Answer(values, after, shown, chosen, self.session.head.probabilities)

    def draw(self, result: Answer) -> None:
        """Write the rows."""
        before = zip(*self._bars(result, result.array), strict=True)
        marks = [" aw-row-chosen" if unit == result.chosen else "" for unit in result.order]
        cells = [_row(*row, mark=mark) for mark, row in zip(marks, before, strict=True)]
        if result.after is not None:
            _, *bars = self._bars(result, result.after)
            after = [_row("after", *row, mark=" aw-row-after") for row in zip(*bars, strict=True)]
            cells = [cell for pair in zip(cells, after, strict=True) for cell in pair]
        self._rows.value = f'<div class="aw-rows" role="list">{"".join(cells)}</div>'
        more = len(result.array) - len(result.order)
        kind = "probabilities" if result.probabilities else "output values"
        self.note(f"{kind} · {more} more" if more > 0 else kind)

    def picture(self, result: Answer) -> bytes:
        """Return the bars as a PNG."""
        chosen = result.order.index(result.chosen) if result.chosen is not None else None
        parts = [charts.rows(*self._bars(result, result.array), chosen)]
        if result.after is not None:
            parts.append(charts.text_lines(["with channels silenced:"]))
            parts.append(charts.rows(*self._bars(result, result.after), chosen))
        return pictures.png_of(charts.stacked(parts, gap=0))

    def _bars(
        self, result: Answer, values: np.ndarray
    ) -> tuple[list[str], list[float], list[float], list[str]]:
        """Return names, starts and ends of the bars as shares of the track, and values in words."""
        shown = values[result.order]
        both = shown if result.after is None else np.concatenate([result.array, result.after])
        finite, reach = (np.nan_to_num(v.astype(float), posinf=0, neginf=0) for v in (shown, both))
        low, high = (0.0, 1.0) if result.probabilities else (min(0.0, reach.min()), max(0.0, reach.max()))
        extent = max(high - low, 1e-12)
        zero = (0 - low) / extent
        ends = [(value - low) / extent for value in finite]
        words = [text.answer(float(v), result.probabilities) for v in shown]
        names = [self._name(unit) for unit in result.order]
        return names, [min(zero, e) for e in ends], [max(zero, e) for e in ends], words

    def _name(self, unit: int) -> str:
        return self.session.class_name(1 if self.session.head.units == 1 else unit)


def _row(name: str, start: float, end: float, value: str, *, mark: str) -> str:
    fill = f'<div class="aw-row-fill" style="left:{start:.1%};width:{end - start:.1%}"></div>'
    return (
        f'<div class="aw-row-name{mark}" role="listitem" title="{escape(name)}">{escape(name)}</div>'
        f'<div class="aw-row-track{mark}">{fill}</div>'
        f'<div class="aw-row-value{mark}">{escape(value)}</div>'
    )
