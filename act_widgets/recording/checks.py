"""What a recorder is told, checked before the training begins."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ..errors import InputError, listed
from ..keys import whole_number
from .npy_log import NpyLog
from .record import Writer


def several(writers: Any) -> Sequence[Any]:
    """Return writers as a sequence, also if one is given alone."""
    return writers if isinstance(writers, list | tuple) else (writers,)


def writer_of(given: Any) -> Writer:
    """Return a writer, or the one that a path stands for."""
    if isinstance(given, str | os.PathLike):
        return NpyLog(given)
    if all(callable(getattr(given, name, None)) for name in ("open", "write", "close")):
        return given
    raise InputError(
        f"A writer is given records. Received: {given!r:.80}. Expected: NpyLog, ZarrLog, EventFiles, "
        "PrometheusMetrics, or the path of a folder."
    )


def checked_every(every: Any) -> str | int:
    """Return when to record, or raise an `InputError`."""
    number = whole_number(every)
    if every == "epoch" or (number is not None and number > 0):
        return every if number is None else number
    raise InputError(
        f"Records are made at steps. Received: every={every!r:.80}. Expected: 'epoch', or a number of "
        "steps, at least 1."
    )


def checked_step(step: Any, last: int) -> int:
    """Return the number of a step behind the last one, or raise an `InputError`."""
    number = whole_number(step)
    if number is not None and number > last:
        return number
    raise InputError(
        f"Steps are recorded in their order. Received: step={step!r:.80} after {last}. Expected: a number "
        f"above {last}."
    )


def checked_share(share: Any) -> float | None:
    """Return a share of time, or raise an `InputError`."""
    if share is None or (isinstance(share, int | float) and 0 < share <= 1):
        return share
    raise InputError(
        f"Records take a share of the training's time. Received: share={share!r:.80}. Expected: a number "
        "above 0 and up to 1, such as 0.05 for 5 %, or None for no limit."
    )


def one_of(name: str, value: Any, choices: Sequence[str]) -> str:
    """Return a value if it is one of the choices, or raise an `InputError`."""
    if value in choices:
        return value
    raise InputError(f"Received: {name}={value!r:.80}. Expected: {listed(choices)}.")
