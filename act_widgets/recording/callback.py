"""The Keras callback that records a model while it trains."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import keras

from ..errors import InputError
from ..sources.executions import Execution
from ..sources.kept_step import KeptStep
from ..sources.keras_model import KerasSource
from .checks import checked_every, checked_share, checked_step, one_of, several, writer_of
from .failure import Failure, find_failure
from .handing import Handing
from .memory_log import MemoryLog
from .pace import GRACE, Holding, Pace
from .probe import Probe
from .record import About, Record, Recording
from .reported import has_finite_loss, is_finite, numbers

_CHOICES = ("stop", "go on")


class Recorder(keras.callbacks.Callback):
    """Records what a model does with a probe batch while it trains.

    The model before its training is recorded as step 0. From then on records are left out rather than that
    they take more than their share of the time, and `report` says how many. Two are made in any case: one
    of a step that is not finite, and one at the end if there was no time for any. Preparing takes a trace of
    the model, before the first step; like step 0, it takes none of the training's time.

    A recorder can be copied (`copy.deepcopy`) before it records: the copy has the same settings, writers for
    the same places, and a training of its own.

    Parameters
    ----------
    probe_inputs : ndarray, tensor, or list, tuple or dict of them
        The batch to look at, as the model's call takes it.
    layers : str or sequence of str, optional
        Addresses of the layers to record; all if left out.
    every : "epoch" or int
        When to record: after each epoch, or after so many steps.
    writers : sequence of Writer, str or path
        Who is given each record as it is made: `NpyLog`, `ZarrLog`, `EventFiles`, `PrometheusMetrics`; a
        path stands for ``NpyLog(path)``. Records are in memory too, as many as `max_bytes` holds.
    targets : array_like, or list, tuple or dict of them, optional
        What the model should answer for the probe batch, as `fit` takes it: gradients are then those of
        the loss the model is compiled with, of all its outputs together. Left out, they are those of the
        score of the class that the model gives each sample first.
    gradients : bool
        Whether gradients at the layers are recorded.
    keep : "activations" or "summaries"
        Whether arrays are kept, or only numbers for each layer.
    share : float or None
        The part of the training's own time that may be taken, 0.05 for 5 %; None for no limit. Three
        quarters of it are for records, and for finding out about a failure; of all trainings together, and
        at least half a second. Whether one more fits is judged by the last. A quarter is for holding weights.
    on_nonfinite : "stop" or "go on"
        What to do at the first step whose loss is NaN or infinite, or at the first record with weights that
        are, or activations that are NaN: end the training, or only keep it in `failure`. A loop of one's own
        is not ended; it finds ``model.stop_training`` true.
    on_write_error : "go on" or "stop"
        What to do when a writer fails, as on a full disk: warn and go on without it, or raise. One that can't
        be opened as it is set up, such as where another recording is, raises in any case.
    max_bytes : int
        Bytes of records in memory at the most; when they are more, every second is dropped.
    labels : sequence of str, optional
        Class names, for whoever opens the recording.

    Attributes
    ----------
    failure : Failure or None
        Where the first NaN or infinite number came from.

    Raises
    ------
    InputError
        If one of these is not as described. Inputs and layers are compared with the model when it begins
        to train, before its first step; writers are opened then.
    """

    def __init__(
        self,
        probe_inputs: Any,
        *,
        layers: str | Sequence[str] | None = None,
        every: str | int = "epoch",
        writers: Sequence[Any] | Any = (),
        targets: Any = None,
        gradients: bool = True,
        keep: str = "activations",
        share: float | None = 0.05,
        on_nonfinite: str = "stop",
        on_write_error: str = "go on",
        max_bytes: int = 1 << 28,
        labels: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self._every = checked_every(every)
        self._given = (probe_inputs, [layers] if isinstance(layers, str) else layers, targets)
        self._with_gradients = gradients
        self._with_activations = one_of("keep", keep, ("activations", "summaries")) == "activations"
        self._stops = one_of("on_nonfinite", on_nonfinite, _CHOICES) == "stop"
        raises = one_of("on_write_error", on_write_error, _CHOICES) == "stop"
        self._labels = tuple(map(str, () if labels is None else labels))
        self._memory = MemoryLog(max_bytes)
        self._writers = Handing([self._memory, *map(writer_of, several(writers))], raises)
        share = checked_share(share)
        self._share = share
        self._pace = Pace(None if share is None else share * 3 / 4)
        self._probe: Probe | None = None
        self._kept = KeptStep()
        self._holding = Holding(None if share is None else share / 4)
        self._holds = self._is_measured = self._is_new = False
        self._step_began = 0.0
        self._began = self._preparing = self._elapsed = 0.0
        self._step = self._epoch = self._epoch_start = 0
        self._execution = Execution(None, None, 0)
        self._due = 0
        self._recorded = -1
        self._logs: dict[str, float] = {}
        self.failure: Failure | None = None

    def __repr__(self) -> str:
        if self._probe is None:
            return "Recorder of nothing yet"
        about = self._probe.about
        return (
            f"Recorder of '{about.model}': {len(about.taps)} layers, {self._pace.taken} records up to step "
            f"{self._step}"
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Recorder:
        """Return a recorder with the same settings, for a training of its own.

        Raises
        ------
        InputError
            If this one recorded something already: its records are of its own model.
        """
        if self._probe is not None:
            raise InputError(
                "A recorder is copied before it records, for another training with the same settings. "
                f"Received: one that recorded '{self._probe.about.model}' up to step {self._step}. "
                "Expected: a new Recorder, or a copy made before the first training."
            )
        copied = type(self).__new__(type(self))
        # The probe batch is read alone, and a model that tools have named stays the model.
        memo[id(self)] = copied
        memo |= {id(shared): shared for shared in (self._given, self._model)}
        copied.__dict__.update(copy.deepcopy(vars(self), memo))
        return copied

    @property
    def recording(self) -> Recording:
        """The records that are in memory."""
        return self._memory

    @property
    def about(self) -> About:
        """What holds for all records; with `steps` and `read` a recorder is a recording itself."""
        return self._memory.about

    @property
    def steps(self) -> Sequence[int]:
        """The steps that are in memory, ascending."""
        return self._memory.steps

    def read(self, step: int) -> Record:
        """Return the record of a step."""
        return self._memory.read(step)

    def report(self) -> str:
        """Return in words what was recorded, what it took, and which writers were given up."""
        pace = self._pace
        limit = "no limit" if self._share is None else f"{100 * self._share:g}%, or {GRACE} s, are allowed"
        skipped = f"; {pace.skipped} left out for lack of time" if pace.skipped else ""
        own = self._elapsed - pace.spent
        return (
            f"{pace.taken} records up to step {self._step}{skipped}. They took {pace.spent:.2f} s, "
            f"{pace.spent / own if own > 0 else 0:.1%} of the training's own time ({limit}); preparing took "
            f"{self._preparing:.1f} s.{''.join(f' {words}' for words in self._writers.given_up)}"
        )

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002 Keras gives none
        """Prepare."""
        self._prepare()
        self._kept.follow(self.model)
        self._is_new = True

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 Keras gives none
        """Note the step that the epoch begins with; record the model as its training finds it."""
        # A training that goes on where another one ended says so; one that does not begins again at 0.
        self._epoch = max(self._epoch, epoch)
        self._epoch_start = self._step
        self._begin()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 Keras gives none
        """Hold the weights, so that they are there if this step fails."""
        self._begin()
        self._kept.begins()
        self._execution = Execution(self.model, self.params, batch)
        self._step_began = perf_counter()
        self._holds = self._holding.is_due()
        # The first step of a training is no measure: it is made ready.
        self._is_measured = self._kept.weights is not None
        if self.failure is None and (self._holds or not self._is_measured):
            self._kept.look()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count the step; record it if it is due."""
        now = perf_counter()
        self._kept.made()
        if self._is_measured:
            self._holding.took(self._holds, now - self._step_began)
        self._elapsed = now - self._began
        self._step = self._epoch_start + self._execution.first + self._execution.made(batch)
        self._logs = numbers(logs)
        is_due = isinstance(self._every, int) and self._step // self._every > self._due
        self._due = self._step // self._every if isinstance(self._every, int) else 0
        if self.failure is None and not has_finite_loss(self._logs):
            self._fail(batch)
            self._record()
        elif is_due:
            self._record_if_allowed()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 epochs are counted here
        """Count the epoch; record it if it is due."""
        self._epoch += 1
        self._logs = {**self._logs, **numbers(logs)}
        if self._every == "epoch":
            self._record_if_allowed()

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002 they came with the last epoch
        """Record the model as it is now, and give it back its own training step."""
        self._elapsed = perf_counter() - self._began
        if self._recorded < self._step and (self._pace.allows(self._elapsed) or self._pace.taken < 2):
            self._record()
            self._elapsed = perf_counter() - self._began
        self._kept.let_go()
        self._writers.tell("close", self._step)

    def record(self, model: keras.Model, step: int | None = None) -> Record:
        """Record a model as it is now: for training loops of one's own, or without any.

        Parameters
        ----------
        model : keras.Model
            The model; the same at each call.
        step : int, optional
            Number of steps that were taken before; one more than at the last record if left out.

        Returns
        -------
        Record
            What the writers were given.

        Raises
        ------
        InputError
            If it is another model than before, or `step` is not above the last one.
        """
        self.set_model(model)
        self._prepare()
        self._began = self._began or perf_counter()
        self._step = self._recorded + 1 if step is None else checked_step(step, self._recorded)
        self._elapsed = perf_counter() - self._began
        return self._record(alone=True)

    def _prepare(self) -> None:
        """Read the model for the first time, and open the writers."""
        started = perf_counter()
        if self._probe is None:
            given, layers, targets = self._given
            arrays = self._with_activations
            self._probe = Probe(
                self.model, given, layers, targets, self._with_gradients, arrays, self._labels
            )
            self._probe.read(0, 0, 0.0, {})  # the first time builds what the others run
        elif self._probe.model is not self.model:
            raise InputError(
                f"A recorder records one model. Received: '{self.model.name}' after "
                f"'{self._probe.model.name}'. Expected: a Recorder for each."
            )
        else:
            self._probe.follow_loss(self._step)
        self._writers.tell("open", self._step, self._probe.about)
        self._preparing += perf_counter() - started

    def _begin(self) -> None:
        """Record the model before its first step, when all callbacks have made it what it is then."""
        if not self._is_new:
            return
        self._is_new = False
        if self._recorded < 0:
            self._record(before=True)
        self._began = perf_counter() - self._elapsed
        self._record_if_allowed()

    def _record_if_allowed(self) -> None:
        is_new = self._recorded < self._step  # a step that is not finite was recorded at once
        if is_new and self._pace.allows(perf_counter() - self._began):
            self._record()

    def _record(self, before: bool = False, alone: bool = False) -> Record:
        """Read the probe batch, and hand the record to everybody; `alone` where no `fit` is under way."""
        assert self._probe is not None
        started = perf_counter()
        seconds = self._elapsed if before else started - self._began
        record = self._probe.read(self._step, self._epoch, seconds, dict(self._logs))
        self._writers.tell("write", self._step, record)
        self._recorded = self._step
        self._pace.took(perf_counter() - started, before)
        if self.failure is None and not is_finite(record):
            self._fail(max(0, self._step - self._epoch_start - 1), alone)
        return record

    def _fail(self, batch: int, alone: bool = False) -> None:
        """Find out where a number stopped being finite, and end the training if that is wished."""
        started = perf_counter()
        source = KerasSource(self.model)
        self.failure = find_failure(source, self._kept, max(0, self._step - 1), self._epoch, batch)
        if self._stops:
            self.model.stop_training = True
        self._pace.spend(perf_counter() - started)
        then = "The training ends." if self._stops else "The training goes on."
        if alone:
            then = "Your loop goes on, unless it asks for model.stop_training." if self._stops else ""
        opened = "recorder" if self.failure.source is None else "recorder.failure"
        words = " ".join(filter(None, [f"{self.failure}.", then, f"Open act_widgets.explore({opened})."]))
        warnings.warn(words, RuntimeWarning, stacklevel=2)
