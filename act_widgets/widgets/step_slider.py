"""Go through the steps of a recording."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np

from ..session import Session
from . import text
from .choice_list import Option
from .control import Choice, Control
from .worker import worker_of

# Steps about the chosen one that a picture has room for.
_NEAR = 12


@dataclass(frozen=True)
class Steps(Choice):
    """The steps that were recorded, and in words which one is shown."""

    words: str


class StepSlider(Control):
    """A slider over the recorded steps of a training, with buttons for the ones beside and one that plays.

    It moves every view of the session. A step that takes time to read is read behind; what was wished for
    last is shown. Where the session is of a model there is nothing to go through.

    Parameters
    ----------
    session : Session
        The recording to look at.
    """

    title = "Step"
    watches = ()

    def __init__(self, session: Session) -> None:
        self._slider = ipywidgets.IntSlider(
            min=0, max=0, readout=False, layout={"width": "auto", "flex": "1 1 auto"}
        )
        self._play = ipywidgets.Play(min=0, max=0, interval=400, show_repeat=False)
        self._back = _button("step-backward", "previous step")
        self._on = _button("step-forward", "next step")
        self._steps: tuple[int, ...] = ()
        self._wish: int | None = None
        super().__init__(session)
        for control in (self._slider, self._play):
            control.observe(self.guarded(self._moved), names=["value"])
        self._back.on_click(self.guarded(lambda _: self._walk(-1)))
        self._on.on_click(self.guarded(lambda _: self._walk(1)))

    def build(self) -> list[ipywidgets.Widget]:
        """Return play, the slider, and the buttons to go one step."""
        return [ipywidgets.HBox([self._play, self._slider, self._back, self._on])]

    def key(self) -> tuple[tuple[int, ...], int | None]:
        """The steps, and the one that is shown."""
        timeline = self.session.timeline
        return timeline.steps if timeline else (), self.session.step

    def compute(self, key: tuple[tuple[int, ...], int | None]) -> Steps:
        """Return the steps, and the one that is shown."""
        steps, step = key
        timeline = self.session.timeline
        if timeline is None or step is None:
            return Steps(np.zeros(0, int), [Option("", "no recording", "the model as it is now")], "", "")
        words = timeline.moment(step).words
        place = _place(steps, step)
        options = [
            Option(str(other), f"step {other}", words.partition(" · ")[2] if other == step else "")
            for other in steps[max(0, place - _NEAR) : place + _NEAR]
        ]
        return Steps(np.array(steps), options, str(step), f"{words} · {place + 1} of {len(steps)}")

    def draw(self, result: Steps) -> None:
        """Set range and position."""
        self._steps = tuple(result.array.tolist())
        for control in (self._slider, self._play, self._back, self._on):
            control.disabled = len(self._steps) < 2
        if not self._steps:
            self.note("no recording: the model as it is now")
            return
        place = _place(self._steps, int(result.chosen))
        last = len(self._steps) - 1
        with self.following():
            for control in (self._slider, self._play):
                control.max = last
                if self._wish is None:  # else the slider is on its way to another step
                    control.value = place
        self._back.disabled, self._on.disabled = place == 0, place == last
        self.note(result.words)

    def release(self) -> None:
        """Let go of a step that was still to be read."""
        worker_of(self.session).withdraw(("step", id(self)))

    def _moved(self, change: dict[str, Any]) -> None:
        if not self.is_following and self._steps:
            self._go(self._steps[min(change["new"], len(self._steps) - 1)])

    def _walk(self, by: int) -> None:
        if self._steps and self.session.step is not None:
            here = self.session.step if self._wish is None else self._wish
            self._go(self._steps[min(max(_place(self._steps, here) + by, 0), len(self._steps) - 1)])

    def _go(self, step: int) -> None:
        """Show a step: at once if it can be looked up, else as soon as it was read."""
        timeline = self.session.timeline
        if timeline is None or timeline.is_ready(step, self.session.selection.layer):
            self._wish = None
            self.session.step = step
            return
        self._wish = step
        self._busy.value = text.busy(f"reading step {step}")
        worker_of(self.session).submit(("step", id(self)), self.guarded(self._arrive))

    def _arrive(self) -> None:
        """Show the step that was wished for last."""
        wish, timeline = self._wish, self.session.timeline
        if wish is None or timeline is None or not self._open:
            return
        try:
            timeline.prepare(wish, self.session.selection.layer)
            self.session.step = wish
        finally:
            if self._wish == wish:
                self._wish = None
                self._busy.value = ""
                self._place_again()

    def _place_again(self) -> None:
        """Put the slider where the session is: a step that can't be read is not shown."""
        if self._steps and self.session.step is not None:
            with self.following():
                for control in (self._slider, self._play):
                    control.value = _place(self._steps, self.session.step)


def _place(steps: tuple[int, ...], step: int) -> int:
    """Return where a step stands; a recorder may have let go of it since."""
    return min(bisect_left(steps, step), len(steps) - 1)


def _button(icon: str, tooltip: str) -> ipywidgets.Button:
    return ipywidgets.Button(icon=icon, tooltip=tooltip, layout={"width": "34px", "flex": "0 0 auto"})
