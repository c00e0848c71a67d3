"""What a view has computed: the newest stage, and the work that the next one comes from."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any

from .stage import Stage

Question = tuple[int | None, Hashable]
"""Which reading of the model is asked, and what of it."""


class Results:
    """The stages of one question after the other; of the questions before nothing is kept.

    Parameters
    ----------
    stages : callable
        Takes what is asked and yields its stages, as `View.stages` does.

    Attributes
    ----------
    latest : tuple of Question or None, and Stage
        The newest stage, and what it answers.
    """

    def __init__(self, stages: Callable[[Any], Iterator[Stage]]) -> None:
        self._stages = stages
        self.latest: tuple[Question | None, Stage]
        self._running: tuple[Question | None, Iterator[Stage]]
        self.forget()

    def find(self, question: Question) -> Stage | None:
        """Return the newest stage for a question, None if there is none with anything to draw."""
        known, stage = self.latest
        return None if known != question or stage.is_empty else stage

    def is_known(self, question: Question, stopped: bool) -> bool:
        """Whether what is to be shown is there: the last stage, or the one at which work was stopped."""
        known, stage = self.latest
        return known == question and (stage.is_whole or stopped)

    def advance(self, question: Question, stopped: bool) -> Stage:
        """Return the next stage; the newest if there is no more, or the work is stopped."""
        if self.is_known(question, stopped):
            return self.latest[1]
        running, stages = self._running
        if running != question:
            stages = self._stages(question[1])
            self._running = question, stages
        stage = next(stages)
        self.keep(question, stage)
        if stage.is_whole:
            self.give_up()
        return stage

    def keep(self, question: Question, stage: Stage) -> None:
        """Let a stage be the newest."""
        self.latest = question, stage

    def give_up(self) -> None:
        """Let go of work under way: the next stage begins anew."""
        self._running = None, iter(())

    def forget(self) -> None:
        """Let go of everything."""
        self.latest = None, Stage(None)
        self.give_up()
