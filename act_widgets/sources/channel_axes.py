"""Tell which axis of a tensor holds the channels: it is stated, or that of what the tensor was made from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .libraries import is_a

_CHANNELS_FIRST = "channels_first"
# Their outputs have an order of axes of their own.
_REORDERING = ("Permute", "Reshape", "RNN", "Dense", "EinsumDense", "MultiHeadAttention", "Embedding")
_REORDERING_FUNCTIONS = {
    *("einsum", "flatten", "moveaxis", "permute_dimensions", "rearrange", "reshape", "swapaxes", "tensordot"),
    "transpose",
}


def axis_of_outputs(operation: Any, known: Iterable[int | None]) -> int:
    """Return the channel axis of a layer's output.

    Parameters
    ----------
    operation : layer or operation
        What makes the output.
    known : iterable of (int or None)
        The axis of the tensor that it returns, if a layer inside made it, and of those that it is called on.
    """
    stated = getattr(operation, "data_format", None)
    if isinstance(stated, str):
        return 1 if stated == _CHANNELS_FIRST else -1
    if is_a(operation, *_REORDERING):
        return -1
    return next((axis for axis in known if axis is not None), -1)


def axis_of_result(name: str, tensor: Any, given: Iterable[tuple[int, Any]]) -> int:
    """Return the channel axis of what a function computes: that of the first tensor of as many axes.

    Parameters
    ----------
    name : str
        The function's.
    tensor : tf.Tensor
        What it computes.
    given : iterable of tuple
        What it is given, each behind its channel axis; None for a tensor that is gone.
    """
    if name in _REORDERING_FUNCTIONS:
        return -1
    alike = (axis for axis, before in given if before is not None and before.shape.rank == tensor.shape.rank)
    return next(alike, -1)
