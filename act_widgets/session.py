"""A model, a batch, what is kept of them, and what is being looked at."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from traitlets import Bool, HasTraits, Int, Tuple

from .arguments import checked_budget, checked_labels
from .attribution import shown_first
from .choices import Choices
from .layer_axes import LayerAxes
from .model_graph import Graph
from .questions import Questions
from .reading.reader import Reader
from .recording.failure import Failure
from .rendering.photos import Photos
from .selection import Selection
from .sources.inputs import Inputs
from .sources.protocol import Moment
from .through_time import ThroughTime


class Session(Questions, ThroughTime, HasTraits):
    """One model on one batch of inputs, read once and looked at in any number of views.

    Parameters
    ----------
    model : keras.Layer, function, session, recording, str or path
        A Keras model of any kind, or the path of a ``.keras`` or ``.h5`` file; a ``tf.function`` or
        ``ConcreteFunction``; the path of a SavedModel folder or of a frozen ``.pb`` file; a
        ``tf.compat.v1.Session``, or the pair of its graph and itself. It is left as it was. A Keras
        model that was never called is built. Or what a training recorded: a `Recorder`, a recording, or the
        path of one; it has its inputs, and `step` goes through it. Or a recorder's `Failure`.
    inputs : ndarray, tensor, or list, tuple or dict of them
        What the model's call takes, with the batch axis. They are copied.
    labels : sequence of str, or dict by number, optional
        Class names, one for each unit of the main output.
    display : sequence of ndarray, optional
        Pictures to show in place of the first input: uint8, or float in [0, 1], of any size.
    cache_bytes : int, optional
        Bytes of activations and gradients to keep at the most; 1 GiB if left out.
    training : bool
        Whether the model is called as in training: with dropout, and batch normalisation by the
        statistics of the batch, which is then read as one. The same random numbers are drawn at every
        look, until the model's own training goes on.
    signature : str, optional
        Which signature of a SavedModel is read; ``"serving_default"``, or the only one, if left out.

    Attributes
    ----------
    selection : Selection
        What is being looked at. Setting one of its traits redraws every view.
    step : int or None
        Of a recording the step that every view shows; can be set to one of `steps`.
    axes : LayerAxes
        What the axes of each layer are, and so how it is drawn. They are guessed, and can be set.
    version : int
        Goes up when the inputs are exchanged or everything is read anew.

    Raises
    ------
    ModelError
        If `model` is no model that can be read.
    InputError
        If inputs, labels or display do not fit the model or one another.
    """

    silenced = Tuple(
        help="What the explorer silences: an address and a tuple of channels; empty for nothing. "
        "Predictions show the model's answer before and after."
    )
    version = Int(0, help="Goes up when inputs were exchanged or refreshed: views draw anew.")
    outdated = Bool(False, help="Whether a choice found changed weights, and nothing was read anew since.")

    def __init__(
        self,
        model: Any,
        inputs: Any = None,
        *,
        labels: Sequence[str] | Mapping[int, str] | None = None,
        display: Any = None,
        cache_bytes: int | None = None,
        training: bool = False,
        signature: str | None = None,
    ) -> None:
        super().__init__()
        self.training = model.training if isinstance(model, Failure) else training
        self.signature = signature
        self._budget = checked_budget(cache_bytes)
        self._turn = threading.RLock()
        self._content = threading.local()
        self._open(model, training, signature, self._budget)
        given = model.inputs if isinstance(model, Failure) and inputs is None else inputs
        self.reader = self._read(self.source.read_inputs(given))
        if labels is None and self.timeline is not None:
            labels = self.timeline.about.labels or None
        self.labels = checked_labels(labels, self.reader.head)
        self._display = display
        self._look_at_inputs()
        self.axes = LayerAxes(lambda: self.reader, self._relaid)
        first = self._first_layer(model) or shown_first(self.reader)
        self._choices = Choices(self)
        self.selection = Selection(self._choices, layer=first, sample=self._first_sample(model, given))
        # Before any view's own observer, which those of all traits at once would not be.
        self.selection.observe(lambda _: self._note_change(), names=self.selection.trait_names())

    def __repr__(self) -> str:
        return f"Session(model={self.model_name!r}, layers={len(self.layers)}, samples={self.batch_size})"

    @property
    def model_name(self) -> str:
        """The model's name."""
        return self.source.name

    @property
    def layers(self) -> tuple[str, ...]:
        """Addresses of everything that can be looked at, in call order."""
        return self.reader.layers

    @property
    def unreachable(self) -> dict[str, str]:
        """Addresses that can't be read, each with the reason."""
        return dict(self.reader.blocks.unreachable)

    @property
    def graph(self) -> Graph:
        """The model's calls and the tensors between them. Traces the model the first time."""
        return self.reader.graph()

    @property
    def inputs(self) -> Any:
        """The batch, in the structure the model's call takes. Can be set."""
        return self.reader.inputs.pack(self.reader.inputs.arrays)

    @inputs.setter
    def inputs(self, given: Any) -> None:
        read = self.source.read_inputs(given)
        with self.source.at_rest(), self._turn:
            self.reader = self._read(read)
            self._display = None
            self._look_at_inputs()
            self._settle_anew()

    @property
    def stale(self) -> bool:
        """Whether the model's weights changed since it was read. Asking costs less than a millisecond.

        Nothing watches the model at rest: the next choice, or the next question, notices it by
        itself and reads anew. While a view is open, a training is followed from step to step.
        """
        return self.source.weights_version() != self._weights

    @property
    def read_at(self) -> tuple[Moment, ...]:
        """Where the model's trainings stood when it was read; empty outside of a training."""
        return self.reader.blocks.read_at

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Ask within: all answers are of the weights as they are now, and no training makes a step.

        Where a training is followed, this waits for the end of its step.
        """
        if self._is_content():
            yield
            return
        with self.source.at_rest():
            self.follow_weights()
            yield

    @contextmanager
    def as_read(self) -> Iterator[None]:
        """Ask within, in this thread: nothing is read anew, and what is kept answers without waiting.

        Raises
        ------
        MovedOnError
            If something is not kept, and the model's training went on.
        """
        before, self._content.here = self._is_content(), True
        try:
            yield
        finally:
            self._content.here = before

    def _is_content(self) -> bool:
        return getattr(self._content, "here", False)

    def follow_weights(self) -> None:
        """Read anew if the weights changed."""
        if self._is_content():
            return
        with self.source.at_rest(), self._turn:
            if self.outdated or self.stale:
                self._read_anew()
            else:
                self.reader.blocks.read_at = self.source.moments()

    def _note_change(self) -> None:
        # A training that is followed tells of its steps: until then the step before it is shown.
        if not self.outdated and not self.source.moments() and self.stale:
            self.outdated = True

    def shuffled(self, seed: int = 0) -> Session:
        """Return a session on the same inputs whose model has the values of each weight array shuffled.

        The model itself stays as it is. A map that looks the same there does not show what the model
        learned (Adebayo et al. 2018, "Sanity Checks for Saliency Maps").

        Raises
        ------
        ModelError
            If the model can't be traced, and is one of Keras 2 or does not read its weights as Keras does.
        """
        source = self.source.shuffled(self.reader.inputs, seed)
        other = Session(
            source, self.inputs, labels=self.labels, cache_bytes=self._budget, training=self.training
        )
        other.axes.take(self.axes)
        return other

    def refresh(self) -> None:
        """Forget what is known of the model, its trace too, and draw every view anew.

        Changed weights are noticed without it. A change of a layer's other attributes, such as another
        activation, is seen by a new session, and by this one only here.
        """
        with self.source.at_rest(), self._turn:
            self.source.forget()
            self._read_anew()

    def _read_anew(self) -> None:
        # Read before it takes the other's place: meanwhile that one is looked up.
        self.reader = self._read(self.reader.inputs)
        self._settle_anew()

    def _relaid(self, layer: str) -> None:
        self._choices.relaid(layer)
        self.version += 1

    def _settle_anew(self) -> None:
        self._settle()
        with self.hold_trait_notifications():
            self.outdated = False
            self.version += 1

    def _settle(self) -> None:
        self.axes.settle()
        if self.labels and len(self.labels) not in {self.head.units, self.head.classes}:
            self.labels = None
        self._choices.settle()

    def stats(self) -> dict[str, int]:
        """Return counts of the work done for this batch: passes of the model, and the cache's.

        ``refused`` counts what was larger than the whole budget. Calls that check a new trace are not
        counted: they answer no question.
        """
        cache = self.reader.cache
        return {
            "forward_passes": self.reader.blocks.passes,
            "backward_passes": self.reader.gradients.passes,
            "resumed_passes": self.reader.variants.resumed,
            "varied_samples": self.reader.variants.samples,
            "cache_bytes": cache.bytes,
            "hits": cache.hits,
            "misses": cache.misses,
            "evictions": cache.evictions,
            "refused": cache.refused,
        }

    def _read(self, given: Inputs) -> Reader:
        """Return a reader that has run its first pass, so that bad inputs show here."""
        with self.source.at_rest():
            # Before the pass: what changes while it runs is noticed by the next question.
            self.source.build(given)
            weights = self.source.weights_version()
            reader = Reader(self.source, given, self._cache(self._budget))
            reader.output()
            self._weights = weights
            return reader

    def photos_of(self, index: int) -> Photos:
        """Return one of several inputs as pictures; what was given as `display` stands for the first."""
        if index == 0:
            return self.photos
        if index not in self._others:
            given = self.reader.inputs.arrays[index]
            self._others[index] = Photos(given, stated=False, count=self.reader.inputs.size)
        return self._others[index]

    def _look_at_inputs(self) -> None:
        given = self.reader.inputs.arrays[0] if self._display is None else self._display
        self.photos = Photos(given, stated=self._display is not None, count=self.reader.inputs.size)
        self._others: dict[int, Photos] = {}
