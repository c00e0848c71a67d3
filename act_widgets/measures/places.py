"""The tensors that calls return, for one sample or for all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..keys import Tap
from ..reading.reader import Reader
from ..sources.protocol import INPUT

NO_BATCH = "the first axis of its output is not the batch's"
NO_NUMBERS = "its output holds no real numbers"
EMPTY = "its output is empty"
ELSEWHERE = "it is not called for these samples"


class Rows(NamedTuple):
    """Tensors of some samples.

    Attributes
    ----------
    samples : int
        How many.
    values : dict of str to ndarray
        By address, ``(samples, ...)``; ``(1, ...)`` where it is computed once for all samples.
    """

    samples: int
    values: dict[str, np.ndarray]

    def of(self, address: str, row: int) -> np.ndarray | None:
        """Return a tensor for one of the samples, without the batch axis; None if it has none."""
        value = self.values.get(address)
        if value is None or value.shape[:1] not in {(self.samples,), (1,)}:
            return None
        return value[row if len(value) > 1 else 0]

    def reason(self, address: str) -> str:
        """Return why there is none."""
        return NO_BATCH if address in self.values else ELSEWHERE


def places(reader: Reader) -> dict[str, str]:
    """Return by the address of each node that of its first output, or of the input that it stands for."""
    nodes = reader.graph().nodes
    unnamed = (node.address for node in nodes if node.kind == "Input" and not node.tap)
    given = (address for address in reader.input_addresses if address.startswith(INPUT))
    inputs = dict(zip(unnamed, given, strict=False))
    found = {node.address: node.tap or inputs.get(node.address, "") for node in nodes}
    return {node: a for node, a in found.items() if a in reader.taps or a.startswith(INPUT)}


def rows(reader: Reader) -> Iterator[Rows]:
    """Yield the tensors of all samples: a pass of the model at the most for each block of them."""
    for block in range(reader.blocks.count):
        yield of_block(reader, block)


def of_block(reader: Reader, block: int) -> Rows:
    """Return all tensors of a block of samples, inputs that the model does not name among them."""
    start, stop = reader.blocks.rows(block)
    values = reader.blocks.everything(block)
    given = zip(reader.input_addresses, reader.inputs.arrays, strict=True)
    inputs = {address: array[start:stop] for address, array in given if address.startswith(INPUT)}
    return Rows(stop - start, values | inputs)


def tap_at(reader: Reader, address: str) -> Tap:
    """Return what is known of a tensor; an input that the model does not name is described as it is given."""
    if address in reader.taps:
        return reader.taps[address]
    array = reader.inputs.arrays[reader.input_addresses.index(address)]
    return Tap(address, "InputLayer", (None, *array.shape[1:]), array.dtype.name)
