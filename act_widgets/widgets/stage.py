"""A result on the way to the last one."""

from __future__ import annotations

from typing import Any, NamedTuple


class Stage(NamedTuple):
    """A result on the way to the last one.

    Attributes
    ----------
    result : object
        What `View.draw` takes; None before the last stage if there is nothing to draw yet: the picture
        before stays, pale.
    share : float
        How much of the work is done; 1 for the last stage, NaN if nobody can know.
    words : str
        What is done, and what is to come.
    waits : bool
        Whether the work goes on only when the user says so.
    """

    result: Any
    share: float = 1.0
    words: str = ""
    waits: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether it is the last one."""
        return self.share >= 1

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw yet."""
        return self.result is None and not self.is_whole
