"""Work in steps that several ask for at a time: each step is taken once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from typing import Any


class UnderWay:
    """What was begun and is not done."""

    def __init__(self) -> None:
        self._works: dict[Hashable, _Work] = {}
        self._lock = threading.Lock()

    def follow(self, key: Hashable, begin: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        """Yield steps up to the one with a ``share`` of 1, from where the work is that others began.

        Parameters
        ----------
        key : Hashable
            What is worked on.
        begin : callable
            Returns the steps. Called where nobody works on it yet, and again after one that failed.
        """
        with self._lock:
            work = self._works.setdefault(key, _Work(begin))
        step = None
        while step is None or step.share < 1:
            step = work.after(step)
            if step.share >= 1:
                with self._lock:
                    self._works.pop(key, None)
            yield step


class _Work:
    """Steps that are taken by whoever comes first, and seen by all."""

    def __init__(self, begin: Callable[[], Iterator[Any]]) -> None:
        self._begin = begin
        self._steps = begin()
        self._latest: Any = None
        self._turn = threading.RLock()

    def after(self, seen: Any) -> Any:
        """Return the latest step; where that was seen already, the next."""
        with self._turn:
            if self._latest is seen:
                try:
                    self._latest = next(self._steps)
                except BaseException:  # an interrupt too: nobody can go on from there
                    self._steps = self._begin()
                    raise
            return self._latest
