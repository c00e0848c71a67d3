"""Choose what is explained: a class, or a channel."""

from __future__ import annotations

from typing import Any

import ipywidgets
import numpy as np

from ..session import Session
from . import text
from .choice_list import ChoiceList, Option
from .class_values import best_first, class_values
from .control import Choice, Control
from .face import Face
from .maps import check_channels

_AS_PREDICTED = "as predicted"
_UNIT = "unit"
_ROWS = 5


class ClassSelector(Control):
    """The classes with the model's value for the chosen sample, best first.

    A head with one unit offers "for", its value, and "against". The first entry follows the prediction;
    where a single unit is no probability, that is "for". The button has the channel on the screen explained
    in place of a class, whatever layer is looked at then.

    Parameters
    ----------
    session : Session
        The model and batch to look at.
    """

    title = "Class"
    watches = ("sample", "target", "target_layer")

    def __init__(self, session: Session) -> None:
        self._list = ChoiceList(label="class", rows=_ROWS, search_from=4 * _ROWS)
        self._unit = ipywidgets.Button(
            description="Explain the channel shown", icon="crosshairs", layout={"width": "auto"}
        )
        super().__init__(session)
        self._list.observe(self.guarded(self._picked), names=["chosen"])
        self._unit.on_click(self.guarded(self._pinned))

    def build(self) -> list[ipywidgets.Widget]:
        """Return the list and the button."""
        return [Face(self._list), self._unit]

    def key(self) -> tuple[int, int | None, str]:
        """Sample, class, and the layer whose channel is explained in place of one."""
        chosen = self.session.selection
        return chosen.sample, chosen.target, chosen.target_layer

    def compute(self, key: tuple[int, int | None, str]) -> Choice:
        """Return the classes with their values."""
        sample, target, layer = key
        values = class_values(self.session.head, self.session.predictions(sample))
        order = best_first(self.session.head, values)
        is_share = self.session.head.probabilities
        name = self.session.class_name
        options = [Option(_AS_PREDICTED, "as predicted", name(self.session.top_class(sample)))]
        options += [Option(str(c), name(c), text.answer(values[c], is_share)) for c in order]
        chosen = _AS_PREDICTED if target is None else str(target)
        if layer:
            options.insert(0, Option(_UNIT, f"channel {target or 0}", f"of {self.called(layer)}"))
            chosen = _UNIT
        return Choice(np.array(order), options, chosen)

    def draw(self, result: Choice) -> None:
        """Change the list if values did, and mark the chosen class."""
        with self.following():
            self._list.show(result.options, result.chosen)
        self.note("the maps explain this")

    def _picked(self, change: dict) -> None:
        if not self.is_following and change["new"] != _UNIT:
            self.session.selection.explain(None if change["new"] == _AS_PREDICTED else int(change["new"]))

    def _pinned(self, _: Any) -> None:
        chosen = self.session.selection
        check_channels(self.session, chosen.layer)
        chosen.explain(chosen.channel, chosen.layer)
