"""What a session does with a recording in place of a model: steps, the one shown, what became of channels."""

from __future__ import annotations

from typing import Any

from .errors import InputError, ModelError
from .keys import Tap
from .reading.cache import ByteCache
from .recording.failure import Failure
from .recording.history import History, Life, history, reading
from .recording.opening import recording_in
from .recording.source import RecordedSource
from .recording.timeline import RecordedStep, Timeline
from .sources import Source, open_source


class ThroughTime:
    """What a session does with a recording in place of a model.

    Attributes
    ----------
    timeline : Timeline or None
        The recording, and what was read of it; None where the session is of a model.
    """

    source: Source
    _turn: Any
    timeline: Timeline | None = None

    def _open(self, model: Any, training: bool, signature: str | None, budget: int) -> None:
        """Open a model, a failure, or a recording: at its last step, or where it stopped being finite."""
        if isinstance(model, Failure):
            self.source = _readable(model, training, signature)
            return
        recording = recording_in(model)
        if recording is None:
            self.source = open_source(model, training, signature)
            return
        if training or signature is not None:
            raise InputError(
                f"A recording is shown as it was made. Received: training={training}, "
                f"signature={signature!r}. Expected: neither."
            )
        self.timeline = Timeline(recording, budget)
        step = model.step if isinstance(model, RecordedSource) else self.timeline.first_step()
        self.source = RecordedSource(self.timeline, step)

    def _cache(self, budget: int) -> ByteCache:
        """Return where a new reader keeps what it reads: the steps of a recording share one budget."""
        return self.timeline.kept.part(self.step) if self.timeline else ByteCache(budget)

    def _first_layer(self, model: Any) -> str | None:
        """Return the first layer that is not finite, in a failure or at the step shown; None if all are."""
        if isinstance(model, Failure):
            return model.first_layer
        return self.timeline.first_bad_layer(self.step) if self.timeline and self.step is not None else None

    @staticmethod
    def _first_sample(model: Any, inputs: Any) -> int:
        """Return the first sample that is not finite in a failure, if its own batch is looked at; else 0."""
        is_own = isinstance(model, Failure) and inputs is model.inputs
        return model.sample or 0 if is_own else 0

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps that were recorded by now, ascending; empty where the session is of a model."""
        return self.timeline.look() if self.timeline else ()

    @property
    def moment(self) -> RecordedStep | None:
        """What the step that is shown holds beside its activations: ``.epoch``, ``.logs``, ``.words``."""
        return self.timeline.moment(self.step) if self.timeline and self.step is not None else None

    @property
    def step(self) -> int | None:
        """The step of the recording that every view shows; None for a model. Can be set."""
        return self.source.step if isinstance(self.source, RecordedSource) else None

    @step.setter
    def step(self, step: int) -> None:
        source = RecordedSource(self._recorded(), step)
        source.timeline.moment(source.step)  # read before anything is changed
        with self._turn:
            if source.step != self.step:
                self.source = source
                self._read_anew()

    def died(self, layer: str, channel: int) -> int | None:
        """Return when a channel died: from which step on it is 0 in all samples and positions.

        Looked at are the steps that hold the layer's activations. A channel that was 0 for a while and came
        back did not die; NaN is not 0.

        Returns
        -------
        int or None
            The first step of the last stretch of zeros, if it reaches to the end of the recording: at the
            recorded step before, the channel was alive. For one that was never alive, the first step. None
            if it is not 0 everywhere at the last step.

        Raises
        ------
        ModelError
            If no step holds the layer's activations.
        UnknownLayerError, InputError, LayerKindError
            If there is no such layer or channel, the layer holds no numbers, or the session is of a model.
        """
        return self.life(layer, channel).died

    def life(self, layer: str, channel: int) -> Life:
        """Return when a channel lived: ``.died`` as above, and ``.words``."""
        found = self.history(layer)
        count = found.mean.shape[1]
        if not 0 <= channel < count:
            raise InputError(
                f"No channel {channel!r}. '{layer}' has {count}. Received: channel={channel!r}. "
                f"Expected: 0 to {count - 1}."
            )
        return found.life(channel)

    def history(self, layer: str) -> History:
        """Return what a layer's channels did at every step that holds its activations."""
        tap = self.tap(layer)
        return history(list(reading(self._recorded(), tap)), tap)

    def _recorded(self) -> Timeline:
        if self.timeline is None:
            raise InputError(
                f"A model has no steps to go through. Received: a session of '{self.source.name}' itself. "
                "Expected: a session of a recording, as in aw.Session(recorder)."
            )
        return self.timeline

    def tap(self, layer: str) -> Tap:
        """Return what is known of a layer's tensor."""
        raise NotImplementedError

    def _read_anew(self) -> None:
        raise NotImplementedError


def _readable(failure: Failure, training: bool, signature: str | None) -> Source:
    """Return the model as it was before the first number that was not finite."""
    if (training and not failure.training) or signature is not None:
        raise InputError(
            f"A failure is shown in the mode in which it was found. Received: training={training}, "
            f"signature={signature!r}. Expected: neither."
        )
    if failure.source is None:
        raise ModelError(f"This failure can't be opened: {failure}. Open the recorder instead.")
    return failure.source
