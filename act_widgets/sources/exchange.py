"""Exchange functions of other libraries for a while; whoever asks last puts them back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

_lock = threading.RLock()
_exchanged: dict[tuple[Any, str], tuple[Callable, int]] = {}


class Exchange(NamedTuple):
    """A function of a class or a module, and what makes the one that stands in for it from it."""

    owner: Any
    name: str
    wrap: Callable[[Callable], Callable]


def exchange(exchanges: Iterable[Exchange]) -> None:
    """Put other functions in place; what is exchanged already by the same name stays as it is."""
    with _lock:
        for owner, name, wrap in exchanges:
            original, count = _exchanged.get((owner, name), (vars(owner)[name], 0))
            if count == 0:
                setattr(owner, name, wrap(original))
            _exchanged[owner, name] = original, count + 1


def restore(exchanges: Iterable[Exchange]) -> None:
    """Take back what `exchange` was given once; after the last time, the original is in its place."""
    with _lock:
        for owner, name, _ in exchanges:
            original, count = _exchanged.pop((owner, name))
            if count == 1:
                setattr(owner, name, original)
            else:
                _exchanged[owner, name] = original, count - 1
