"""A layer's activations as a table: a row for each sample, read block by block."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from ..errors import InputError, LayerKindError
from ..keys import Tap
from ..reading.batches import inner_axis, no_batch_axis
from ..reading.reader import Reader
from .partial import Partial

FLATTENED, AVERAGED = "flattened", "averaged"
FEATURES = (FLATTENED, AVERAGED)

# Columns up to which every position counts, if nothing else is said.
_FLAT = 4096
# The share of the budget that the table may take: methods make copies of it.
_SHARE = 4
_NUMBER = np.dtype(np.float64).itemsize


@dataclass(frozen=True)
class Features:
    """A table of numbers.

    Attributes
    ----------
    table : (kept samples, columns) float64 ndarray
        What the samples that are finite hold.
    kept : (batch,) bool ndarray
        Which samples these are.
    words : str
        What the columns are.
    """

    table: np.ndarray
    kept: np.ndarray
    words: str

    @property
    def left_out(self) -> tuple[int, ...]:
        """The samples that hold NaN or infinity."""
        return tuple(np.flatnonzero(~self.kept).tolist())


def checked_features(features: str | None) -> str | None:
    """Return how positions are dealt with, None for what fits, or raise an `InputError`."""
    if features is None or features in FEATURES:
        return features
    raise InputError(
        f"Positions of a layer are flattened or averaged. Received: features={features!r:.80}. "
        "Expected: 'flattened', 'averaged', or None for what fits."
    )


def read_features(reader: Reader, tap: Tap, features: str | None) -> Generator[Partial, None, Features]:
    """Yield as a layer is read, block by block, and return the table.

    Parameters
    ----------
    reader : Reader
        The model and its batch.
    tap : Tap
        The layer.
    features : str or None
        ``"flattened"``: every position of every channel is a column. ``"averaged"``: every channel is one,
        the mean of its positions. None: flattened up to 4,096 columns, if they fit into the budget, else
        averaged.

    Raises
    ------
    LayerKindError
        If the layer holds no numbers, or none for each sample.
    InputError
        If the table is larger than a quarter of the budget.
    """
    blocks, table, way, words = reader.blocks, np.empty((0, 0)), FLATTENED, ""
    for block in range(blocks.count):
        yield Partial(block / blocks.count, "reading the batch")
        start, stop = blocks.rows(block)
        values = blocks.values([tap.address], block)[tap.address]
        _check(tap, values, stop - start)
        if not table.size:
            way = features or _what_fits(reader, tap, values)
            words = _words(tap, values, way)
            table = np.empty((reader.inputs.size, _checked_columns(reader, tap, values, way)))
        with np.errstate(invalid="ignore", over="ignore"):  # of infinity, which is told of below
            # What has one row is computed once for all samples.
            table[start:stop] = _rows(tap, values, way)
    kept = np.asarray(np.isfinite(table).all(1))
    return Features(table if kept.all() else table[kept], kept, words)


def _check(tap: Tap, values: np.ndarray, samples: int) -> None:
    if values.shape[:1] not in {(samples,), (1,)}:
        raise no_batch_axis(tap, values.shape, samples)
    if values.dtype.kind in "OSUc" or not values.size:
        raise LayerKindError(
            f"Only real numbers can be projected. Received: '{tap.address}' of {values.dtype} and shape "
            f"{values.shape}. Expected: a layer that holds real numbers."
        )


def _what_fits(reader: Reader, tap: Tap, values: np.ndarray) -> str:
    columns = _columns(tap, values, FLATTENED)
    return FLATTENED if columns <= _FLAT and _fits(reader, columns) else AVERAGED


def _fits(reader: Reader, columns: int) -> bool:
    return reader.inputs.size * columns * _NUMBER * _SHARE <= reader.cache.budget


def _checked_columns(reader: Reader, tap: Tap, values: np.ndarray, way: str) -> int:
    columns, samples = _columns(tap, values, way), reader.inputs.size
    if _fits(reader, columns):
        return columns
    needed = samples * columns * _NUMBER
    less = "features='averaged', " if way == FLATTENED and _positions(tap, values) else ""
    raise InputError(
        f"The table of '{tap.address}' is larger than a quarter of what may be kept. Received: {samples:,} "
        f"samples of {columns:,} values, {needed / 1e6:,.0f} MB. Expected: {less}fewer samples, or "
        f"cache_bytes={needed * _SHARE} or more."
    )


def _columns(tap: Tap, values: np.ndarray, way: str) -> int:
    return _rows(tap, values[:1], way).shape[1]


def _rows(tap: Tap, values: np.ndarray, way: str) -> np.ndarray:
    positions = _positions(tap, values)
    if way == AVERAGED and positions:
        values = values.mean(positions, dtype=np.float64)
    return values.reshape(len(values), -1)


def _positions(tap: Tap, values: np.ndarray) -> tuple[int, ...]:
    """Return the axes that are neither the batch's nor the channels'."""
    if values.ndim < 3:
        return ()
    channels = inner_axis(tap.channel_axis) % (values.ndim - 1) + 1
    return tuple(axis for axis in range(1, values.ndim) if axis != channels)


def _words(tap: Tap, values: np.ndarray, way: str) -> str:
    columns, positions = _columns(tap, values, way), _positions(tap, values)
    if not positions:
        return f"{columns:,} value{'s' if columns != 1 else ''}"
    grid = " × ".join(str(values.shape[axis]) for axis in positions)
    count = _columns(tap, values, AVERAGED)
    channels = f"{count:,} channel{'s' if count != 1 else ''}"
    if way == AVERAGED:
        return f"the means of {channels} over {grid} positions"
    return f"{columns:,} values, {grid} positions of {channels}"
