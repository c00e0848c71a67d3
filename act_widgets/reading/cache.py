"""A cache that counts bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Protocol


class Sized(Protocol):
    """What can be kept: an array, or anything else that knows its size."""

    @property
    def nbytes(self) -> int:
        """Size in bytes."""


@dataclass
class _Store:
    """What all parts of a cache share."""

    budget: int
    arrays: OrderedDict[Hashable, Any] = field(default_factory=OrderedDict)
    lock: Any = field(default_factory=threading.RLock)
    bytes: int = 0
    hits: int = 0
    misses: int = 0
    evictions: int = 0
    refused: int = 0


class ByteCache:
    """Least recently used arrays go first when the budget of bytes is reached.

    Parameters
    ----------
    budget : int
        Bytes that the kept arrays may take together.
    """

    def __init__(self, budget: int) -> None:
        self._store = _Store(budget)
        self._name: Hashable = None

    def part(self, name: Hashable) -> ByteCache:
        """Return the same cache under keys of its own: budget, bytes, counts and `clear` are the whole's."""
        part = copy(self)
        part._name = name  # noqa: SLF001 (it is one of ours)
        return part

    @property
    def budget(self) -> int:
        """Bytes that may be held."""
        return self._store.budget

    @property
    def bytes(self) -> int:
        """Bytes held now."""
        return self._store.bytes

    @property
    def hits(self) -> int:
        """How often something was looked up and found since the cache was made."""
        return self._store.hits

    @property
    def misses(self) -> int:
        """How often something was looked up and not found."""
        return self._store.misses

    @property
    def evictions(self) -> int:
        """How many arrays were dropped for others."""
        return self._store.evictions

    @property
    def refused(self) -> int:
        """How many arrays were larger than the whole budget."""
        return self._store.refused

    def __contains__(self, key: Hashable) -> bool:
        return (self._name, key) in self._store.arrays

    def get(self, key: Hashable) -> Any:
        """Return the array kept under `key` and mark it as used, or None."""
        with self._store.lock:
            array = self.used(key)
            if array is None:
                self._store.misses += 1
            else:
                self._store.hits += 1
            return array

    def used(self, key: Hashable) -> Any:
        """Return the array kept under `key`, or None, and mark it as used without counting."""
        named = self._name, key
        with self._store.lock:
            array = self._store.arrays.get(named)
            if array is not None:
                self._store.arrays.move_to_end(named)
            return array

    def peek(self, key: Hashable) -> Any:
        """Return the array kept under `key`, or None, without counting or marking it."""
        return self._store.arrays.get((self._name, key))

    def put(self, key: Hashable, array: Sized) -> bool:
        """Keep `array`, dropping others if needed; return whether it fits at all."""
        store = self._store
        with store.lock:
            self._drop(key)
            if array.nbytes > store.budget:
                store.refused += 1
                return False
            while store.bytes + array.nbytes > store.budget:
                store.bytes -= store.arrays.popitem(last=False)[1].nbytes
                store.evictions += 1
            store.arrays[self._name, key] = array
            store.bytes += array.nbytes
            return True

    def offer(self, key: Hashable, array: Sized) -> None:
        """Keep `array` if there is room for it beside all else."""
        with self._store.lock:
            if key not in self and self.bytes + array.nbytes <= self.budget:
                self.put(key, array)

    def clear(self) -> None:
        """Drop everything; the counts stay."""
        with self._store.lock:
            self._store.arrays.clear()
            self._store.bytes = 0

    def _drop(self, key: Hashable) -> None:
        old = self._store.arrays.pop((self._name, key), None)
        if old is not None:
            self._store.bytes -= old.nbytes
