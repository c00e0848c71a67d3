"""What a caller gives a session, checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from .attribution import METHODS, Attribution
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


def checked_maps(result: Attribution, samples: int) -> Attribution:
    """Return maps of a batch, or of one of its samples, or raise an `InputError`."""
    if not isinstance(result, Attribution):
        raise InputError(
            "A curve follows maps that say what they are maps of. Received: an object of type "
            f"{type(result).__name__}. Expected: what attribution(...) of this session returned."
        )
    if len(result.maps) not in (1, samples):
        raise InputError(
            f"These are maps of other samples. Received: {len(result.maps)} maps, for {samples} samples. "
            "Expected: what attribution(...) of this session returned, for all samples or for one."
        )
    return result


def checked_budget(cache_bytes: int | None) -> int:
    """Return a budget in bytes, the usual one for None, or raise an `InputError`."""
    budget = DEFAULT_BUDGET if cache_bytes is None else cache_bytes
    if isinstance(budget, int | np.integer) and not isinstance(budget, bool) and budget > 0:
        return int(budget)
    raise InputError(
        f"The budget of the cache is a number of bytes. Received: cache_bytes={cache_bytes!r}. "
        "Expected: a positive integer, such as 2**30."
    )


def checked_labels(labels: Sequence[str] | Mapping[int, str] | None, head: Head) -> tuple[str, ...] | None:
    """Return class names that fit a model's head, or raise an `InputError`."""
    if labels is None:
        return None
    if not isinstance(labels, Iterable):
        raise InputError(
            f"Labels are a sequence of names. Received: labels={labels!r:.80} of type "
            f"{type(labels).__name__}. Expected: {head.units} strings."
        )
    names = tuple(str(name) for name in _in_order(labels, head))
    allowed = (1, 2) if head.units == 1 else (head.units,)
    if isinstance(labels, str):
        raise InputError(
            f"Labels are a sequence of names, one for each class. Received: labels={labels!r:.80}, a single "
            f"string. Expected: {' or '.join(map(str, allowed))} strings, such as list(labels)."
        )
    if len(names) not in allowed:
        raise InputError(
            f"Labels must name the units of the model's output. Received: {len(names)} labels. "
            f"Expected: {' or '.join(map(str, allowed))}."
        )
    return names


def _in_order(labels: Sequence[str] | Mapping[int, str], head: Head) -> Iterable[str]:
    """Return names in the order of their classes, also those of a dictionary by the number of the class."""
    if not isinstance(labels, Mapping):
        return labels
    if set(labels) != set(range(len(labels))):
        raise InputError(
            f"Labels by number name every class from 0 on. Received: the keys {list(labels)!r:.80}. "
            f"Expected: 0 to {head.classes - 1}, or a sequence of names."
        )
    return [labels[number] for number in range(len(labels))]
