"""One thread for each session that computes what can't be looked up."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack

from .per_session import PerSession


class Worker:
    """Runs jobs one after the other; a newer job of the same owner replaces a waiting one."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[Hashable, Callable[[], None]] = OrderedDict()
        self._running = 0
        self._held: ExitStack | None = None
        self._lock = threading.Condition()
        # An executor's thread is joined when the interpreter ends: one that is killed inside
        # TensorFlow takes the process down with it.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="act_widgets")

    def submit(self, owner: Hashable, job: Callable[[], None]) -> None:
        """Queue a job that handles its own errors."""
        with self._lock:
            self._jobs[owner] = job
        self._pool.submit(self._run_next)

    def hold(self, context: AbstractContextManager[None]) -> None:
        """Enter a context, unless one is held, and leave it when there is nothing more to do. For jobs."""
        if self._held is None:
            with ExitStack() as entered:
                entered.enter_context(context)
                self._held = entered.pop_all()

    def withdraw(self, owner: Hashable) -> None:
        """Drop an owner's waiting job."""
        with self._lock:
            self._jobs.pop(owner, None)
            self._lock.notify_all()

    def wait(self, timeout: float = 60.0) -> bool:
        """Return once all has run, what jobs submit too, or False after `timeout` seconds."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._jobs and not self._running, timeout)

    def _run_next(self) -> None:
        with self._lock:
            if not self._jobs:
                return
            job = self._jobs.popitem(last=False)[1]
            self._running += 1
        try:
            job()
        finally:
            if not self._jobs and self._held is not None:
                held, self._held = self._held, None
                held.close()
            with self._lock:
                self._running -= 1
                self._lock.notify_all()


worker_of = PerSession(Worker)
