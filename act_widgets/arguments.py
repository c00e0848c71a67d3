"""What a caller gives a session, checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from .attribution import METHODS
from .errors import InputError, listed, nearest
from .keys import Head
from .reading.reader import DEFAULT_BUDGET


def checked_method(name: str) -> str:
    """Return the name of an attribution method, or raise an `InputError`."""
    if not isinstance(name, str) or name not in METHODS:
        raise InputError(
            f"No attribution method {name!r}. Expected: {listed(nearest(str(name), METHODS, len(METHODS)))}."
        )
    return name


def checked_budget(cache_bytes: int | None) -> int:
    """Return a budget in bytes, the usual one for None, or raise an `InputError`."""
    budget = DEFAULT_BUDGET if cache_bytes is None else cache_bytes
    if isinstance(budget, int | np.integer) and not isinstance(budget, bool) and budget > 0:
        return int(budget)
    raise InputError(
        f"The budget of the cache is a number of bytes. Received: cache_bytes={cache_bytes!r}. "
        "Expected: a positive integer, such as 2**30."
    )


def checked_labels(labels: Sequence[str] | None, head: Head) -> tuple[str, ...] | None:
    """Return class names that fit a model's head, or raise an `InputError`."""
    if labels is None:
        return None
    if not isinstance(labels, Iterable):
        raise InputError(
            f"Labels are a sequence of names. Received: labels={labels!r:.80} of type "
            f"{type(labels).__name__}. Expected: {head.units} strings."
        )
    names = tuple(str(name) for name in labels)
    allowed = (1, 2) if head.units == 1 else (head.units,)
    if isinstance(labels, str) or len(names) not in allowed:
        raise InputError(
            f"Labels must name the units of the model's output. Received: {len(names)} labels"
            f"{' (a single string)' if isinstance(labels, str) else ''}. "
            f"Expected: {' or '.join(map(str, allowed))}."
        )
    return names
