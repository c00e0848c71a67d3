"""Measured time."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from time import monotonic

from ..sources.protocol import Timed
from .measure import GIVEN, Asked, Measure, Measured, Partial, is_given

# As many passes as fit into some time, between a few and many.
_FEWEST, _MOST, _SECONDS = 3, 15, 1.0
_WHOLE = "only the whole model can be timed"
_AROUND = "its time is part of that of the call around it"


def _steps(asked: Asked) -> Iterator[Partial]:
    """Yield the medians of more and more passes; the first pass, which makes things ready, is not counted."""
    blocks = asked.reader.blocks
    batch = blocks.alone(0).batch
    blocks.timed(batch)
    passes: list[Timed] = []
    begun = monotonic()
    share = 0.0
    while share < 1:
        passes.append(blocks.timed(batch))
        done = max(len(passes) / _MOST, (monotonic() - begun) / _SECONDS)
        share = min(1.0, len(passes) / _FEWEST, done)
        yield Partial(_median(asked, passes, batch.size), share, f"pass {len(passes)}")


def _median(asked: Asked, passes: list[Timed], samples: int) -> Measured:
    """Return the median of each call over the passes that made it."""
    values: dict[str, float] = {}
    missing: dict[str, str] = {}
    for node in asked.graph.nodes:
        seconds = [one.seconds[node.address] for one in passes if node.address in one.seconds]
        if seconds:
            values[node.address] = 1000 * median(seconds)
        elif is_given(asked.reader, node):
            missing[node.address] = GIVEN
        else:
            missing[node.address] = _AROUND if passes[0].seconds else _WHOLE
    what = f"a batch of {samples}" if samples > 1 else "one sample"
    count = f"{len(passes)} passes" if len(passes) > 1 else "one pass"
    inner = "; inner calls included" if passes[0].seconds else ""
    words = f"Median of {count} of {what}, {passes[0].how}{inner}."
    return Measured("time", values, 1000 * median(one.whole for one in passes), words, missing)


TIME = Measure(
    "time",
    "measured time",
    "ms",
    "How long the call takes, inner calls included: the median of several passes of the model over a sample.",
    _steps,
    is_kept=True,
)
