"""What may be chosen in a session, and what is let go of when it no longer exists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .attribution import METHODS, shown_first
from .errors import MovedOnError
from .keys import Target
from .reading.ordering import ORDERS
from .reading.targets import explained

if TYPE_CHECKING:
    from .session import Session


class Choices:
    """What a session's selection may hold.

    Parameters
    ----------
    session : Session
        Its reader is asked anew each time: it is exchanged with the inputs.
    """

    methods: Sequence[str] = tuple(METHODS)
    orders: Sequence[str] = ORDERS

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def samples(self) -> int:
        """Number of samples in the batch."""
        return self._session.batch_size

    def resolve(self, layer: str) -> str:
        """Return the whole address of a layer, or raise."""
        return self._session.tap(layer).address

    def channels(self, layer: str) -> int:
        """Return a layer's number of channels."""
        session = self._session
        try:
            return session.reader.channels(layer)
        except MovedOnError:  # the model states none, and its training went on
            with session.reading():
                return session.reader.channels(layer)

    def check_target(self, target: int, layer: str) -> int:
        """Return a class, or a channel of a layer, or raise."""
        if not layer:
            return self._session.head.check(target)
        return explained(self._session.reader, Target(target, layer=layer)).unit

    def check_parameters(self, method: str, given: Mapping[str, Any]) -> None:
        """Raise unless a method takes these parameters."""
        METHODS[method].checked(given)

    def settle(self) -> None:
        """Let go of what was chosen and does not exist any more: layers may have come and gone."""
        session = self._session
        chosen, layers, head = session.selection, session.layers, session.head
        if session.silenced and session.silenced[0] not in layers:
            session.silenced = ()
        if chosen.sample >= self.samples:
            chosen.sample = 0
        if chosen.target_layer not in ("", *layers):
            chosen.explain(None)
        elif chosen.target is not None and not chosen.target_layer and chosen.target >= head.classes:
            chosen.target = None
        if chosen.layer not in layers:
            chosen.layer = shown_first(session.reader)
        elif chosen.channel >= max(1, self.channels(chosen.layer)):
            chosen.channel = 0

    def relaid(self, layer: str) -> None:
        """Let go of what was chosen by its channel in a layer whose channels lie along another axis now."""
        session, chosen = self._session, self._session.selection
        if session.silenced and session.silenced[0] == layer:
            session.silenced = ()
        if chosen.target_layer == layer:
            chosen.explain(None)
        if chosen.layer == layer:
            chosen.channel = 0
