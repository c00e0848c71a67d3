"""One sample of one layer: its pictures, their summary, and the histograms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import ActWidgetsError
from ...rendering.axes import one_of
from ...rendering.bins import binned_rows
from ...rendering.palettes import LEVELS, NOT_FINITE
from ...rendering.pictures import resampled
from ...session import Session
from ..maps import Drawn, all_pictures, drawable
from ..under import FIRST, under_of
from .packing import packed, shrunk


@dataclass(frozen=True)
class LayerFacts:
    """What the page must know of a layer, the same for all samples.

    Attributes
    ----------
    address : str
    words : str
        What its pictures are.
    remark : str
        What else is to be said: where sliders stand, how axes lie.
    of : str
        What a picture is one of: ``"channel"``; empty if there is a single picture.
    plane : tuple of str
        What one index along each axis of a picture is called: none for numbers, one for lines, two for maps.
    kept : tuple of int
        Numbers of the pictures that are in the file.
    total : int
        How many pictures the layer has.
    height, width : int
        Of a picture in the file.
    full : tuple of int
        Height and width as they were computed.
    has_channels : bool
        Whether its pictures are channels, so that each has a histogram.
    is_spatial : bool
        Whether a picture lies over the input.
    under : int or None
        Number of that input; None if pictures are drawn alone.
    over : str
        What is to be said of it.
    is_whole : bool
        Whether values are whole numbers.
    has_sliders : bool
        Whether it has axes of which one index is shown.
    error : str
        Why there is nothing; empty if there is.
    """

    address: str
    words: str = ""
    remark: str = ""
    of: str = ""
    plane: tuple[str, ...] = ()
    kept: tuple[int, ...] = ()
    total: int = 0
    height: int = 0
    width: int = 0
    full: tuple[int, int] = (0, 0)
    has_channels: bool = False
    is_spatial: bool = False
    under: int | None = 0
    over: str = ""
    is_whole: bool = False
    has_sliders: bool = False
    error: str = ""

    @property
    def channels(self) -> int:
        """How many pictures are in the file."""
        return len(self.kept)

    def for_page(self) -> dict[str, Any]:
        """Return it as plain values; numbers of pictures only where some are left out."""
        kept = list(self.kept) if self.channels < self.total else None
        plain = {"full": list(self.full), "plane": list(self.plane)}
        return vars(self) | plain | {"kept": kept, "channels": self.channels}


def facts_of(
    session: Session,
    address: str,
    side: int | None = None,
    channels: int | None = None,
    sample: int = 0,
    chosen: int | None = None,
) -> LayerFacts:
    """Return what the page must know of a layer.

    Parameters
    ----------
    session : Session
    address : str
    side : int or None
        The longest side of a picture in the file; None for any.
    channels : int or None
        How many pictures there may be: the strongest ones; None for any number.
    sample : int
        Whose strongest.
    chosen : int or None
        The channel that is among them in any case.
    """
    try:
        drawn = all_pictures(session, address, sample)
    except ActWidgetsError as error:
        return LayerFacts(address, error=str(error))
    maps, axes = _as_maps(drawn), drawn.axes
    height, width = maps.shape[1:]
    under = under_of(session, address) if axes.is_spatial else FIRST
    places = " · ".join(f"{one_of(role)} {place}" for role, place in drawn.places.items())
    return LayerFacts(
        address=address,
        words=drawn.words,
        remark=" · ".join(filter(None, (places, drawn.remark))),
        of=one_of(axes.spread_role) if axes.spread_role else "",
        plane=tuple(map(one_of, axes.plane)),
        kept=_strongest(maps, channels or drawn.count, chosen if axes.has_channels else None),
        total=drawn.count,
        height=shrunk(height, side),
        width=shrunk(width, side),
        full=(height, width),
        has_channels=axes.has_channels,
        is_spatial=axes.is_spatial,
        under=under.index,
        over=under.words,
        is_whole=drawn.array.dtype.kind in "biu",
        has_sliders=bool(drawn.places),
    )


def _strongest(maps: np.ndarray, count: int, chosen: int | None) -> tuple[int, ...]:
    """Return the numbers of the pictures whose values are largest on average, signs aside, in their order."""
    if count >= len(maps):
        return tuple(range(len(maps)))
    strength = np.abs(np.where(np.isfinite(maps), maps, 0)).reshape(len(maps), -1).mean(1, dtype=float)
    if chosen is not None:
        strength[chosen] = np.inf
    return tuple(sorted(np.argsort(-strength, kind="stable")[:count].tolist()))


def packed_layer(session: Session, facts: LayerFacts, sample: int) -> str:
    """Return one sample of a layer for the page.

    Packed are, for the pictures in the file: their cells as bytes, 0 for the lowest and 253 for the highest
    finite value of each, 1 to 252 for what lies between, 255 for what is not finite; these two values, and at
    last those of all the layer's pictures; the mean rounded to three digits, the percentage of zeros, and
    that of values not finite. Then, for the pictures that are channels, and at last for the layer: lowest and
    highest finite value, and the counts of the histogram.
    """
    drawn = _as_maps(all_pictures(session, facts.address, sample))
    kept = list(facts.kept)
    shown = drawn[kept]
    rows = shown.reshape(len(shown), -1)
    low, high = _ends(rows)
    activation = drawable(session.reader.sample_activation(facts.address, sample), session.tap(facts.address))
    whole = activation.reshape(1, -1)
    channels = np.zeros((facts.channels, 0), np.float32)
    if facts.has_channels:
        channels = session.axes[facts.address].spread(activation)[kept]
        channels = channels.reshape(len(channels), -1)
    return packed(
        [
            _levels(resampled(shown, (facts.height, facts.width)), low, high),
            *_joined((low, high), _ends(drawn.reshape(1, -1))),
            *_summary(rows),
            *_joined(_ends(channels), _ends(whole)),
            np.concatenate([binned_rows(channels), binned_rows(whole)]).astype(np.uint32),
        ]
    )


def _as_maps(drawn: Drawn) -> np.ndarray:
    """Return pictures of any rank as ``(pictures, height, width)``: a line is one row, a number one cell."""
    shape = (1, 1, *drawn.array.shape[1:])[-2:]
    return drawn.array.reshape(len(drawn.array), *shape)


def _ends(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest finite value of each row as float64; 0 and 0 for none."""
    finite = np.isfinite(rows)
    low = np.where(finite, rows, np.inf).min(1, initial=np.inf)
    high = np.where(finite, rows, -np.inf).max(1, initial=-np.inf)
    there = finite.any(1)
    return np.where(there, low, 0).astype(np.float64), np.where(there, high, 0).astype(np.float64)


