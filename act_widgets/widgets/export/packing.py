"""Numbers packed into text that a page unpacks."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np


def packed(parts: Sequence[np.ndarray | bytes]) -> str:
    """Return arrays one behind the other, little-endian, compressed, as base64.

    The page unpacks them by ``DecompressionStream("deflate-raw")``.
    """
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    pieces = [packer.compress(_bytes(part)) for part in parts]
    return base64.b64encode(b"".join([*pieces, packer.flush()])).decode("ascii")


def as_json(value: Any) -> str:
    """Return a value as JSON that can stand inside a page: no text in it ends the script that holds it."""
    made = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # Half surrogates can't be written as UTF-8.
    made = made.encode("utf-8", "replace").decode("utf-8")
    return made.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def shrunk(length: int, side: int | None) -> int:
    """Return how many cells stand for `length` of them: at most `side`, each for as many."""
    return length if side is None else -(-length // -(-length // side))


def _bytes(part: np.ndarray | bytes) -> bytes:
    if isinstance(part, bytes):
        return part
    return np.ascontiguousarray(part, part.dtype.newbyteorder("<")).tobytes()
