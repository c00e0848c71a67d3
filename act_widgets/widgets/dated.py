"""A card that knows which reading of the model it shows, and says which step of a training that is of."""

from __future__ import annotations

from collections.abc import Hashable

from ..session import Session
from . import text
from .card import Card
from .live import live_of
from .worker import worker_of


class Dated(Card):
    """A card of a session's numbers.

    Parameters
    ----------
    session : Session
        The model and batch.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        # Which reading the picture is of, and what it shows of it.
        self._drawn: tuple[int | None, Hashable] | None = None
        super().__init__()

    def tell_step(self) -> None:
        """Say of which step of a training the picture is."""
        if self._drawn is not None and self._drawn[0] == self.session.version:
            self.say_step(live_of(self.session).words(self.session))

    @property
    def _edition(self) -> int | None:
        """Which reading of the model is to be shown; None for one that is to come."""
        return None if self.session.outdated else self.session.version

    def _hold(self) -> None:
        """Have the worker keep the model as it is, and what is read of it, until there is no more to do."""
        worker_of(self.session).hold(live_of(self.session).reading(self.session))

    def _say_begun(self, edition: int | None, working: str) -> None:
        """Say that nothing is there yet of what is wanted, and whether it is worked on."""
        if edition is None:  # a pass for all views, which none stops
            self._busy.value = text.busy("reading the model anew")
            self._show_stop("")
        else:
            self._busy.value = text.stopped(working) if self._stop.value else text.busy(working)
            self._show_stop("Go on" if self._stop.value else "Stop")

    def _say_age(self, wanted: tuple[int | None, Hashable] | None) -> None:
        """Show whether the picture is of an earlier choice."""
        is_old = wanted is None or self._drawn != wanted
        if is_old != ("aw-old" in self._dom_classes):
            (self.add_class if is_old else self.remove_class)("aw-old")
