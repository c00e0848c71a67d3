"""Trainings under way: which step they are at, and who may read a model between two of their steps."""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from types import FrameType
from typing import Any

from ..errors import ModelError
from .executions import Execution
from .libraries import sublayers, weights_of
from .protocol import Moment
from .running import LOOK, is_running

# Seconds: how long a training and those who read wait for each other where neither is sure to come; how long
# a step may take for one who reads.
_PATIENCE = 1.0
_LIMIT = 600.0
_numbers = itertools.count()


class Phase(Enum):
    """What a training does just now."""

    REST = auto()
    CALLBACKS = auto()
    STEP = auto()


class Training:
    """A ``fit`` under way, or a loop that tells Keras's callbacks of its steps as ``fit`` does.

    Parameters
    ----------
    model : layer
        What is trained.
    callbacks : CallbackList
        What is told of its steps.
    frame : frame
        The function that trains: once it runs no more, the training is over, however it ended.
    is_whole : bool
        Whether it is followed from its first step on.

    Attributes
    ----------
    step : int
        How many steps were made since it is followed.
    over : threading.Event
        Set once it has ended.
    """

    def __init__(self, model: Any, callbacks: Any, thread: int, frame: FrameType, is_whole: bool) -> None:
        self.model = model
        self.callbacks = callbacks
        self.thread = thread
        self.is_whole = is_whole
        self.step = 0
        self._execution: Execution | None = None
        self.phase = Phase.REST if is_whole else Phase.STEP
        self.since = time.monotonic()
        self.over = threading.Event()
        self._number = next(_numbers)
        self._frame = frame
        self._parts = _parts(model)
        self._related: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()

    def changes(self, model: Any) -> bool:
        """Whether a model has a layer or a variable in common with the one that is trained."""
        if model not in self._related:
            self._related[model] = not self._parts.isdisjoint(_parts(model))
        return self._related[model]

    def is_running(self) -> bool:
        """Whether the function that trains has not ended."""
        return is_running(self.thread, self._frame)

    def begins(self, batch: int) -> None:
        """Note that it begins its next steps, with the one of this number in its epoch."""
        self._execution = Execution(self.model, getattr(self.callbacks, "params", None), batch)

    def ends(self, batch: int) -> None:
        """Count the steps that it made; `batch` is what Keras calls the last one."""
        # One that runs already may be heard first in the middle of a step.
        self.step += 1 if self._execution is None else self._execution.made(batch)

    def moment(self) -> Moment:
        """Return where it stands, as the calling thread may see it."""
        is_between = self.phase is not Phase.STEP or self.thread == threading.get_ident()
        return Moment(self._number, self.step, self.is_whole, is_between)

    def move(self, phase: Phase) -> None:
        """Note what it does from now on."""
        self.phase, self.since = phase, time.monotonic()

    @property
    def is_open(self) -> bool:
        """Whether another thread may read: at rest, and in callbacks that seem to wait for somebody."""
        is_slow = self.phase is Phase.CALLBACKS and time.monotonic() - self.since > _PATIENCE
        return self.phase is Phase.REST or is_slow


def _parts(model: Any) -> frozenset[int]:
    return frozenset(map(id, [*sublayers(model), *weights_of(model)]))


