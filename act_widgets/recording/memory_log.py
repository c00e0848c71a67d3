"""Records kept in memory, as many as there is room for."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InputError
from .record import About, Record

DEFAULT_BYTES = 1 << 28

# What the summary of a layer takes.
_SUMMARY = 455


class MemoryLog:
    """Keeps records in memory, evenly spread over the steps.

    When they take more than the budget, every second one is dropped, and from then on every second
    one that comes: the first and the last stay.

    Parameters
    ----------
    max_bytes : int
        Bytes of arrays to keep at the most.
    """

    def __init__(self, max_bytes: int = DEFAULT_BYTES) -> None:
        self.max_bytes = max_bytes
        self._about: About | None = None
        self._records: list[Record] = []
        self._every = 1
        self._seen = 0
        self._bytes = 0

    @property
    def about(self) -> About:
        """What holds for all records."""
        if self._about is None:
            raise InputError(
                "Nothing is recorded yet. Expected: a training with this recorder among its callbacks."
            )
        return self._about

    @property
    def steps(self) -> Sequence[int]:
        """The steps that are there, ascending."""
        return [record.step for record in self._records]

    def read(self, step: int) -> Record:
        """Return the record of a step."""
        found = next((record for record in self._records if record.step == step), None)
        if found is None:
            raise no_step(step, self.steps)
        return found

    def open(self, about: About) -> None:
        """Begin a recording, or go on with the one that is there."""
        self._about = about

    def write(self, record: Record) -> None:
        """Keep a record, in place of the last one if that was only kept for being the last."""
        if self._records and (self._seen - 1) % self._every:
            self._bytes -= _nbytes(self._records.pop())
        self._records = [*self._records, record]
        self._bytes += _nbytes(record)
        self._seen += 1
        while len(self._records) > 2 and self._bytes > self.max_bytes:
            last = self._records[-1]
            self._records = [r for r in self._records[::2] if r is not last] + [last]
            self._every *= 2
            self._bytes = sum(map(_nbytes, self._records))

    def close(self) -> None:
        """End the recording; what was kept stays."""


def _nbytes(record: Record) -> int:
    arrays = [*record.activations.values(), *record.gradients.values(), record.output]
    return sum(array.nbytes for array in arrays) + _SUMMARY * len(record.summaries)


def no_step(step: int, steps: Sequence[int]) -> InputError:
    """Return the error for a step that is not recorded; it names the nearest."""
    near = sorted(steps, key=lambda known: abs(known - step))[:3]
    return InputError(
        f"Step {step!r:.80} is not recorded. Nearest: {', '.join(map(str, near)) or 'none'}. "
        "All that are stand in `steps`."
    )
