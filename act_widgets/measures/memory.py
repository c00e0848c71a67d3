"""Bytes of what calls return."""

from __future__ import annotations

import re

from ..keys import Tap
from .measure import Asked, Measure, Measured, at_once, innermost
from .places import ELSEWHERE, of_block, places, tap_at

_WORDS = (
    "Bytes of all that each call returns for one sample. The total is that of the calls that hold no others, "
    "with the inputs: what it takes to keep everything."
)
_TEXT = "it returns text, which has no fixed size"


def _measured(asked: Asked) -> Measured:
    reader, graph = asked.reader, asked.graph
    block, row = divmod(asked.sample, reader.blocks.size)
    known = of_block(reader, block)
    first = places(reader)
    of_call: dict[str, list[str]] = {}
    for tap in reader.taps.values():
        of_call.setdefault(tap.call, []).append(tap.address)
    values: dict[str, float] = {}
    missing: dict[str, str] = {}
    for node in graph.nodes:
        if node.address not in first:
            missing[node.address] = ELSEWHERE
            continue
        tensors = of_call.get(node.address, [first[node.address]])
        sizes = [item_bytes(tap_at(reader, address)) for address in tensors]
        arrays = [known.of(address, row) for address in tensors]
        if not all(sizes):
            missing[node.address] = _TEXT
        elif any(array is None for array in arrays):
            missing[node.address] = known.reason(first[node.address])
        else:
            counts = (array.size for array in arrays if array is not None)
            values[node.address] = float(sum(n * size for n, size in zip(counts, sizes, strict=True)))
    total = sum(values.get(node.address, 0.0) for node in innermost(graph))
    return Measured("bytes", values, total, _WORDS, missing)


def item_bytes(tap: Tap) -> int:
    """Return the bytes of one number inside the model; 0 for text. Part of a byte takes a whole one."""
    if tap.dtype == "bool":
        return 1
    bits = re.match(r"[a-z]+(\d+)", tap.dtype)
    return -(-int(bits[1]) // 8) if bits else 0


BYTES = Measure(
    "bytes",
    "output bytes",
    "bytes",
    "How much memory the call's outputs take for one sample, in the precision of the model.",
    at_once(_measured),
)
