"""Arrays with a batch axis: joined from blocks, averaged over positions, told to be probabilities."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import LayerKindError, ModelError
from ..keys import Tap


def units_last(output: np.ndarray, axis: int) -> np.ndarray:
    """Return a view of outputs whose units lie along an axis, ``(batch, ..., units)``."""
    return output if axis == -1 else np.moveaxis(output, axis, -1)


def by_unit(output: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return outputs whose units lie along an axis with positions averaged, ``(batch, units)``."""
    output = units_last(output, axis) if output.ndim > 1 else output[:, None]
    return output.mean(axis=tuple(range(1, output.ndim - 1)))


def by_channel(activation: np.ndarray, axis: int) -> np.ndarray:
    """Return an activation without its batch axis, channels first.

    Parameters
    ----------
    activation : ndarray
        Without the batch axis.
    axis : int
        Where the channels are in the whole batch.
    """
    return activation.reshape(1) if activation.ndim == 0 else np.moveaxis(activation, inner_axis(axis), 0)


def inner_axis(axis: int) -> int:
    """Return which axis of one sample an axis of the whole batch is."""
    return axis - 1 if axis > 0 else axis


def named_leaves(nest: Any, name: str = "") -> dict[str, np.ndarray]:
    """Return every array in whatever structure the model returns, by its keys, fields and indices.

    These are joined by dots. Arrays come in the order of ``keras.tree.flatten``, which sorts the keys of a
    plain dictionary.
    """
    if isinstance(nest, np.ndarray):
        return {name or "0": nest}
    if not isinstance(nest, dict | list | tuple):
        return {}
    found: dict[str, np.ndarray] = {}
    parts = list(nest.items()) if isinstance(nest, dict) else list(enumerate(nest))
    if hasattr(nest, "_fields"):
        parts = list(zip(nest._fields, nest, strict=True))
    if isinstance(nest, dict) and not isinstance(nest, OrderedDict):
        parts.sort(key=lambda part: str(part[0]))
    for key, part in parts:
        found |= named_leaves(part, f"{name}.{key}" if name else str(key))
    return found


def spread_weights(weights: np.ndarray, shape: Sequence[int], axis: int) -> np.ndarray:
    """Return the weight of each number in the mean over positions, as a `BackwardPass` takes it.

    Parameters
    ----------
    weights : (batch, units) ndarray
        The weight of each unit.
    shape : sequence of int
        Of one sample's scores.
    axis : int
        Which axis of the whole batch holds the units.
    """
    if axis == -1:
        return weights
    positions = np.delete(shape, inner_axis(axis))
    spread = weights.reshape(len(weights), *[1] * len(positions), -1) / np.float32(np.prod(positions))
    whole = np.broadcast_to(spread, (len(weights), *positions, weights.shape[1])).copy()
    return np.moveaxis(whole, -1, axis)


def no_batch_axis(tap: Tap, shape: tuple[int, ...], samples: int) -> LayerKindError:
    """Return the error for a layer whose numbers can't be told apart by sample."""
    return LayerKindError(
        f"The first axis of '{tap.address}' is not the batch's. Received: shape {shape} for {samples} "
        f"sample{'s' if samples != 1 else ''}. Expected: one entry for each sample; "
        "capture() gives the whole array."
    )


def joined(parts: list[Any]) -> Any:
    """Join what blocks gave, in whatever structure the model returns."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if isinstance(first, dict):
        return type(first)((key, joined([part[key] for part in parts])) for key in first)
    if isinstance(first, list | tuple):
        make = getattr(first, "_make", type(first))
        return make(joined([part[i] for part in parts]) for i in range(len(first)))
    if not isinstance(first, np.ndarray):
        return first
    if first.ndim == 0:
        raise ModelError(
            "An output without a batch axis can't be joined from parts of a batch. Received: one number for "
            f"each of {len(parts)} parts. Expected: a larger cache_bytes, so that the batch is read at once."
        )
    whole = np.concatenate(parts)
    whole.flags.writeable = False
    return whole


def are_probabilities(output: np.ndarray) -> bool:
    """Whether numbers are probabilities: from 0 to 1, and of sum 1 where there are several.

    Samples that are not finite say nothing: where all are such, nothing is proved.
    """
    if output.dtype.kind != "f":
        return False
    finite = output[np.isfinite(output).all(-1)]
    if not finite.size or not np.all((finite >= 0) & (finite <= 1)):
        return False
    return output.shape[-1] == 1 or bool(np.allclose(finite.sum(-1), 1, atol=1e-2))
