"""What the selection asks to have explained: the same for the map and for what checks it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ..attribution import LAYER, METHODS, Estimate, Partial, estimate, nearest_spatial, question_of
from ..attribution.question import Question
from ..keys import Target
from ..session import Session


@dataclass(frozen=True)
class Asked:
    """A method, its parameters, and what it explains.

    Attributes
    ----------
    method : str
        Name of the method.
    layer : str or None
        What is explained; None for an input.
    chosen : str
        The layer on the screen: one without spatial axes has no map, and the nearest one is taken.
    sample : int
        Number of the sample.
    target : int or Target
        The class, or the channel of a layer.
    scores : str or None
        Which scores; None for what the method usually explains.
    parameters : tuple of (str, object)
        Those of the method.
    has_place : bool
        Whether there is anything with places to draw.
    """

    method: str
    layer: str | None
    chosen: str
    sample: int
    target: int | Target
    scores: str | None
    parameters: tuple[tuple[str, Any], ...]
    has_place: bool = True

    @classmethod
    def of(cls, session: Session) -> Asked:
        """Return what a session's selection asks."""
        chosen = session.selection
        target = session.explained_target(chosen.sample)
        question = cls(
            method=chosen.method,
            layer=None,
            chosen="",
            sample=chosen.sample,
            target=target,
            scores=chosen.scores or None,
            parameters=chosen.parameters,
        )
        return question.at_layer(session, chosen.layer)

    def at_layer(self, session: Session, shown: str) -> Asked:
        """Return the same question where `shown` is the layer on the screen."""
        if METHODS[self.method].place == LAYER:
            layer = nearest_spatial(session.reader.taps, shown)
            return replace(self, layer=layer, chosen=shown, has_place=layer is not None)
        words = not any(array.dtype.kind == "f" for array in session.reader.inputs.arrays)
        # Words have no slope: explain the layer on the screen.
        return replace(self, layer=shown if words else None, chosen="", has_place=True)

    def is_kept(self, session: Session) -> bool:
        """Whether the map takes no pass of the model."""
        reader, method = session.reader, METHODS[self.method]
        if not method.is_quick or isinstance(self.target, Target) or not reader.gradients.knows_scores:
            return False
        question = self._question(session)
        is_input = question.address in reader.input_addresses
        return reader.gradients.has(question.address, self.sample, question.explained, method.rule) and (
            is_input or reader.is_ready(question.address, self.sample)
        )

    def _question(self, session: Session) -> Question:
        method = METHODS[self.method]
        return question_of(session.reader, method, self.layer, self.target, self.scores, self.sample)

    def address(self, session: Session) -> str:
        """Return the layer or input that the map is of."""
        return self._question(session).address

    def estimate(self, session: Session, anew: bool = False) -> Estimate:
        """Return what the map will cost; `anew`: as if it were not kept."""
        method, question = METHODS[self.method], self._question(session)
        return estimate(question, method, method.checked(dict(self.parameters)), anew)

    def steps(self, session: Session) -> Iterator[Partial]:
        """Yield the map as it comes to be."""
        return session.attribution_steps(
            self.method,
            self.sample,
            layer=self.layer,
            target=self.target,
            scores=self.scores,
            **dict(self.parameters),
        )
