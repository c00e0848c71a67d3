"""How far work is."""

from __future__ import annotations

from typing import Any, NamedTuple


class Partial(NamedTuple):
    """A step of some work.

    Attributes
    ----------
    share : float
        How much is done, from 0 to 1; NaN if nobody can know.
    words : str
        What is under way.
    result : object
        What the work gives, with the last step; None before.
    """

    share: float
    words: str
    result: Any = None
