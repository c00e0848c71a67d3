"""What a person sees of an input: a picture in colours, or a map of its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from ..errors import InputError
from .lettering import fitted, font
from .palettes import DIVERGING, NOT_FINITE_COLOUR, SEQUENTIAL
from .pictures import Picture, finite_scale, quantised


class Photos:
    """The batch as pictures, one for each sample.

    Parameters
    ----------
    given : ndarray or sequence of ndarray
        The model's input, or the pictures that stand for it.
    stated : bool
        Whether the user gave these to be shown: then they must be pictures.
    count : int
        Number of samples.

    Attributes
    ----------
    stated : bool
        Whether the user gave them.
    range_text : str
        How numbers became brightness, to be said on the screen; empty where each sample has colours of its
        own range.

    Raises
    ------
    InputError
        If stated pictures are not one for each sample, or no pictures.
    """

    def __init__(self, given: Any, *, stated: bool, count: int) -> None:
        self._given = given
        self.stated = stated
        if stated:
            _check(given, count)
        self._range: tuple[float, float] | None = None
        self.range_text = "as given"
        if not stated:
            *ends, words = _brightness(np.asarray(given))
            self._range = (ends[0], ends[1])
            self.range_text = words if np.ndim(given) > 2 else ""

    def __getitem__(self, sample: int) -> np.ndarray:
        """Return one sample as ``(height, width, 3) uint8``; of volumes and films the middle."""
        return self.at(sample, ())

    def at(self, sample: int, places: Sequence[int]) -> np.ndarray:
        """Return one sample, or what is at `places` along its first axes, as ``(height, width, 3) uint8``."""
        array = np.asarray(self._given[sample])
        array = array if self._range is None else array[tuple(places)]
        while array.ndim > 3:
            array = array[len(array) // 2]
        return self._picture(_channels_last(array))

    def _picture(self, array: np.ndarray) -> np.ndarray:
        if array.dtype.kind in "OSU":
            return np.full((8, 8, 3), 128, np.uint8)
        if array.ndim == 3 and array.shape[-1] in (3, 4):
            return self._as_bytes(array[..., :3])
        if array.ndim == 3 and array.shape[-1] == 1:
            return self._as_bytes(np.repeat(array, 3, -1))
        return _as_map(array)

    def thumbnail(self, sample: int, side: int) -> np.ndarray:
        """Return one sample in a square of `side` pixels, uncropped, ``(side, side, 3) uint8``.

        Of text the first words are written; rows of numbers and long sequences are a band, time across.
        """
        given = np.asarray(self._given[sample])
        if given.dtype.kind in "OSU":
            return _written(given, side)
        photo = Image.fromarray(self[sample])
        if given.ndim == 2 and photo.height > 3 * photo.width:
            photo = photo.transpose(Image.Transpose.TRANSPOSE)
        scale = side / max(photo.size)
        least = 1 if given.ndim > 2 else side // 3
        size = [max(least, round(n * scale)) for n in photo.size]
        way = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX
        square = np.full((side, side, 3), 128, np.uint8)
        top, left = (side - size[1]) // 2, (side - size[0]) // 2
        square[top : top + size[1], left : left + size[0]] = np.asarray(photo.resize(size, way))
        return square

    def _as_bytes(self, array: np.ndarray) -> np.ndarray:
        low, high = self._range or ((0.0, 255.0) if array.dtype == np.uint8 else (0.0, 1.0))
        level = (array.astype(np.float32) - low) / max(high - low, 1e-12) * 255
        drawn = np.clip(np.nan_to_num(level) + 0.5, 0, 255).astype(np.uint8)
        drawn[~np.isfinite(array).all(-1)] = NOT_FINITE_COLOUR
        return drawn


def _check(given: Any, count: int) -> None:
    if not hasattr(given, "__len__"):
        raise InputError(
            f"Pictures to show are a sequence, one for each sample. Received: display={given!r:.80} of "
            f"type {type(given).__name__}. Expected: an array or a list of {count} pictures."
        )
    if len(given) != count:
        raise InputError(
            f"There must be one picture to show for each sample. Received: {len(given)} in display. "
            f"Expected: {count}."
        )
    for picture in given:
        _check_picture(np.asarray(picture))


def _check_picture(array: np.ndarray) -> None:
    colours = array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (1, 3, 4))
    is_float = array.dtype.kind == "f" and array.size > 0
    level = array.dtype == np.uint8 or (is_float and array.min() >= 0 and array.max() <= 1)
    if colours and level:
        return
    values = f", values from {array.min():.4g} to {array.max():.4g}" if is_float else ""
    remedy = " Give display / 255, or uint8." if is_float and 1 < array.max() <= 255 else ""
    raise InputError(
        "Pictures to show are uint8, or float from 0 to 1, as (height, width) or (height, width, 3). "
        f"Received in display: shape {array.shape}, {array.dtype}{values}.{remedy}"
    )


def _channels_last(array: np.ndarray) -> np.ndarray:
    if array.ndim == 2:
        return array[..., None]
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[-1] not in (1, 3, 4):
        return np.moveaxis(array, 0, -1)
    return array


def _written(given: np.ndarray, side: int) -> np.ndarray:
    """Return the first words of a sample of text, as many as there is room for."""
    image = Image.new("RGB", (side, side), "white")
    size, words = (
        side // 6,
        (w.decode("utf-8", "replace") if isinstance(w, bytes) else str(w) for w in given.ravel()),
    )
    for row, line in enumerate(wrap(" ".join(words), 9)[:5]):
        place = 4, 3 + row * (size + 1)
        ImageDraw.Draw(image).text(place, fitted(line, side - 8, size), fill="#222222", font=font(size))
    return np.asarray(image)


def _brightness(array: np.ndarray) -> tuple[float, float, str]:
    """Return the values for black and white, from the usual ranges or else from the batch."""
    if array.dtype.kind in "OSU":
        return 0.0, 1.0, "text"
    finite = array[np.isfinite(array)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low >= 0 and high <= 1:
        return 0.0, 1.0, "0 to 1"
    if low >= 0 and high <= 255:
        return 0.0, 255.0, "0 to 255"
    if low >= -1 and high <= 1:
        return -1.0, 1.0, "-1 to 1"
    return low, high, f"{low:.3g} to {high:.3g}, the range of the batch"


def _as_map(array: np.ndarray) -> np.ndarray:
    """Return numbers that are no picture as one flat map, time or position downwards."""
    flat = array.reshape(array.shape[0], -1) if array.ndim > 1 else array.reshape(1, -1)
    scale = finite_scale(flat)
    return Picture(quantised(flat, scale), DIVERGING if scale.signed else SEQUENTIAL[0]).rgb()
