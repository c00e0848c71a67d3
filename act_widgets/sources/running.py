"""Functions under way: whether one has ended, however it ended, and which one trains."""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any

import keras

from .libraries import model_classes

LOOK = 0.2
"""Seconds: how often somebody looks whether a function was broken off."""


def is_running(thread: int, function: FrameType) -> bool:
    """Whether a function that began in a thread has not ended."""
    return any(frame is function for frame in outward(sys._current_frames().get(thread)))


def outward(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield a function that runs, the one that called it, and so on."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def fit_codes() -> frozenset[CodeType]:
    """Return the code of each library's ``fit``."""
    return frozenset(inspect.unwrap(kind.fit).__code__ for kind in model_classes())


def trainer(callback: Any) -> FrameType:
    """Return the function that trains and has just called a callback: the nearest ``fit``, or a loop."""
    codes, stack = fit_codes(), list(outward(sys._getframe(1)))
    fits = (frame for frame in stack if frame.f_code in codes)
    told = (keras.callbacks.Callback, keras.callbacks.CallbackList, type(callback))
    loops = (frame for frame in stack if not isinstance(frame.f_locals.get("self"), told))
    return next(fits, None) or next(loops)


def when_over(function: FrameType, over: threading.Event, tell: Callable[[], Any]) -> None:
    """Call `tell` from a thread once a function of this thread has ended, unless `over` is set before."""
    thread = threading.get_ident()

    def watch() -> None:
        while not over.wait(LOOK):
            if not is_running(thread, function):
                tell()
                return

    threading.Thread(target=watch, name="act_widgets recorder", daemon=True).start()
