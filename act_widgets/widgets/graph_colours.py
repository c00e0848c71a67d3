"""What the colours of the model's graph tell: the menu, what is measured, and the worst of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import ipywidgets

from ..errors import InputError, LayerKindError, listed, nearest
from ..measures import MEASURES, Measured, Partial, measure_steps
from ..model_graph import Graph
from ..rendering.graph_tones import Tones, quantity
from ..session import Session

TYPE = "type"


@dataclass(frozen=True)
class Meaning:
    """What colours tell.

    Attributes
    ----------
    by : str
        The measure, or ``"type"``.
    sample : int
        The sample that is measured; -1 where that makes no difference.
    target : object
        The class that is measured; None where that makes no difference.
    """

    by: str
    sample: int = -1
    target: Any = None


class Coloured(NamedTuple):
    """Colours, and what was measured for them in words; no colours for types of layers."""

    tones: Tones | None = None
    words: str = ""


class Step(NamedTuple):
    """Colours on the way to those that are asked for."""

    coloured: Coloured
    share: float = 1.0
    words: str = ""


class Colours:
    """Measures what the colours of a graph tell, and keeps it.

    Parameters
    ----------
    session : Session
        The model and batch.
    graph : callable
        Returns the model's graph with its blocks.

    Attributes
    ----------
    menu, worst : widgets
        To choose colours, and to go to the highest value.
    """

    def __init__(self, session: Session, graph: Callable[[], Graph]) -> None:
        self._session, self._graph = session, graph
        options = [("layer type", TYPE), *((measure.title, name) for name, measure in MEASURES.items())]
        self.menu = ipywidgets.Dropdown(options=options, description="Colours", layout={"width": "auto"})
        self.worst = ipywidgets.Button(description="Worst", layout={"width": "auto"})
        self.worst.tooltip = "Select the layer with the highest value; once more: the next"
        self._measured: tuple[Any, Coloured] = (None, Coloured())
        self._under_way: Iterator[Partial] = iter(())
        self._place: tuple[Any, int] = (None, 0)
        self._found = ""

    @property
    def by(self) -> str:
        """``"type"``, or the name of a measure."""
        return str(self.menu.value)

    @by.setter
    def by(self, name: str) -> None:
        known = (TYPE, *MEASURES)
        if name not in known:
            raise InputError(
                f"The graph has no colours by that name. Received: colour_by={name!r}. "
                f"Expected: one of {listed(nearest(str(name), known, len(known)))}."
            )
        self.menu.value = name

    @property
    def meaning(self) -> Meaning:
        """What the colours tell now, by the menu and the selection."""
        name, chosen = self.by, self._session.selection
        if name == TYPE:
            return Meaning(name)
        measure = MEASURES[name]
        sample = chosen.sample if measure.per_sample or measure.per_target else -1
        target = self._session.explained_target(chosen.sample) if measure.per_target else None
        return Meaning(name, sample, target)

    @property
    def found(self) -> str:
        """What was found when the worst was asked for last, unless something else is asked by now."""
        return self._found if self._place[0] == self._question(self.meaning) else ""

    def forget_found(self) -> None:
        """Say no more what the worst was."""
        self._found = ""

    def is_known(self, meaning: Meaning) -> bool:
        """Whether nothing is to be measured."""
        return meaning.by == TYPE or self._measured[0] == self._question(meaning)

    def steps(self, meaning: Meaning) -> Iterator[Step]:
        """Yield colours: those of the choice before while it is measured, and in the end those asked for."""
        if meaning.by == TYPE:
            yield Step(Coloured())
            return
        question, (before, coloured) = self._question(meaning), self._measured
        if before != question:
            title = MEASURES[meaning.by].title
            is_same = before is not None and before[1].by == meaning.by
            meanwhile = Coloured(coloured.tones, "Colours of the choice before.") if is_same else Coloured()
            yield Step(meanwhile, 0.0, title)
            measuring = self._measuring(meaning)
            for part in measuring:
                self._under_way = measuring  # held, so that it goes on when groups are opened meanwhile
                if part.share < 1:
                    yield Step(meanwhile, part.share, f"{title}: {part.words}")
            coloured = self._coloured(meaning, part.result)
            self._measured, self._under_way = (question, coloured), iter(())
        yield Step(coloured)

    def tones(self) -> Tones | None:
        """Return what the colours mean, measured to the end; None for types of layers."""
        *_, last = self.steps(self.meaning)
        return last.coloured.tones

    def next_worst(self) -> str:
        """Return the address of the call with the highest value; asked again, the next, and so on.

        Raises
        ------
        LayerKindError
            If the colours tell types, or nothing has a value.
        """
        tones = self.tones()
        if tones is None:
            raise LayerKindError("Nothing is the worst: the colours tell no numbers. Set colour_by first.")
        if not tones.ranking:
            raise LayerKindError(
                f"Nothing is the worst: no call has a value of its own for '{self.by}'. Choose other colours."
            )
        question = self._question(self.meaning)
        place = self._place[1] + 1 if self._place[0] == question else 0
        self._place = question, place
        address = tones.ranking[place % len(tones.ranking)]
        value = quantity(tones.leaves[address], tones.unit)
        self._found = f"No. {place % len(tones.ranking) + 1} of {len(tones.ranking)}: {address}, {value}."
        return address

    def _question(self, meaning: Meaning) -> tuple[int, Meaning]:
        return self._session.version, meaning

    def _measuring(self, meaning: Meaning) -> Iterator[Partial]:
        self._session.follow_weights()
        return measure_steps(self._session.reader, meaning.by, max(meaning.sample, 0), lambda: meaning.target)

    def _coloured(self, meaning: Meaning, found: Measured) -> Coloured:
        measure = MEASURES[meaning.by]
        tones = Tones(self._graph(), measure.title, measure.unit, found.values, found.missing)
        total = "" if found.total is None else f" In all: {quantity(found.total, measure.unit)}."
        return Coloured(tones, found.words + total)
