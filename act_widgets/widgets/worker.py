"""One thread for each session that computes what can't be looked up."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable

from ..session import Session

_workers: weakref.WeakKeyDictionary[Session, Worker] = weakref.WeakKeyDictionary()
_IDLE_SECONDS = 5.0


class Worker:
    """Runs jobs in a thread of its own; a newer job of the same owner replaces a waiting one."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[Hashable, Callable[[], None]] = OrderedDict()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._busy = False

    def submit(self, owner: Hashable, job: Callable[[], None]) -> None:
        """Queue a job that handles its own errors."""
        with self._changed:
            self._jobs[owner] = job
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="act_widgets", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def withdraw(self, owner: Hashable) -> None:
        """Drop an owner's waiting job."""
        with self._changed:
            self._jobs.pop(owner, None)

    def wait(self, timeout: float = 60.0) -> bool:
        """Return once nothing waits or runs, or False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs and not self._busy, timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._changed.wait_for(lambda: bool(self._jobs), _IDLE_SECONDS):
                    self._thread = None
                    return
                _, job = self._jobs.popitem(last=False)
                self._busy = True
            try:
                job()
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()


def worker_of(session: Session) -> Worker:
    """Return the session's worker."""
    if session not in _workers:
        _workers[session] = Worker()
    return _workers[session]
