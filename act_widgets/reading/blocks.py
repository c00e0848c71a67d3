"""The forward side of reading: a batch in blocks of samples, each read in one pass and kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np

from ..errors import LayerKindError, ModelError, MovedOnError, listed
from ..keys import Tap
from ..sources.inputs import Inputs
from ..sources.protocol import Moment, Reading, Source, Timed, unnamed_inputs
from .batches import joined, named_leaves
from .cache import ByteCache

# All activations of a convolutional network take roughly this many times its input. It only
# decides how many samples share a pass; the cache counts the real bytes.
_ACTIVATIONS_PER_INPUT = 200


class Outputs(NamedTuple):
    """What the model returned for a block, and the one of it that classes are read from.

    Attributes
    ----------
    outputs : nest of ndarray
        In the model's own structure.
    main : ndarray
        The one that classes are read from.
    axes : tuple of int
        The channels' axes, as in a `Reading`.
    nbytes : int
        What they take.
    """

    outputs: Any
    main: np.ndarray
    axes: tuple[int, ...]
    nbytes: int

    @classmethod
    def of(cls, reading: Reading) -> Outputs:
        """Return a reading's outputs."""
        held = sum(array.nbytes for array in named_leaves(reading.outputs).values())
        return cls(reading.outputs, reading.main_output, reading.axes, held)

    def class_axis(self, name: str | None = None) -> int:
        """Return which axis of an output holds the classes: that of the channels; -1 for the last.

        `name`: the output's, as in `named_leaves`; the main output if left out.
        """
        named = named_leaves(self.outputs)
        meant = self.main if name is None else named[name]
        axes = zip_longest(named.values(), self.axes, fillvalue=-1)
        return next(axis for output, axis in axes if output is meant)


class Alone(NamedTuple):
    """The smallest batch that a sample can be asked about in.

    Attributes
    ----------
    batch : Inputs
        The sample alone, or the whole batch where samples depend on one another.
    row : int
        The sample's row there.
    known : dict of str to ndarray
        What is kept of its activations.
    """

    batch: Inputs
    row: int
    known: dict[str, np.ndarray]


