"""What was made last, kept for when it is asked for again."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any


class Kept:
    """One thing, and what it was made for."""

    def __init__(self) -> None:
        self._key: Hashable = object()
        self._made: Any = None

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return the thing that is kept for `key`, or make it."""
        if self._key != key:
            self._key, self._made = key, make()
        return self._made