def _joined(*pairs: tuple[np.ndarray, np.ndarray]) -> list[np.ndarray]:
    return [np.concatenate(both) for both in zip(*pairs, strict=True)]


def _levels(maps: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return maps as bytes, each between its own ends; only the ends themselves get the outermost bytes."""
    low, high = low[:, None, None], high[:, None, None]
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        level = (maps - low) / (high - low) * (LEVELS - 1) + 0.5
    between = np.clip(np.nan_to_num(level), 1, LEVELS - 2).astype(np.uint8)
    return np.select(
        [~np.isfinite(maps), maps == low, maps == high],
        [np.uint8(NOT_FINITE), np.uint8(0), np.uint8(LEVELS - 1)],
        between,
    )


def _summary(rows: np.ndarray) -> list[np.ndarray]:
    """Return mean, percentage of zeros and that of values that are not finite, as they are written."""
    finite = np.isfinite(rows)
    count = finite.sum(1)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        mean = np.where(finite, rows, 0).sum(1, dtype=np.float64) / count
        zeros = ((rows == 0) & finite).sum(1) / count
    lost = 1 - count / max(rows.shape[1], 1)
    return [
        np.array([float(f"{value:.3g}") for value in mean]),
        np.array([float(f"{100 * value:.0f}") for value in np.nan_to_num(zeros)], np.uint8),
        np.array([float(f"{100 * value:.1f}") for value in lost], np.float32),
    ]
