"""What widgets keep once for each session, as long as there is the session."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

from ..session import Session

T = TypeVar("T")


class PerSession(Generic[T]):
    """Called with a session, returns what was made for it, or makes it.

    Parameters
    ----------
    make : callable
        Makes it. It must not refer to the session, which would then stay for ever.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: weakref.WeakKeyDictionary[Session, T] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def __call__(self, session: Session) -> T:
        """Return what was made for a session."""
        with self._lock:
            if session not in self._made:
                self._made[session] = self._make()
            return self._made[session]