class _Reading:
    """Somebody who reads a model, or waits to."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.thread = threading.get_ident()
        self.waits = True


class Trainings:
    """All trainings of the process that are followed.

    Nobody holds one thing while waiting for another: who reads waits until every training of the model is
    between two steps at once, and has them all, or none. A thread never waits for itself.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._stacks: dict[int, list[Training]] = {}
        self._readings: list[_Reading] = []

    def __iter__(self) -> Iterator[Training]:
        with self.changed:
            return iter([training for stack in self._stacks.values() for training in stack])

    def of(self, callbacks: Any) -> list[Training]:
        """Return this thread's training that tells these callbacks of its steps, and those inside it."""
        with self.changed:
            stack = self._stacks.get(threading.get_ident(), [])
            places = [i for i, known in enumerate(stack) if known.callbacks is callbacks]
            return stack[places[0] :] if places else []

    def add(self, training: Training) -> None:
        """Follow a training; one that runs in a callback of another is the other's inner one."""
        with self.changed:
            if training.thread == threading.get_ident():
                self._wait_for_readers([training])
            self._stacks.setdefault(training.thread, []).append(training)

    def end(self, training: Training) -> bool:
        """Follow a training no more; return whether it was followed till now."""
        with self.changed:
            stack = self._stacks.get(training.thread, [])
            if training not in stack:
                return False
            self._wait_for_readers(stack)
            if training not in stack:
                return False
            del stack[stack.index(training) :]
            if not stack:
                self._stacks.pop(training.thread, None)
            self.changed.notify_all()
            return True

    def clear(self) -> None:
        """Follow none any more; whoever waits goes on."""
        with self.changed:
            self._stacks.clear()
            self.changed.notify_all()

    def moments(self, model: Any) -> tuple[Moment, ...]:
        """Return where each training stands that changes a model."""
        if not self._stacks:
            return ()
        return tuple(training.moment() for training in self if training.changes(model))

    @contextmanager
    def calling(self, training: Training) -> Iterator[None]:
        """Run a training's callbacks within: they may change the model, and nobody reads it in the middle."""
        with self.changed:
            self._wait_for_readers(self._stacks.get(training.thread, []))
            training.move(Phase.CALLBACKS)
        try:
            yield
        finally:
            with self.changed:
                training.move(Phase.REST)
                self.changed.notify_all()

    def enter_step(self, training: Training) -> None:
        """Let those read who wait for it, then begin a step."""
        with self.changed:
            stack = self._stacks.get(training.thread, [])
            self.changed.wait_for(lambda: not self._meets(stack, waiting=True), _PATIENCE)
            self._wait_for_readers(stack)
            training.move(Phase.STEP)

    @contextmanager
    def at_rest(self, model: Any) -> Iterator[None]:
        """Keep every training of a model between two steps.

        Raises
        ------
        ModelError
            If a step takes longer than ten minutes: perhaps it waits for the one who asks.
        """
        mine = _Reading(model)
        with self.changed:
            mine.waits = bool(self._stacks) and not self._is_read_here(model)
            self._readings.append(mine)
        try:
            if mine.waits:
                self._wait(mine)
            yield
        finally:
            with self.changed:
                self._readings.remove(mine)
                self.changed.notify_all()

    def _wait(self, mine: _Reading) -> None:
        start = time.monotonic()
        with self.changed:
            while any(not t.is_open and t.is_running() for t in self._innermost(mine)):
                self.changed.wait(LOOK)
                if time.monotonic() - start > _LIMIT:
                    raise ModelError(
                        "The model is in training, and can be read only between two steps. Received: a "
                        f"question during a step that takes longer than {_LIMIT:.0f} s. Expected: shorter "
                        "steps, such as fewer steps_per_execution, and no question from the function that "
                        "prepares the training's own batches."
                    )
            mine.waits = False

    def _innermost(self, reading: _Reading) -> Iterator[Training]:
        """Yield what each other thread does that changes the model of one who reads."""
        for thread, stack in self._stacks.items():
            if thread != reading.thread and any(training.changes(reading.model) for training in stack):
                yield stack[-1]

    def _is_read_here(self, model: Any) -> bool:
        here = threading.get_ident()
        return any(r.model is model and r.thread == here and not r.waits for r in self._readings)

    def _wait_for_readers(self, stack: list[Training]) -> None:
        self.changed.wait_for(lambda: not self._meets(stack, waiting=False))

    def _meets(self, stack: list[Training], waiting: bool) -> bool:
        """Whether another thread reads what is trained, or waits to."""
        here = threading.get_ident()
        others = [r for r in self._readings if r.waits == waiting and r.thread != here]
        return any(training.changes(reading.model) for reading in others for training in stack)
