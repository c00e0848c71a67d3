"""Work in steps that several askers go through together: each step is computed once."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator, MutableMapping
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """An iterator that every asker can follow from where it stands now.

    Parameters
    ----------
    made : iterator
        The steps. It is let go of with the last asker.
    """

    def __init__(self, made: Iterator[T]) -> None:
        self._made = made
        self._turn = threading.RLock()
        self._count = 0
        self._latest: list[T] = []
        self._failure: Exception | None = None

    @property
    def has_failed(self) -> bool:
        """Whether nobody can go on with it."""
        return self._failure is not None

    def followed(self) -> Iterator[T]:
        """Yield the latest step, and then each that is new to this asker; it makes what nobody has."""
        seen = 0
        while True:
            with self._turn:
                if seen == self._count and not self._make():
                    return
                seen, step = self._count, self._latest[0]
            yield step

    def _make(self) -> bool:
        if self._failure is not None:
            raise self._failure
        try:
            self._latest[:] = [next(self._made)]
        except StopIteration:
            return False
        except BaseException as failure:
            interrupted = RuntimeError("This work was interrupted elsewhere. Ask for it again.")
            self._failure = failure if isinstance(failure, Exception) else interrupted
            raise
        self._count += 1
        return True


def followed(known: MutableMapping[Hashable, Shared[T]], key: Hashable, made: Iterator[T]) -> Iterator[T]:
    """Yield the steps under way for a key, or begin with `made`; `known` should hold them weakly."""
    shared = known.get(key)
    if shared is None or shared.has_failed:
        shared = known[key] = Shared(made)
    yield from shared.followed()
