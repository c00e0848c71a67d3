"""Which attribution method, with which parameters, of which scores."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np

from ..attribution import METHODS, Parameter
from ..rendering import charts, pictures
from ..session import Session
from . import text
from .base import View
from .changing_list import ChangingList
from .parts import close_whole

_USUAL = ""


@dataclass(frozen=True)
class Chosen:
    """A method and how it is asked.

    Attributes
    ----------
    array : ndarray of str
        The names of all methods.
    name : str
        The method chosen.
    scores : str
        The scores asked for; empty for what the method usually explains.
    offers : list of (str, str)
        Scores on offer: value and words.
    values : dict
        Each parameter's value.
    words : str
        What a map costs.
    """

    array: np.ndarray
    name: str
    scores: str
    offers: list[tuple[str, str]]
    values: dict[str, Any]
    words: str


class MethodPicker(View):
    """A list of attribution methods, the scores that are explained, and the method's own parameters.

    Parameters
    ----------
    session : Session
        The model and batch to look at.
    """

    title = "Method"
    watches = ("method", "scores", "parameters", "target_layer")

    def __init__(self, session: Session) -> None:
        options = [(method.title, name) for name, method in METHODS.items()]
        self._list = ipywidgets.Dropdown(options=options, description="Method", layout={"width": "auto"})
        self._scores = ChangingList(label="Scores")
        self._controls = ipywidgets.VBox()
        self._controls.add_class("aw-parameters")
        self._made_for = ""
        self._by_name: dict[str, Any] = {}
        super().__init__(session)
        self._list.observe(self.guarded(self._picked), names=["value"])
        self._scores.observe(self.guarded(self._scored), names=["chosen"])

    def build(self) -> list[ipywidgets.Widget]:
        """Return the two lists and the parameters."""
        return [self._list, self._scores.face, self._controls]

    def key(self) -> tuple:
        """Method, scores and parameters, and whether a layer's channel is explained: it has no scores."""
        chosen = self.session.selection
        return chosen.method, chosen.scores, chosen.parameters, bool(chosen.target_layer)

    def compute(self, key: tuple) -> Chosen:
        """Return what is chosen, and what else can be."""
        name, scores, parameters, is_channel = key
        method = METHODS[name]
        offers = [(_USUAL, f"usual: {self._usual(name)}")]
        if self.session.head.probabilities and not is_channel:
            offers += [("logits", "logits"), ("probabilities", "probabilities")]
        values = method.checked(dict(parameters))
        asked = "" if is_channel else scores
        return Chosen(np.array(list(METHODS)), name, asked, offers, values, method.passes)

    def draw(self, result: Chosen) -> None:
        """Mark what is chosen; make controls anew only for another method."""
        with self.following():
            self._list.value = result.name
            self._scores.show(result.offers, result.scores)
            if self._made_for != result.name:
                self._make_controls(result)
            for name, value in result.values.items():
                self._by_name[name].value = _shown(value, self._by_name[name])
        self._scores.face.layout.display = "" if len(result.offers) > 1 else "none"
        self.note(result.words)

    def picture(self, result: Chosen) -> bytes:
        """Return what is chosen as text."""
        lines = [
            METHODS[result.name].title,
            *(f"  {name} = {value}" for name, value in result.values.items()),
        ]
        return pictures.png_of(charts.text_lines(lines))

    def _usual(self, name: str) -> str:
        usual = METHODS[name].scores
        return usual if self.session.head.probabilities else "output values"

    def _make_controls(self, result: Chosen) -> None:
        old = self._controls.children
        parameters = METHODS[result.name].parameters
        self._by_name = {p.name: _control(p) for p in parameters}
        self._made_for = result.name
        for name, control in self._by_name.items():
            control.value = _shown(result.values[name], control)
            control.observe(self.guarded(self._changed), names=["value"])
        # A line, because ipywidgets shows the tooltips of some controls alone.
        meanings = [ipywidgets.HTML(text.meaning(p.meaning, p.expected)) for p in parameters]
        pairs = zip(self._by_name.values(), meanings, strict=True)
        self._controls.children = tuple(widget for pair in pairs for widget in pair)
        for control in old:
            close_whole(control)

    def _picked(self, change: dict) -> None:
        self.choose("method", change["new"])

    def _scored(self, change: dict) -> None:
        self.choose("scores", change["new"])

    def _changed(self, _: dict) -> None:
        method = METHODS[self.session.selection.method]
        given = {p.name: _entered(p, self._by_name[p.name].value) for p in method.parameters}
        self.choose("parameters", tuple(given.items()))


def _control(parameter: Parameter) -> ipywidgets.Widget:
    """Return a parameter's control, bounded as it is."""
    common = {"description": parameter.name, "layout": {"width": "auto"}}
    if isinstance(parameter.default, bool):
        return ipywidgets.Checkbox(indent=False, **common)
    if isinstance(parameter.default, int):
        return ipywidgets.BoundedIntText(min=int(parameter.low), max=int(parameter.high), **common)
    if isinstance(parameter.default, float):
        return ipywidgets.BoundedFloatText(min=parameter.low, max=parameter.high, step=0.01, **common)
    return ipywidgets.Text(placeholder=parameter.if_none, continuous_update=False, **common)


def _shown(value: Any, control: ipywidgets.Widget) -> Any:
    """Return a parameter's value as its control shows it."""
    if isinstance(control, ipywidgets.Text):
        return "" if value is None else str(value)
    return value if isinstance(value, bool | int | float) else 0.0


def _entered(parameter: Parameter, value: Any) -> Any:
    """Return a control's value as the parameter takes it; what is no number is left to its check."""
    if parameter.default is not None:
        return value
    if not value.strip():
        return None
    with suppress(ValueError):
        return float(value)
    return value
