"""Views of a model in training: they are shown anew between two steps, as often as costs little."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from ..session import Session
from ..sources.protocol import Moment
from .per_session import PerSession
from .worker import worker_of

SHARE = 0.05
"""What showing anew may take of a training's time, all sessions that have a view open together."""

_open: set[Live] = set()


class Shown(Protocol):
    """What is on the screen, and says which step it is of."""

    session: Session

    def tell_step(self) -> None:
        """Say which step is shown."""


class Live:
    """Follows the trainings of one session's model while a view of it is open.

    It measures how long the views take, and shows them anew when that time is `SHARE` of what has gone by:
    the first time at the first step, and once more when the training is over.
    """

    def __init__(self) -> None:
        self._shown: list[Shown] = []
        self._lock = threading.RLock()
        self._session: Session | None = None
        self._stop: Callable[[], None] | None = None
        self._due = 0.0
        self._is_asked = False
        self._between = 0

    def join(self, shown: Shown) -> None:
        """Keep something on the screen up to date from now on."""
        with self._lock:
            self._shown.append(shown)
            if self._session is None:
                self._session = shown.session
                _open.add(self)
                self._stop = shown.session.source.follow(self)

    def leave(self, shown: Shown) -> None:
        """Keep something up to date no more; after the last nobody follows the model."""
        with self._lock:
            if shown not in self._shown:
                return
            self._shown.remove(shown)
            if not self._shown and self._stop is not None:
                self._stop()
                self._session = self._stop = None
                _open.discard(self)

    def began(self, moment: Moment) -> None:
        """Show the model anew at the first step; what is not of the weights as they are now is old."""
        self._due, self._between = 0.0, 0
        session = self._session
        if session is not None and (not moment.is_whole or session.stale):
            session.outdated = True
        self._tell()

    def stepped(self, moment: Moment) -> None:
        """Show the model anew if it is time."""
        if time.monotonic() >= self._due:
            self._ask()

    def ended(self) -> None:
        """Show the model as it is then."""
        self._ask()

    def words(self, session: Session) -> str:
        """Return which step is shown; nothing outside of a training."""
        now = session.source.moments()
        if not now and not session.read_at:
            return ""
        if not session.read_at:
            return "as before the training" if now[0].is_whole else "in training"
        moment = session.read_at[0]
        since = "" if moment.is_whole else " since it is watched"
        often = f", refreshed every ~{self._between} steps" if self._between > 1 else ""
        return f"step {moment.step}{since}{often if now else ''}"

    @contextmanager
    def reading(self, session: Session) -> Iterator[None]:
        """Keep the training between two steps and the numbers those of the step, and measure how long."""
        with session.source.at_rest():
            start = time.monotonic()
            try:
                self._follow(session)
                yield
            finally:
                now = time.monotonic()
                self._due = now + (now - start) * (max(1, len(_open)) / SHARE - 1)

    def _follow(self, session: Session) -> None:
        before = session.read_at
        session.follow_weights()
        now = session.read_at
        if now != before:
            is_next = bool(before and now) and before[0].training == now[0].training
            self._between = now[0].step - before[0].step if is_next else 0
            self._tell()

    def _ask(self) -> None:
        session = self._session
        if session is not None and not self._is_asked:
            self._is_asked = True
            worker_of(session).submit(self, lambda: self._answer(session))

    def _answer(self, session: Session) -> None:
        self._is_asked = is_read = False
        try:
            worker_of(session).hold(self.reading(session))
            is_read = True
        finally:
            if not is_read:  # each view tries it too, and shows why it fails
                session.outdated = True

    def _tell(self) -> None:
        for shown in list(self._shown):
            shown.tell_step()


live_of: PerSession[Any] = PerSession(Live)
