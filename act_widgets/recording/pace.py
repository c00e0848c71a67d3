"""Keep a recorder within its share of the time that training takes."""

from __future__ import annotations

GRACE = 0.5
"""Seconds that may be taken however short the training is."""


class Pace:
    """Says when there is time for another record.

    Parameters
    ----------
    share : float or None
        The part of the training's own time that may be taken; None for no limit. `GRACE` seconds may be
        taken in any case, so that a training of a few seconds is recorded at all.

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

    def measured(self, elapsed: float) -> float:
        """Return the part of the training's own time that was taken."""
        own = elapsed - self.spent
        return self.spent / own if own > 0 else 0.0
