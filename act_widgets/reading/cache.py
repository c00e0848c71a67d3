"""A cache that counts bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Protocol


class Sized(Protocol):
    """What can be kept: an array, or anything else that knows its size."""

    @property
    def nbytes(self) -> int:
        """Size in bytes."""


class ByteCache:
    """Least recently used arrays go first when the budget of bytes is reached.

    Parameters
    ----------
    budget : int
        Bytes that the kept arrays may take together.

    Attributes
    ----------
    hits, misses, evictions, refused : int
        Counts since the cache was made. An array larger than the whole budget is refused.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.hits = self.misses = self.evictions = self.refused = 0
        self._arrays: OrderedDict[Hashable, Any] = OrderedDict()
        self._bytes = 0
        self._lock = threading.RLock()

    @property
    def bytes(self) -> int:
        """Bytes held now."""
        return self._bytes

    def __contains__(self, key: Hashable) -> bool:
        return key in self._arrays

    def get(self, key: Hashable) -> Any:
        """Return the array kept under `key` and mark it as used, or None."""
        with self._lock:
            array = self._arrays.get(key)
            if array is None:
                self.misses += 1
                return None
            self.hits += 1
            self._arrays.move_to_end(key)
            return array

    def used(self, key: Hashable) -> Any:
        """Return the array kept under `key`, or None, and mark it as used without counting."""
        with self._lock:
            if key in self._arrays:
                self._arrays.move_to_end(key)
            return self._arrays.get(key)

    def peek(self, key: Hashable) -> Any:
        """Return the array kept under `key`, or None, without counting or marking it."""
        return self._arrays.get(key)

    def put(self, key: Hashable, array: Sized) -> bool:
        """Keep `array`, dropping others if needed; return whether it fits at all."""
        with self._lock:
            self._drop(key)
            if array.nbytes > self.budget:
                self.refused += 1
                return False
            while self._bytes + array.nbytes > self.budget:
                self._bytes -= self._arrays.popitem(last=False)[1].nbytes
                self.evictions += 1
            self._arrays[key] = array
            self._bytes += array.nbytes
            return True

    def clear(self) -> None:
        """Drop everything; the counts stay."""
        with self._lock:
            self._arrays.clear()
            self._bytes = 0

    def _drop(self, key: Hashable) -> None:
        old = self._arrays.pop(key, None)
        if old is not None:
            self._bytes -= old.nbytes
