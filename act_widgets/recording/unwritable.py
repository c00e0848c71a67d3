"""What a writer says when it can't write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import ActWidgetsError


@contextmanager
def told_of(place: str) -> Iterator[None]:
    """Turn whatever keeps a recording from being written into one `OSError` that names the place.

    Parameters
    ----------
    place : str
        Where it is written to.

    Raises
    ------
    OSError
        With the same ``errno``, if there is one.
    """
    try:
        yield
    except ActWidgetsError:
        raise
    except Exception as error:
        number = getattr(error, "errno", None)
        reason = (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")
        message = (
            f"The recording in '{place}' can't be written: {reason}. Steps that were written before stay "
            "readable. Expected: a place that may be written to, with room left on it."
        )
        raise (OSError(message) if number is None else OSError(number, message)) from error
