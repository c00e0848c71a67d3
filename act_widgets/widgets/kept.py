"""What was made last, kept for when it is asked for again."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any


class Kept:
    """One thing, and what it was made for."""

    def __init__(self) -> None:
        self._kept: tuple[Hashable, Any] = object(), None

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return the thing that is kept for `key`, or make it."""
        kept = self._kept  # another thread may ask for another one meanwhile
        if kept[0] != key:
            kept = self._kept = key, make()
        return kept[1]
