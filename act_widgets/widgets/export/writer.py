"""Writes the page: as much as there is room for, or no file at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from ... import __version__
from ...attribution import LAYER, METHODS
from ...errors import InputError
from ...session import Session
from .. import text
from ..choice_list import Option
from .draft import Draft, NoRoomError, Progress
from .graph import graph_of
from .layer import facts_of
from .overlay import method_of
from .plan import Plan, plans


@dataclass(frozen=True)
class Export:
    """A page that was written.

    Attributes
    ----------
    path : Path
        The file.
    bytes : int
        Its size.
    layers : tuple of str
        Addresses of the layers in it.
    samples : tuple of int
        Numbers of the samples in it.
    left_out : tuple of str
        What found no room, in words; the page says the same.
    """

    path: Path
    bytes: int
    layers: tuple[str, ...]
    samples: tuple[int, ...]
    left_out: tuple[str, ...]

    def __str__(self) -> str:
        size = f"{self.bytes / 1e6:.1f} MB" if self.bytes >= 1e5 else f"{self.bytes / 1e3:.0f} kB"
        counts = f"{text.many(len(self.layers), 'layer')}, {text.many(len(self.samples), 'sample')}"
        head = f"{self.path}: {size}, {counts}."
        return "\n".join([head, *(f"Left out: {words}" for words in self.left_out)])

    def __repr__(self) -> str:
        return str(self)


def write_page(
    session: Session,
    path: Path,
    max_bytes: int,
    options: Sequence[Option],
    facts: str,
    on_progress: Progress,
) -> Export:
    """Write the page of a session to a new file, and put it in its place when it is whole.

    Parameters
    ----------
    session : Session
        What is shown. It is left as it is.
    path : Path
        The file.
    max_bytes : int
        Its size at the most.
    options : sequence of Option
        The layers as they are listed on the screen.
    facts : str
        A line about model and batch.
    on_progress : callable
        Called as ``on_progress(share, words)``; what it raises ends the work.

    Raises
    ------
    InputError
        If there is no such folder, the size is no number of bytes, or no page is so small.
    """
    _check(path, max_bytes)
    work = _work(session)
    part = path.with_name(f".{uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            draft, plan = _draft(session, work, int(max_bytes), options, facts, _rising(on_progress))
            page = draft.page()
            file.write(page)
        on_progress(1.0, "done")
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        work.reader.cache.clear()
    return Export(path, len(page), plan.layers, tuple(draft.samples), tuple(draft.left_out))


def _check(path: Path, max_bytes: int) -> None:
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(
            f"The page is a file in a folder that is there. Received: '{path}'. Expected: a path such as "
            f"'{Path.cwd() / 'page.html'}'."
        )
    if not isinstance(max_bytes, int | np.integer) or isinstance(max_bytes, bool) or max_bytes <= 0:
        raise InputError(
            f"The size of the page is a number of bytes. Received: max_bytes={max_bytes!r}. Expected: a "
            "positive integer, such as 20_000_000."
        )


def _rising(tell: Progress) -> Progress:
    """Return what tells no smaller share than before: a plan that is given up is begun anew."""
    most = 0.0

    def told(share: float, words: str) -> None:
        nonlocal most
        most = max(most, share)
        tell(most, words)

    return told


def _draft(
    session: Session, work: Session, room: int, options: Sequence[Option], facts: str, tell: Progress
) -> tuple[Draft, Plan]:
    """Return the fullest page that there is room for."""
    addresses = tuple(option.key for option in options)
    whole = _whole(work, addresses)
    graph = graph_of(work)
    said = _facts(session, work, facts, options)
    needed = 0
    for plan in plans(addresses, session.selection.layer):
        tell(0.0, "finding out how much there is room for")
        draft = Draft(session, work, plan, whole, said | {"graph": graph}, room, tell)
        try:
            draft.fill()
        except NoRoomError as error:
            needed = error.needed
            continue
        return draft, plan
    raise InputError(
        f"No page of this session is so small. Received: max_bytes={room:,}. Expected: about {needed:,} at "
        "least."
    )


def _work(session: Session) -> Session:
    """Return a session of its own to read the page in: the explorer's cache stays as it is."""
    work = Session(
        session.source,
        session.inputs,
        labels=session.labels,
        training=session.training,
    )
    work.photos = session.photos
    work.selection.method, work.selection.parameters = method_of(session)
    work.selection.scores = session.selection.scores
    for layer, axes in session.axes.chosen:
        work.axes[layer] = axes
    work.axes.places = session.axes.places
    return work


def _whole(session: Session, layers: tuple[str, ...]) -> Plan:
    """Return a plan of all that there is."""
    facts = [facts_of(session, address) for address in layers]
    side = max((max(layer.full) for layer in facts), default=0)
    channels = max((layer.total for layer in facts), default=0)
    return Plan(side, channels, session.head.classes, 0, session.batch_size, layers=layers)


def _facts(session: Session, work: Session, facts: str, options: Sequence[Option]) -> dict[str, Any]:
    """Return what the page says of model and batch, and what it begins with."""
    chosen, head = session.selection, session.head
    return {
        "name": session.model_name,
        "facts": facts,
        "version": __version__,
        "listed": {option.key: option[1:] for option in options},
        "names": [session.class_name(target) for target in range(head.classes)],
        "units": head.units,
        "probabilities": head.probabilities,
        "ofLayers": METHODS[work.selection.method].place == LAYER,
        "method": METHODS[work.selection.method].title,
        "chosen": {
            "layer": chosen.layer,
            "channel": chosen.channel,
            "sample": chosen.sample,
            "target": None if chosen.target_layer else chosen.target,
        },
    }
