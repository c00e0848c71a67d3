"""The steps of a recording: each is read once, as long as there is room for it."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError, ModelError
from ..keys import whole_number
from ..reading.cache import ByteCache
from .record import About, Record, Recording, Summary


@dataclass(frozen=True)
class RecordedStep:
    """What a step holds beside its activations.

    Attributes
    ----------
    step, epoch : int
    logs : dict of str to float
        The loss and metrics.
    output : ndarray
        The model's main output for the probe batch.
    held : frozenset of str
        Addresses of the layers whose activations are there.
    graded : frozenset of str
        Addresses of the layers whose gradients are there.
    numbers : (layers, 10) float64 ndarray
        The summary of each layer, in the order of `About.taps`; NaN for what there is not.
    """

    step: int
    epoch: int
    logs: Mapping[str, float]
    output: np.ndarray
    held: frozenset[str]
    graded: frozenset[str]
    numbers: np.ndarray

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.output.nbytes + self.numbers.nbytes

    @property
    def is_finite(self) -> bool:
        """Whether the loss, the output and every layer that was recorded are free of NaN and infinity."""
        lost = np.nan_to_num(self.numbers[:, [_NAN, _INFINITE]]).any()
        return not lost and not self.is_lost and bool(np.isfinite(self.output).all())

    @property
    def is_lost(self) -> bool:
        """Whether the loss is NaN or infinite."""
        return not np.isfinite(self.logs.get("loss", 0.0))

    @property
    def words(self) -> str:
        """Step, epoch and loss, as ``step 1200 · epoch 3 · loss 0.412``."""
        loss = f" · loss {self.logs['loss']:.3g}" if "loss" in self.logs else ""
        return f"step {self.step} · epoch {self.epoch}{loss}"


# Seconds that a look at the steps may take each time; what takes longer rests so many times as long.
_LONG, _REST = 0.05, 20
_NAN, _INFINITE = Summary._fields.index("nan"), Summary._fields.index("infinite")


class Timeline:
    """A recording, and what was read of it.

    Parameters
    ----------
    recording : Recording
    budget : int
        Bytes to keep at the most, of all steps together.

    Attributes
    ----------
    kept : ByteCache
        What was read, in a part for each step.
    steps : tuple of int
        The steps that were there at the last `look`, ascending.
    """

    def __init__(self, recording: Recording, budget: int) -> None:
        self.recording = recording
        self.about: About = recording.about
        self.kept = ByteCache(budget)
        self._rows = {address: row for row, address in enumerate(self.about.taps)}
        self._lock = threading.RLock()
        self._latest: Record | None = None
        self._took = self._looked = 0.0
        self.steps: tuple[int, ...] = ()
        if not self.look():
            raise ModelError(
                "Nothing was recorded yet. Received: a recording without a step. Expected: one that a "
                "training wrote to, as in model.fit(..., callbacks=[recorder])."
            )

    def look(self) -> tuple[int, ...]:
        """Return the steps that are there by now; where looking takes long, not at each question."""
        now = time.monotonic()
        if self._took < _LONG or now - self._looked > _REST * self._took:
            with self._lock:
                self.steps = tuple(map(int, self.recording.steps))
                self._looked = time.monotonic()
                self._took = self._looked - now
        return self.steps

    def check(self, step: int) -> int:
        """Return `step`, or raise an `InputError` that names the nearest one that is there."""
        number = whole_number(step)
        steps = self.steps if number in self.steps else self.look()
        if number is not None and number in steps:
            return number
        near = "" if number is None else f" The nearest is {min(steps, key=lambda s: abs(s - number))}."
        raise InputError(
            f"No step {step!r:.80} was recorded.{near} Received: step={step!r:.80}. Expected: one of "
            f"{len(steps)} steps from {steps[0]} to {steps[-1]}; Session.steps lists them."
        )

    def is_ready(self, step: int, layer: str) -> bool:
        """Whether a step with a layer's activations, if they were recorded, takes no reading."""
        kept = self.kept.part(step)
        moment: RecordedStep | None = kept.peek("moment")
        return moment is not None and (("activation", layer, 0) in kept or layer not in moment.held)

    def prepare(self, step: int, layer: str) -> None:
        """Read a step and a layer's activations, so that all that shows them can be drawn at once."""
        if layer in self.moment(step).held:
            self.kept.part(step).put(("activation", layer, 0), self.activation(step, layer))

    def moment(self, step: int) -> RecordedStep:
        """Return what a step holds beside its activations."""
        kept = self.kept.part(step)
        found: RecordedStep | None = kept.used("moment")
        if found is None:
            found = self._read(step)
            kept.put("moment", found)
        return found

    def moments(self) -> Iterator[RecordedStep]:
        """Yield those of all steps. They are kept if there is room beside all else."""
        for step in self.steps:
            kept = self.kept.part(step)
            found = kept.peek("moment")
            if found is None:
                try:
                    found = self._read(step)
                except InputError:
                    if step in self.look():
                        raise
                    continue  # a recorder that runs out of room lets go of steps
                kept.offer("moment", found)
            yield found

    def activations(self, step: int, addresses: list[str]) -> dict[str, np.ndarray]:
        """Return the activations of layers at a step, read-only. Nothing is kept.

        Raises
        ------
        ModelError
            If they were not recorded at this step.
        """
        moment = self.moment(step)
        for address in addresses:
            if address not in moment.held:
                raise self._not_held(moment, address)
        if not addresses:
            return {}
        with self._lock:
            arrays = self._record(step).activations
            return {address: _readable(arrays[address]) for address in addresses}

    def activation(self, step: int, address: str) -> np.ndarray:
        """Return one layer's activations at a step; kept if there is room beside all else."""
        kept, key = self.kept.part(step), ("activation", address, 0)  # where `Blocks` looks it up
        found: np.ndarray | None = kept.used(key)
        if found is None:
            found = self.activations(step, [address])[address]
            kept.offer(key, found)
        return found

    def gradients(self, step: int, addresses: list[str]) -> dict[str, np.ndarray]:
        """Return the gradients at layers as they were recorded at a step, less those that were not."""
        kept = self.kept.part(step)
        found = {}
        for address in self.moment(step).graded.intersection(addresses):
            key = "recorded gradient", address
            array = kept.used(key)
            if array is None:
                with self._lock:
                    array = _readable(self._record(step).gradients[address])
                kept.put(key, array)
            found[address] = array
        return found

    def summary(self, step: int, address: str) -> Summary | None:
        """Return a layer's summary at a step; None if there is none."""
        row = self.moment(step).numbers[self._rows[address]]
        if np.isnan(row[_NAN]):
            return None
        values = dict(zip(Summary._fields, row.tolist(), strict=True))
        counts = {name: int(values[name]) for name in ("nan", "infinite")}
        norms = {n: None if np.isnan(values[n]) else values[n] for n in ("gradient_norm", "weight_norm")}
        return Summary(**{**values, **counts, **norms})

    def numbers(self, address: str, moments: Sequence[RecordedStep]) -> np.ndarray:
        """Return a layer's summary at some steps, ``(steps, 10) float64``; NaN for what there is not."""
        return np.stack([moment.numbers[self._rows[address]] for moment in moments])

    def first_step(self) -> int:
        """Return where to begin: at the last step; if that is not finite, where this began.

        What was not finite once is taken to stay so, so that a few steps tell among thousands.
        """
        place = bisect_left(self.steps, True, key=lambda step: not self.moment(step).is_finite)
        return self.steps[min(place, len(self.steps) - 1)]

    def first_bad_layer(self, step: int) -> str | None:
        """Return the first layer, in call order, that is not finite at a step; None if all are."""
        lost = np.nan_to_num(self.moment(step).numbers[:, [_NAN, _INFINITE]]).any(1)
        return next(
            (address for address, is_lost in zip(self.about.taps, lost, strict=True) if is_lost), None
        )

    def _record(self, step: int) -> Record:
        """Return a record: what is read of one at once may be looked up in it one by one."""
        if self._latest is None or self._latest.step != step:
            self._latest = self.recording.read(step)
        return self._latest

    def _read(self, step: int) -> RecordedStep:
        with self._lock:
            record = self._record(step)
        output = _readable(record.output)
        held, graded = frozenset(record.activations), frozenset(record.gradients)
        numbers = self._numbers(record)
        logs = {name: float(value) for name, value in record.logs.items()}
        return RecordedStep(step, int(record.epoch), logs, output, held, graded, numbers)

    def _numbers(self, record: Record) -> np.ndarray:
        numbers = np.full((len(self._rows), len(Summary._fields)), np.nan)
        for address, summary in record.summaries.items():
            if address in self._rows:
                numbers[self._rows[address]] = [np.nan if n is None else float(n) for n in summary]
        return numbers

    def _not_held(self, moment: RecordedStep, address: str) -> ModelError:
        where = [other.step for other in self.moments() if address in other.held]
        summary = self.summary(moment.step, address)
        known = f" What is known of it then: {_said(summary)}." if summary is not None else ""
        if where:
            nearest = min(where, key=lambda step: abs(step - moment.step))
            remedy = f"step {nearest}, the nearest that holds them"
        else:
            remedy = f"a recording with them: aw.Recorder(..., layers=[{address!r}])"
        return ModelError(
            f"'{address}' was recorded in numbers alone at step {moment.step}: there are no activations "
            f"to show.{known} Expected: {remedy}."
        )


def _said(summary: Summary) -> str:
    lost = summary.nan + summary.infinite
    bad = f", {lost} NaN or infinite" if lost else ""
    return (
        f"mean {summary.mean:.3g}, deviation {summary.deviation:.3g}, from {summary.smallest:.3g} to "
        f"{summary.largest:.3g}, {summary.zeros:.0%} zeros, {summary.dead:.0%} of its channels dead{bad}"
    )


def _readable(array: np.ndarray) -> np.ndarray:
    """Return an array as views take it: read-only, half precision as float32."""
    array = np.asarray(array)
    is_half = array.dtype == np.float16 or array.dtype.name == "bfloat16"
    own = array.astype(np.float32) if is_half else array.view()
    own.flags.writeable = False
    return own
