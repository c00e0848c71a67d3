"""Follow the trainings of a model: hear of each step, without a callback and without asking the model.

While somebody follows one, the methods of Keras's ``CallbackList`` that every ``fit`` calls are exchanged on
the class, so that a ``fit`` that runs already is heard too. ``evaluate`` and ``predict`` call others.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any

from .exchange import Exchange, exchange, restore
from .libraries import callback_lists
from .protocol import Moment, TrainingListener
from .running import LOOK, fit_codes, outward
from .trainings import Phase, Training, Trainings

_trainings = Trainings()
_followers: list[tuple[Any, TrainingListener]] = []
_following = threading.RLock()
_exchanged: list[Exchange] = []


def at_rest(model: Any) -> AbstractContextManager[None]:
    """Keep every training of a model that is followed between two steps."""
    return _trainings.at_rest(model)


def moments(model: Any) -> tuple[Moment, ...]:
    """Return where the trainings of a model stand."""
    return _trainings.moments(model)


def follow(model: Any, listener: TrainingListener) -> Callable[[], None]:
    """Tell a listener of the trainings of a model, until what is returned is called."""
    follower = (model, listener)
    with _following:
        if not _followers:
            _exchanged[:] = [Exchange(o, n, _heard) for o in callback_lists() for n in _AFTER]
            exchange(_exchanged)
            for training in _under_way():
                _follow(training)
        _followers.append(follower)
        running = [training for training in _trainings if training.changes(model)]
    for training in running:
        listener.began(training.moment())

    def stop() -> None:
        with _following:
            _followers.remove(follower)
            if not _followers:
                restore(_exchanged)
                _trainings.clear()

    return stop


def _listeners(training: Training) -> list[TrainingListener]:
    with _following:
        return [listener for model, listener in _followers if training.changes(model)]


def _follow(training: Training) -> None:
    _trainings.add(training)
    # Whatever ends a training, also an interrupt in the middle of a step, ends the function that trains.
    threading.Thread(target=_watch, args=(training,), name="act_widgets training", daemon=True).start()


def _watch(training: Training) -> None:
    while training in _trainings:
        if not training.is_running():
            _ended(training)
        training.over.wait(LOOK)


def _ended(training: Training) -> None:
    training.over.set()
    if _trainings.end(training):
        for listener in _listeners(training):
            listener.ended()


def _stepped(training: Training) -> None:
    for listener in _listeners(training):
        listener.stepped(training.moment())


_AFTER: dict[str, Callable[[Training], None]] = {
    "on_train_begin": lambda training: None,
    "on_epoch_begin": lambda training: None,
    "on_train_batch_begin": _trainings.enter_step,
    "on_train_batch_end": _stepped,
    "on_epoch_end": lambda training: None,
    "on_train_end": _ended,
}


def _heard(original: Callable) -> Callable:
    """Return a method of a ``CallbackList`` that is heard."""
    name = original.__name__

    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        training = _training_of(self, name == "on_train_begin")
        if training is None:
            return original(self, *args, **kwargs)
        if name == "on_train_batch_begin":
            training.begins(int(args[0]))
        elif name == "on_train_batch_end":
            training.ends(int(args[0]))
        with _trainings.calling(training):
            made = original(self, *args, **kwargs)
        _AFTER[name](training)
        return made

    return method


def _training_of(callbacks: Any, begins: bool) -> Training | None:
    """Return the training that tells these callbacks, which may be a new one; None without a model."""
    known = _trainings.of(callbacks)
    for broken_off in known if begins else known[1:]:
        _ended(broken_off)
    if known and not begins:
        return known[0]
    model = getattr(callbacks, "model", None)
    if model is None:
        return None
    training = Training(model, callbacks, threading.get_ident(), _caller(callbacks), begins)
    training.phase = Phase.REST
    _follow(training)
    if not _followers:  # the last one went while this call was on its way
        _trainings.clear()
        return None
    for listener in _listeners(training):
        listener.began(training.moment())
    return training


def _caller(callbacks: Any) -> FrameType:
    """Return the function that calls these callbacks, not that of a class made from theirs."""
    frame = sys._getframe(3)
    while frame.f_locals.get("self") is callbacks and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _under_way() -> Iterator[Training]:
    """Yield each ``fit`` that has begun its steps already."""
    codes = fit_codes()
    for thread, top in sys._current_frames().items():
        found = []
        for frame in outward(top):
            callbacks = frame.f_locals.get("callbacks") if frame.f_code in codes else None
            if isinstance(callbacks, callback_lists()):
                found.append(Training(callbacks.model, callbacks, thread, frame, is_whole=False))
        yield from reversed(found)
