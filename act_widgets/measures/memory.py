"""Bytes of what calls return."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..keys import Tap
from ..reading.reader import Reader
from .measure import Asked, Measure, Measured, at_once, innermost
from .places import ELSEWHERE, Rows, of_block, places, tap_at

_WORDS = (
    "Bytes of all that each call returns for one sample. The total is that of the calls that hold no others, "
    "with the inputs: what it takes to keep everything."
)
_TEXT = "it returns text, which has no fixed size"


def _measured(asked: Asked) -> Measured:
    reader, graph = asked.reader, asked.graph
    block, row = divmod(asked.sample, reader.blocks.size)
    known = of_block(reader, block)
    where = {node: [address] for node, address in places(reader).items()}
    for tap in reader.taps.values():
        if tap.call in where and tap.address not in where[tap.call]:
            where[tap.call].append(tap.address)
    sizes = {n.address: _size(reader, known, row, where.get(n.address, [])) for n in graph.nodes}
    values = {address: size for address, size in sizes.items() if isinstance(size, float)}
    missing = {address: reason for address, reason in sizes.items() if isinstance(reason, str)}
    total = sum(values.get(node.address, 0.0) for node in innermost(graph))
    return Measured("bytes", values, total, _WORDS, missing)


def _size(reader: Reader, known: Rows, row: int, addresses: Sequence[str]) -> float | str:
    """Return the bytes of some tensors for one sample, or why they can't be told."""
    size = 0.0
    for address in addresses:
        each, array = item_bytes(tap_at(reader, address)), known.of(address, row)
        if array is None or not each:
            return known.reason(address) if array is None else _TEXT
        size += each * array.size
    return size if addresses else ELSEWHERE


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
