"""Keep a recorder within its share of the time that training takes."""

from __future__ import annotations

from collections import deque
from math import ceil
from statistics import median

GRACE = 0.5
"""Seconds that may be taken however short the training is."""


class Pace:
    """Says when there is time for another record.

    Parameters
    ----------
    share : float or None
        The part of the training's own time that may be taken; None for no limit. It is `GRACE` seconds
        where it would be less, so that a training of a few seconds is recorded at all.

    Attributes
    ----------
    spent : float
        Seconds taken so far.
    taken, skipped : int
        How many records there was time for, and for how many there was none.
    """

    def __init__(self, share: float | None) -> None:
        self.share = share
        self.spent = 0.0
        self.taken = 0
        self.skipped = 0
        self._last = 0.0

    def allows(self, elapsed: float) -> bool:
        """Return whether another record fits, if it takes as long as the last; count it as skipped if not.

        Parameters
        ----------
        elapsed : float
            Seconds since the training began, those taken for records included.
        """
        if self.share is None:
            return True
        allowed = max(GRACE, self.share * (elapsed - self.spent))
        fits = self.spent + self._last <= allowed
        self.skipped += not fits
        return fits

    def took(self, seconds: float, before: bool = False) -> None:
        """Count a record that took so long; one made `before` the training takes none of its time."""
        self.spent += 0 if before else seconds
        self.taken += 1
        self._last = seconds

    def spend(self, seconds: float) -> None:
        """Count what something else took."""
        self.spent += seconds

    def measured(self, elapsed: float) -> float:
        """Return the part of the training's own time that was taken."""
        own = elapsed - self.spent
        return self.spent / own if own > 0 else 0.0


class Holding:
    """Says before which steps the weights are held.

    While they are, TensorFlow writes the new ones elsewhere, inside of the step. So steps with and without
    are compared, and weights are held as often as the difference allows.

    Parameters
    ----------
    share : float or None
        The part of a step's time that it may take; None for no limit.
    """

    def __init__(self, share: float | None) -> None:
        self._share = share
        self._step = 0
        self._seconds: dict[bool, deque[float]] = {held: deque(maxlen=15) for held in (True, False)}

    @property
    def period(self) -> int:
        """Of how many steps one is made with weights held; 2 until it is known what that takes."""
        held, free = self._seconds[True], self._seconds[False]
        if self._share is None:
            return 1
        if min(len(held), len(free)) < 3:
            return 2
        allowed = self._share * median(free)
        return max(1, ceil((median(held) - median(free)) / allowed)) if allowed else 1

    def is_due(self) -> bool:
        """Return whether weights are to be held before the next step."""
        self._step += 1
        if self.period == 1:  # now and then without, to compare
            return self._share is None or self._step % 8 != 0
        return self._step % self.period == 0

    def took(self, held: bool, seconds: float) -> None:
        """Note how long a step took."""
        self._seconds[held].append(seconds)
