"""Exact zeros in activations, and channels that hold nothing else."""

from __future__ import annotations

import numpy as np

from ..reading.ordering import living
from .measure import Asked, Measure, Measured, at_once, innermost
from .places import ELSEWHERE, EMPTY, NO_NUMBERS, of_block, places, rows, tap_at

_NUMBERS = "biufc"


class _Shares:
    """Collects for each node how many of how many; nodes without a share get a reason."""

    def __init__(self, asked: Asked) -> None:
        self.graph = asked.graph
        self.counts: dict[str, tuple[int, int]] = {}
        self.missing: dict[str, str] = {}

    def measured(self, name: str, words: str) -> Measured:
        """Return the shares in percent, in call order."""
        order = [n.address for n in self.graph.nodes]
        empty = {a: EMPTY for a, (_, whole) in self.counts.items() if not whole}
        missing = {a: self.missing.get(a) or empty.get(a) or ELSEWHERE for a in order}
        values = {a: 100 * part / whole for a, (part, whole) in self.counts.items() if whole}
        inner = [self.counts[n.address] for n in innermost(self.graph) if n.address in values]
        part, whole = np.array(inner or [(0, 0)]).sum(0)
        return Measured(
            name,
            {a: values[a] for a in order if a in values},
            float(100 * part / whole) if whole else None,
            words,
            {a: reason for a, reason in missing.items() if a not in values},
        )


def _sparsity(asked: Asked) -> Measured:
    block, row = divmod(asked.sample, asked.reader.blocks.size)
    known = of_block(asked.reader, block)
    shares = _Shares(asked)
    for node, address in places(asked.reader).items():
        activation = known.of(address, row)
        if activation is None:
            shares.missing[node] = known.reason(address)
        elif activation.dtype.kind not in _NUMBERS:
            shares.missing[node] = NO_NUMBERS
        else:
            shares.counts[node] = activation.size - int(np.count_nonzero(activation)), activation.size
    return shares.measured(
        "sparsity", f"Share of exact zeros in each call's first output, sample {asked.sample}."
    )


def _dead(asked: Asked) -> Measured:
    reader, shares = asked.reader, _Shares(asked)
    where = places(reader)
    lives: dict[str, np.ndarray] = {}
    for known in rows(reader):
        for node, address in where.items():
            axis = tap_at(reader, address).channel_axis
            for row in range(known.samples):
                activation = known.of(address, row)
                if activation is None:
                    shares.missing[node] = known.reason(address)
                elif activation.dtype.kind not in "biuf":
                    shares.missing[node] = NO_NUMBERS
                else:
                    lives[node] = lives.get(node, False) | living(activation, axis)
    shares.counts = {node: (int((~lived).sum()), len(lived)) for node, lived in lives.items()}
    count = reader.inputs.size
    samples = f"all {count} samples" if count > 1 else "the only sample"
    words = f"Share of channels of each call's first output that are 0 everywhere in {samples} of the batch."
    return shares.measured("dead", words)


SPARSITY = Measure(
    "sparsity",
    "sparsity",
    "%",
    "Share of exact zeros in what the call returns for the chosen sample.",
    at_once(_sparsity),
    per_sample=True,
)
DEAD = Measure(
    "dead",
    "dead units",
    "%",
    "Share of channels that are 0 everywhere, in every sample of the batch.",
    at_once(_dead),
)
