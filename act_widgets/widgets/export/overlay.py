"""What explains one class of one sample, at every layer."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...attribution import METHODS, NO_MAPS
from ...errors import ActWidgetsError
from ...rendering.pictures import quantised, resampled
from ...session import Session
from ..asked import Asked
from ..attribution_view import colours_of, remarks, scale_of, statement
from ..map_slice import slice_of
from ..under import under_of
from .packing import as_json, packed, shrunk

QUICK = "grad_cam"


def method_of(session: Session) -> tuple[str, tuple[tuple[str, Any], ...]]:
    """Return the method whose maps the page shows, and its parameters: the chosen one, if it is quick."""
    chosen = session.selection
    return (chosen.method, chosen.parameters) if METHODS[chosen.method].is_quick else (QUICK, ())


def packed_overlays(session: Session, layers: Sequence[str], asked: Asked, side: int | None) -> str:
    """Return the maps of a class, one for each layer that has one, for the page.

    Packed are four bytes, how long the text is; JSON with ``at``, which entry each layer shows, and ``maps``:
    ``layer h w low high colours said more under`` of each; and the maps as bytes of 0 to 253, one behind the
    other.

    Parameters
    ----------
    session : Session
        Its selection says method and scores.
    layers : sequence of str
        Addresses.
    asked : Asked
        Sample and class; its layer is of no account.
    side : int or None
        The longest side of a map in the file.
    """
    made: dict[Any, int] = {}
    entries: list[dict[str, Any]] = []
    pictures: list[bytes] = []
    at = []
    for layer in layers:
        question = replace(asked.at_layer(session, layer), chosen="")
        if question not in made:
            made[question] = len(entries)
            entry, picture = _entry(session, question, side)
            entries.append(entry)
            pictures.append(picture)
        at.append(made[question])
    head = as_json({"at": at, "maps": entries}).encode("utf-8")
    return packed([struct.pack("<I", len(head)), head, *pictures])


def _entry(session: Session, asked: Asked, side: int | None) -> tuple[dict[str, Any], bytes]:
    if not asked.has_place:
        return _without_map(NO_MAPS)
    try:
        *_, last = asked.steps(session)
    except ActWidgetsError as error:
        return _without_map(str(error))
    result = last.result
    shown, scale = slice_of(session, result), scale_of(result)
    under = under_of(session, result.layer)
    small = resampled(np.nan_to_num(shown.array)[None], [shrunk(n, side) for n in shown.array.shape])[0]
    entry = {
        "layer": result.layer,
        "h": small.shape[0],
        "w": small.shape[1],
        "low": scale.low,
        "high": scale.high,
        "colours": colours_of(result),
        "said": statement(session, result),
        "more": " ".join(filter(None, [remarks(result), under.sentence, shown.words])),
        "under": under.index,
    }
    return entry, quantised(small, scale).tobytes()


def _without_map(words: str) -> tuple[dict[str, Any], bytes]:
    return {"h": 0, "w": 0, "said": words}, b""
