"""Guess what the axes of an activation are, from the layer that made it and its neighbours."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ..keys import Tap
from ..tokens import Grid
from .axes import ATTENTION, PATCHES, Axes, read_axes

HEADS = ("heads", "queries", "keys")

# Parts of the names of layers that tell what their axes are; the first that fits counts.
_TELLS: dict[int, tuple[tuple[str, str], ...]] = {
    2: (
        ("Embedding", "tokens"),
        ("Attention", "tokens"),
        ("Transformer", "tokens"),
        ("LSTM", "time"),
        ("GRU", "time"),
        ("RNN", "time"),
        ("Bidirectional", "time"),
        ("TimeDistributed", "time"),
        ("1D", "time"),
    ),
    3: (
        ("ConvLSTM1D", "time positions"),
        ("TimeDistributed", "time positions"),
        ("Bidirectional", "time positions"),
        ("2D", "height width"),
    ),
    4: (
        ("3D", "depth height width"),
        ("ConvLSTM", "time height width"),
        ("TimeDistributed", "time height width"),
        ("Bidirectional", "time height width"),
    ),
}
# These may give their last step alone.
_RECURRENT = ("LSTM", "GRU", "RNN", "Bidirectional")
_USUAL = {
    0: "",
    1: "",
    2: "positions",
    3: "height width",
    4: "depth height width",
    5: "time depth height width",
}
# What attention layers compute on their way: projections by name, weights and masks by kind.
_PROJECTED = ("query", "key", "value", "gate")
_WEIGHTS = ("Softmax", "Dropout", "AttentionMask", "AttentionWeights")
_OF_WEIGHTS = {2: "queries keys", 3: "heads queries keys"}

_OFFERED = {
    1: ("units", "time"),
    2: ("time channels", "tokens features", "channels time", "height width", "queries keys"),
    3: (
        "height width channels",
        "channels height width",
        "time positions channels",
        "time tokens features",
        "tokens heads features",
        "heads queries keys",
        "depth height width",
        "time height width",
    ),
    4: (
        "time height width channels",
        "depth height width channels",
        "time channels height width",
        "channels depth height width",
        "channels time height width",
    ),
    5: (
        "time depth height width channels",
        "time channels depth height width",
        "channels time depth height width",
    ),
}


def guess(tap: Tap, taps: Sequence[Tap], grid: Grid | None = None) -> Axes:
    """Return what the axes of a layer's activation most likely are.

    Parameters
    ----------
    tap : Tap
        The tensor.
    taps : sequence of Tap
        Those of the whole model in call order, it among them: the neighbours tell what a layer itself does
        not.
    grid : Grid, optional
        How its tokens fill a picture, if they come from one.
    """
    rank = max(0, len(tap.shape) - 1)
    inner = _within_attention(tap, taps, rank)
    if inner:
        return read_axes(inner)
    if _is_picture(tap, taps):
        return read_axes("height width")
    places = _told(tap, taps, rank) or _usual(rank)
    if grid is not None and places in ("tokens", "positions"):
        return Axes((PATCHES, "features"), grid)
    roles = places.split()
    if rank:
        channels = {"tokens": "features", "": "units"}.get(places, "channels")
        roles.insert(0 if tap.channel_axis == 1 else len(roles), channels)
    return Axes(tuple(roles))


def choices(
    guessed: Axes, shape: tuple[int, ...], keys: int | None = None, grids: Sequence[Grid] = ()
) -> tuple[Axes, ...]:
    """Return what the axes may be, the guess among them.

    Parameters
    ----------
    guessed : Axes
        The guess.
    shape : tuple of int
        One sample's activation.
    keys : int or None
        Number of keys of the attention weights in the layer; None if there are none.
    grids : sequence of Grid
        How tokens may fill pictures; squares are offered without them.
    """
    offered = [read_axes(words) for words in _OFFERED.get(len(shape), ())]
    line = {1: ((), 0), 2: (("features",), 0), 3: (("time", "features"), 1)}.get(len(shape))
    if line is not None:
        others, at = line
        offered += [Axes((*others[:at], PATCHES, *others[at:]), g) for g in _grids(shape[at], grids)]
    if keys is not None:
        offered.append(Axes(HEADS, of=ATTENTION))
        offered += [Axes(("heads", "queries", PATCHES), g, ATTENTION) for g in _grids(keys, grids)]
    return tuple(dict.fromkeys([guessed, *offered]))


def _grids(tokens: int, grids: Sequence[Grid]) -> list[Grid]:
    """Return the grids of so many tokens; squares if there is none."""
    known = [grid for grid in grids if grid.tokens == tokens]
    sides = {extra: math.isqrt(max(0, tokens - extra)) for extra in range(3)}
    return known or [Grid(e, n, n) for e, n in sides.items() if n > 1 and n * n == tokens - e]


def _usual(rank: int) -> str:
    numbered = " ".join(f"axis{i + 1}" for i in range(rank - 3))
    return _USUAL.get(rank, f"{numbered} height width")


def _told(tap: Tap, taps: Sequence[Tap], rank: int) -> str:
    """Return what the nearest layer that tells says of the axes but that of the channels."""
    for near in _nearest(tap, taps):
        for part, roles in _TELLS.get(rank, ()):
            if part in near.kind:
                return roles
    return ""


def _nearest(tap: Tap, taps: Sequence[Tap]) -> Iterator[Tap]:
    """Yield a tap, those before it backwards, and those after it, as far as they have its axes."""
    at, rank = taps.index(tap), len(tap.shape)
    yield from (near for near in reversed(taps[: at + 1]) if len(near.shape) == rank)
    for near in taps[at + 1 :]:
        is_last_step = len(near.shape) == rank - 1 and any(part in near.kind for part in _RECURRENT)
        if len(near.shape) == rank or is_last_step:
            yield near


def _within_attention(tap: Tap, taps: Sequence[Tap], rank: int) -> str:
    """Return the roles of what attention layers compute on their way, and of the weights they return."""
    outer, _, name = tap.call.rpartition("/")
    is_inner = any(other.call == outer and "Attention" in other.kind for other in taps)
    is_returned = "Attention" in tap.kind and tap.address == f"{tap.call}:1"
    if is_returned or (is_inner and tap.kind in _WEIGHTS):
        return _OF_WEIGHTS.get(rank, "")
    return "tokens heads features" if is_inner and name in _PROJECTED and rank == 3 else ""


def _is_picture(tap: Tap, taps: Sequence[Tap]) -> bool:
    """Whether two axes are a picture without channels: nothing reads them one by one before they are flat."""
    sizes = [n or 0 for n in tap.shape[1:]]
    if len(sizes) != 2 or min(sizes) < 8 or max(sizes) > 4 * min(sizes):
        return False
    at = taps.index(tap)
    before = all(other.kind == "InputLayer" or other.shape == tap.shape for other in taps[:at])
    behind = next((other.kind for other in taps[at + 1 :] if other.shape != tap.shape), "")
    return before and behind in ("Flatten", "Reshape")