class Blocks:
    """A batch in blocks of samples: as many in one pass as the budget is expected to hold.

    A pass keeps the activations of all layers; where they turn out to be more than the budget, or the source
    reads each of them apart, passes read only what is asked for.

    Parameters
    ----------
    source : Source
        The model.
    inputs : Inputs
        The batch.
    cache : ByteCache
        Where activations and outputs are kept.

    Attributes
    ----------
    size, count : int
        Samples in a block, and how many blocks there are.
    unreachable : dict of str to str
        What can't be read, with the reason.
    refused : dict of str to str
        What is larger than the budget, told in words.
    passes : int
        How often the model ran.
    sample_bytes : int
        What the activations of one sample take; 0 before the first pass.
    read_at : tuple of Moment
        Where the model's trainings stood: what is kept belongs to this step.
    """

    def __init__(self, source: Source, inputs: Inputs, cache: ByteCache) -> None:
        self.source = source
        self.inputs = inputs
        self.cache = cache
        self.read_at: tuple[Moment, ...] = source.moments()
        self._lock = threading.RLock()
        self._taps: dict[str, Tap] = {}
        self._class_axes: dict[str | None, int] = {}
        self.unreachable: dict[str, str] = {}
        self.refused: dict[str, str] = {}
        self.passes = 0
        self.sample_bytes = 0
        self._fits = not source.reads_apart
        likely = cache.budget // (max(1, inputs.sample_bytes) * _ACTIVATIONS_PER_INPUT)
        self.size = inputs.size if source.is_indivisible else int(np.clip(likely, 1, inputs.size))
        self.count = -(-inputs.size // self.size)

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Ask the model within: one question at a time, while no training that is followed makes a step.

        Raises
        ------
        MovedOnError
            If what is kept is of an earlier step.
        """
        self._check_moment()
        with self.source.at_rest():
            self._check_moment()
            with self._lock:
                yield

    def _check_moment(self) -> None:
        if self.source.moments() != self.read_at:
            raise MovedOnError(
                f"The training of '{self.source.name}' went on since it was read. Received: a question that "
                "would mix numbers of two steps. Ask again, or ask all at once: session.activation() and its "
                "like keep the training from going on meanwhile."
            )

    @property
    def taps(self) -> dict[str, Tap]:
        """Every tensor that can be read, in call order. Runs the first pass if none was run."""
        if not self._taps:
            self.run(0, None if self._fits else [])
        if not self._taps:
            raise ModelError(
                f"There is nothing inside '{self.source.name}' to look at. Received: a model that calls no "
                "layer or operation of Keras. Expected: a model of at least one layer."
            )
        return self._taps

    def set_channel_axis(self, address: str, axis: int) -> None:
        """Say which axis of a tensor holds its channels; what others know of the model stays as it is."""
        self._taps = {**self.taps, address: replace(self.taps[address], channel_axis=axis)}

    @cached_property
    def input_addresses(self) -> list[str]:
        """An address for each input: its layer's name, or its number."""
        return unnamed_inputs(self.source.input_names, len(self.inputs.arrays))

    @cached_property
    def together(self) -> bool:
        """Whether samples depend on one another: one's gradient then takes the whole batch."""
        if self.source.is_indivisible or self.inputs.size == 1:
            return self.source.is_indivisible
        with self.at_rest():
            return self.source.mixes(self.inputs.rows(0, 1), self.outputs(0).main[:1])

    def rows(self, block: int) -> tuple[int, int]:
        """Return the first sample of a block, and the one behind its last."""
        start = block * self.size
        return start, min(start + self.size, self.inputs.size)

    def values(self, addresses: Sequence[str], block: int) -> dict[str, np.ndarray]:
        """Return activations of a block: looked up, or from one pass if any is missing."""
        found = self._looked_up(addresses, block)
        if len(found) == len(addresses):
            return found  # without waiting for a pass that is under way for something else
        with self.at_rest():
            kept = self._looked_up([a for a in addresses if a not in found], block, counted=False)
            found |= kept
            missing = [a for a in addresses if a not in found]
            if missing:
                values = self.run(block, None if self._fits else missing).values
                uncalled = [address for address in missing if address not in values]
                if uncalled:
                    raise self._not_called(uncalled, block)
                found |= {a: values[a] for a in missing}
            return {a: found[a] for a in addresses}

    def _not_called(self, addresses: Sequence[str], block: int) -> LayerKindError:
        start, stop = self.rows(block)
        samples = f"samples {start} to {stop - 1}" if stop - start > 1 else f"sample {start}"
        return LayerKindError(
            f"The model decides by values, and does not call every layer for every sample. Received: "
            f"{listed(addresses)}, not called for {samples}. Expected: a sample that it is called for, or "
            "inputs that hold such samples alone."
        )

    def everything(self, block: int) -> dict[str, np.ndarray]:
        """Return all activations of a block: looked up, or from one pass if any is missing.

        A model that decides by values may not call every layer for these samples.
        """
        found = self._looked_up(list(self.taps), block)
        return found if len(found) == len(self.taps) else dict(self.run(block, None).values)

    def _looked_up(self, addresses: Sequence[str], block: int, counted: bool = True) -> dict[str, np.ndarray]:
        look = self.cache.get if counted else self.cache.peek
        kept = {a: look(("activation", a, block)) for a in addresses}
        return {a: value for a, value in kept.items() if value is not None}

    def outputs(self, block: int) -> Outputs:
        """Return what the model returns for a block."""
        kept = self.cache.get(("outputs", block))
        if kept is not None:
            return kept
        with self.at_rest():
            kept = self.cache.peek(("outputs", block))
            return kept or Outputs.of(self.run(block, None if self._fits else []))

    def class_axis(self, name: str | None = None) -> int:
        """Return which axis of an output holds the classes; see `Outputs`. Asked once: they may go."""
        if name not in self._class_axes:
            self._class_axes[name] = self.outputs(0).class_axis(name)
        return self._class_axes[name]

    def run(self, block: int, wanted: Sequence[str] | None) -> Reading:
        """Run the model once on a block of samples, and keep what was wanted of it, or everything."""
        with self.at_rest():
            reading = self.source.forward(self.inputs.rows(*self.rows(block)), wanted)
            self.passes += 1
            self._taps = self._taps or reading.taps
            self.unreachable = reading.unreachable
            made = sum(value.nbytes for value in reading.values.values())
            start, stop = self.rows(block)
            self.sample_bytes = max(self.sample_bytes, made // (stop - start))
            self._fits &= made <= self.cache.budget
            for address, value in reading.values.items():
                if not self.cache.put(("activation", address, block), value):
                    self.refused[address] = self._too_large(address, value, block)
            self.cache.put(("outputs", block), Outputs.of(reading))
            return reading

    def timed(self, inputs: Inputs) -> Timed:
        """Run the model once with a clock at each call, while no other pass runs."""
        with self.at_rest():
            self.passes += 1
            return self.source.timed(inputs)

    def _too_large(self, address: str, value: np.ndarray, block: int) -> str:
        start, stop = self.rows(block)
        samples = f"{stop - start} samples" if stop - start > 1 else "one sample"
        return (
            f"'{address}' takes {value.nbytes / 1e6:,.1f} MB for {samples}, more than the "
            f"{self.cache.budget / 1e6:,.1f} MB that may be kept, so it is computed again when needed. "
            f"Give cache_bytes={value.nbytes} or more to keep it."
        )

    def kept(self, block: int) -> dict[str, np.ndarray]:
        """Return the activations of a block that are kept and have an entry for each sample."""
        start, stop = self.rows(block)
        found = ((a, self.cache.used(("activation", a, block))) for a in self.taps)
        return {a: v for a, v in found if v is not None and v.shape[:1] == (stop - start,)}

    def whole(self, addresses: Sequence[str]) -> dict[str, np.ndarray]:
        """Return activations of the whole batch."""
        blocks = [self.values(addresses, block) for block in range(self.count)]
        return {a: self._joined([values[a] for values in blocks]) for a in addresses}

    def _joined(self, parts: list[np.ndarray]) -> np.ndarray:
        """Join the blocks of an activation, unless it is computed once for all samples."""
        first = parts[0]
        start, stop = self.rows(0)
        shared = first.shape[:1] != (stop - start,) and all(np.array_equal(first, p) for p in parts)
        return first if shared else joined(parts)

    def alone(self, sample: int) -> Alone:
        """Return the smallest batch that a sample can be asked about in."""
        if self.together:
            return Alone(self.inputs, sample, self.kept(0) if self.count == 1 else {})
        block, row = divmod(sample, self.size)
        kept = self.kept(block)
        known = kept if self.size == 1 else {a: value[row : row + 1] for a, value in kept.items()}
        return Alone(self.inputs.rows(sample, sample + 1), 0, known)
