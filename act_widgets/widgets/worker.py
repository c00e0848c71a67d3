"""One thread for each session that computes what can't be looked up."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as WaitedTooLong

from ..session import Session

_workers: weakref.WeakKeyDictionary[Session, Worker] = weakref.WeakKeyDictionary()

_lock = threading.Lock()


class Worker:
    """Runs jobs one after the other; a newer job of the same owner replaces a waiting one."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[Hashable, Callable[[], None]] = OrderedDict()
        self._lock = threading.Lock()
        # An executor's thread is joined when the interpreter ends: one that is killed inside
        # TensorFlow takes the process down with it.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="act_widgets")

    def submit(self, owner: Hashable, job: Callable[[], None]) -> None:
        """Queue a job that handles its own errors."""
        with self._lock:
            self._jobs[owner] = job
        self._pool.submit(self._run_next)

    def withdraw(self, owner: Hashable) -> None:
        """Drop an owner's waiting job."""
        with self._lock:
            self._jobs.pop(owner, None)

    def wait(self, timeout: float = 60.0) -> bool:
        """Return once all that was submitted has run, or False after `timeout` seconds."""
        try:
            self._pool.submit(lambda: None).result(timeout)
        except WaitedTooLong:
            return False
        return True

    def _run_next(self) -> None:
        with self._lock:
            job = self._jobs.popitem(last=False)[1] if self._jobs else None
        if job is not None:
            job()


def worker_of(session: Session) -> Worker:
    """Return the session's worker."""
    with _lock:
        if session not in _workers:
            _workers[session] = Worker()
        return _workers[session]
