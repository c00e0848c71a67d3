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
        first = _behind(error)
        number = getattr(first, "errno", None)
        reason = (getattr(first, "strerror", None) or str(first) or type(first).__name__).rstrip(".")
        message = (
            f"The recording in '{place}' can't be written: {reason}. Steps that were written before stay "
            "readable. Expected: a place that may be written to, with room left on it."
        )
        raise (OSError(message) if number is None else OSError(number, message)) from error


def _behind(error: BaseException) -> BaseException:
    """Return the error of the system that led to another, such as the `KeyError` of a store; else itself."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, OSError):
        found = found.__cause__ or found.__context__
    return found or error
