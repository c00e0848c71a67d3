"""Kinds of TensorFlow's operations, where it matters what an operation does to its values."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# What a tensor's shape decides is no flow of its values.
SHAPE_ONLY = {"Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike"}
# They pass on the tensor before them.
PASS_ON = {"Identity", "IdentityN", "StopGradient", "PreventGradient", "Snapshot"}


def holds_numbers(tensor: Any) -> bool:
    """Whether a tensor holds numbers or texts: no handle, no list of tensors."""
    kind = tensor.dtype.base_dtype
    is_plain = kind.is_floating or kind.is_integer or kind.is_bool or kind.is_complex or kind == tf.string
    return is_plain and not kind.is_quantized
