"""A model, a batch, what is kept of them, and what is being looked at."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import numpy as np
from traitlets import Bool, HasTraits, Int, Tuple

from .arguments import checked_budget, checked_labels, checked_method
from .attribution import (
    METHODS,
    Attribution,
    Partial,
    attribute_batch,
    attribute_sample,
    default_layer,
    top_classes,
)
from .attribution.trust import Curve, curve_of
from .choices import Choices
from .keys import Head, Tap, Target
from .layer_axes import LayerAxes
from .measures import Measured, measure
from .model_graph import Graph
from .reading.attention import attention_of, no_attention
from .reading.edit import channel_change
from .reading.ordering import WEIGHT, Ordered, ordered
from .reading.reader import Reader
from .recording.failure import Failure
from .rendering.photos import Photos
from .selection import Selection
from .sources.inputs import Inputs
from .sources.protocol import Moment
from .statistics import projection
from .target_names import class_name, target_name
from .through_time import ThroughTime

_Method = TypeVar("_Method", bound=Callable[..., Any])
_Part = TypeVar("_Part")


def _current(method: _Method) -> _Method:
    """Have a method answer by the weights as they are now, all of it by those of one step."""

    @functools.wraps(method)
    def answer(self: Session, *args: Any, **kwargs: Any) -> Any:
        with self.reading():
            return method(self, *args, **kwargs)

    return cast("_Method", answer)


class Session(ThroughTime, HasTraits):
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
    labels : sequence of str, optional
        Class names, one for each unit of the main output.
    display : sequence of ndarray, optional
        Pictures to show in place of the inputs: uint8, or float in [0, 1], of any size.
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
        labels: Sequence[str] | None = None,
        display: Any = None,
        cache_bytes: int | None = None,
        training: bool = False,
        signature: str | None = None,
    ) -> None:
        super().__init__()
        self.training = training
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
        self.photos = self._photos()
        self.axes = LayerAxes(lambda: self.reader, self._relaid)
        layers = self.reader.layers
        first = self._first_layer(model) or default_layer(self.reader.taps) or layers[-1]
        self._choices = Choices(self)
        self.selection = Selection(self._choices, layer=first)
        # Before any view's own observer, which those of all traits at once would not be.
        self.selection.observe(lambda _: self._note_change(), names=self.selection.trait_names())

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
            self.photos = self._photos()
            self._settle_anew()

    @property
    def batch_size(self) -> int:
        """Number of samples."""
        return self.reader.inputs.size

    @property
    def head(self) -> Head:
        """What the model's main output offers to explain."""
        return self.reader.head

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

    def tap(self, layer: str) -> Tap:
        """Return what is known of a layer's tensor: its whole address, kind, shape and dtype."""
        return self.reader.tap(layer)

    @_current
    def activation(self, layer: str) -> np.ndarray:
        """Return a layer's activations for the whole batch, ``(batch, ...)``, read-only.

        Raises
        ------
        UnknownLayerError
            If `layer` names no layer of the model, or more than one.
        """
        return self.reader.activation(layer)

    @_current
    def attention(self, layer: str) -> np.ndarray:
        """Return the weights of an attention layer for the whole batch, ``(batch, heads, queries, keys)``.

        They are those that the layer used, its masks included: as it returns or computes them, or else
        computed from its query and key.

        Raises
        ------
        UnknownLayerError, LayerKindError
            If there is no such layer, or it has no attention weights that can be read.
        """
        tap = self.tap(layer)
        found = attention_of(self.reader.taps, tap)
        if found is None:
            raise no_attention(tap)
        return np.stack([found.of_sample(self.reader, sample) for sample in range(self.batch_size)])

    @_current
    def outputs(self) -> Any:
        """Return what the model returns for the batch: an array, or the model's structure of them."""
        return self.reader.outputs()

    @_current
    def edit(
        self,
        layer: str,
        channels: int | Sequence[int] | None = None,
        scale: float = 0.0,
        replace: Any = None,
    ) -> Any:
        """Return the model's outputs with some channels of a layer changed.

        Only what lies behind the layer is computed; everything beside it comes from what is kept. The
        model itself is left as it is.

        Parameters
        ----------
        layer : str
            The layer whose activation is changed.
        channels : int or sequence of int, optional
            Which channels; all if left out.
        scale : float
            What the channels are multiplied by: 0 silences them. Not used with `replace`.
        replace : array_like, optional
            What the channels hold instead, in a shape that broadcasts to ``(batch, ..., channels)``:
            the layer's own activation with its channels in another order, say, or that of another
            image.

        Returns
        -------
        ndarray, or the structure of them that the model returns
            The outputs after the edit.

        Raises
        ------
        UnknownLayerError, InputError
            If there is no such layer or channel, or `replace` does not fit.
        """
        return self.reader.variants.resume(
            self.tap(layer).address, channel_change(self.reader, layer, channels, scale, replace)
        )

    @_current
    def ordered_channels(self, layer: str, sample: int) -> Ordered:
        """Return the channels of a layer in the order of the selection, perhaps less the dead ones."""
        return self.channels_as_read(layer, sample)

    def channels_as_read(self, layer: str, sample: int) -> Ordered:
        """Return the same without asking whether the weights changed, which each choice has asked already."""
        chosen = self.selection
        target = self.explained_target(sample) if chosen.order == WEIGHT else 0
        return ordered(self.reader, layer, sample, chosen.order, chosen.hide_dead, target)

    @_current
    def predictions(self, sample: int) -> np.ndarray:
        """Return the main output for one sample, positions averaged, ``(units,)``."""
        return self.reader.unit_scores[self.reader.check_sample(sample)]

    @_current
    def silenced_predictions(self, sample: int) -> np.ndarray | None:
        """Return the same with the channels in `silenced` set to 0; None if there are none."""
        if not self.silenced:
            return None
        layer, channels = self.silenced
        return self.reader.variants.resume_sample(
            self.tap(layer).address,
            channel_change(self.reader, layer, channels),
            self.reader.check_sample(sample),
        )

    def top_class(self, sample: int) -> int:
        """Return the class that the model gives a sample first."""
        return int(top_classes(self.reader)[self.reader.check_sample(sample)])

    def explained_target(self, sample: int) -> int | Target:
        """Return what the selection asks to have explained for a sample."""
        chosen = self.selection
        if chosen.target_layer:
            return Target(chosen.target or 0, layer=chosen.target_layer)
        return self.top_class(sample) if chosen.target is None else chosen.target

    def target_name(self, target: int | Target) -> str:
        """Return what is explained in words."""
        return target_name(self.head, self.labels, target)

    def class_name(self, target: int) -> str:
        """Return a class's label, or its number in words."""
        return class_name(self.head, self.labels, target)

    @_current
    def attribution(
        self,
        method: str = "grad_cam",
        *,
        layer: str | None = None,
        target: int | Target | None = None,
        scores: str | None = None,
        sample: int | None = None,
        on_progress: Callable[[float, str], None] | None = None,
        **params: Any,
    ) -> Attribution:
        """Return maps of where a score comes from.

        For the other parameters see `attribute`.

        Parameters
        ----------
        sample : int, optional
            Explain this sample alone; its gradients are kept for all layers.
        """
        chosen = METHODS[checked_method(method)]
        given = chosen.checked(params)
        if sample is None:
            return attribute_batch(self.reader, chosen, layer, target, scores, given, on_progress)
        last: Partial | None = None
        for last in attribute_sample(self.reader, chosen, layer, target, scores, sample, given):
            if on_progress is not None:
                on_progress(last.share, last.words)
        assert last is not None
        return last.result

    def attribution_steps(
        self,
        method: str,
        sample: int,
        *,
        layer: str | None = None,
        target: int | Target | None = None,
        scores: str | None = None,
        **params: Any,
    ) -> Iterator[Partial]:
        """Yield one sample's map as it comes to be: ``.result``, ``.share`` of the work done, ``.words``.

        For parameters see `attribution`. Nothing is computed before the first is asked for.
        """
        chosen = METHODS[checked_method(method)]
        given = chosen.checked(params)
        yield from self._in_steps(
            lambda reader: attribute_sample(reader, chosen, layer, target, scores, sample, given)
        )

    def perturbation_curve(
        self,
        result: Attribution,
        sample: int = 0,
        *,
        kind: str = "deletion",
        steps: int = 20,
        fill: float | None = None,
    ) -> Curve:
        """Return how the score falls, or rises, as positions go, or come, in the order of a map.

        Positions of equal value come in a random order, the same each time.

        Parameters
        ----------
        result : Attribution
            Maps of this session: of the whole batch, or of this sample alone.
        sample : int
            Number of the sample in the batch.
        kind : str
            ``"deletion"``: the most important positions are covered first. ``"insertion"``: they are
            uncovered first.
        steps : int
            Number of changes.
        fill : float, optional
            What stands where nothing is; the sample's mean of each channel if left out.

        Returns
        -------
        Curve
            ``.shares`` of the positions and ``.scores``, probabilities where the model gives them, both
            ``(steps + 1,)``, and the ``.area`` under it (Petsiuk et al. 2018).
        """
        *_, curve = self.curve_steps(result, sample, kind, steps, fill)
        return curve

    def curve_steps(
        self, result: Attribution, sample: int, kind: str, steps: int = 20, fill: float | None = None
    ) -> Iterator[Curve]:
        """Yield the curve as it comes to be; for parameters see `perturbation_curve`."""
        method = METHODS[result.method]
        yield from self._in_steps(lambda reader: curve_of(reader, method, result, sample, kind, steps, fill))

    def _in_steps(self, begin: Callable[[Reader], Iterator[_Part]]) -> Iterator[_Part]:
        """Yield the parts of work; a training goes on between them, and the work then ends in an error."""
        with self.reading():
            parts = begin(self.reader)
            first = list(itertools.islice(parts, 1))
        yield from first
        yield from parts

    @_current
    def measure(
        self, name: str, sample: int = 0, on_progress: Callable[[float, str], None] | None = None
    ) -> Measured:
        """Return a number for each call of the model, and for the calls that hold others.

        Parameters
        ----------
        name : str
            ``"parameters"``; ``"bytes"`` of the outputs; ``"time"`` in ms, measured; ``"flops"`` by
            TensorFlow's counter; ``"sparsity"``, the share of exact zeros in %; ``"dead"`` channels in %;
            ``"gradient"``, its size; ``"relevance"``, gradient times activation.
        sample : int
            Number of the sample, for those that are of one: sparsity, gradient, relevance. The last two are
            of what the selection explains.
        on_progress : callable, optional
            Called as ``on_progress(share, words)`` between passes. What it raises ends the work.

        Returns
        -------
        Measured
            ``.values`` by the address of a node of `graph`, the ``.total`` of the model, what was measured in
            ``.words``, and why a node has no value in ``.missing``.

        Raises
        ------
        InputError
            If there is no such measure or sample.
        """
        return measure(self.reader, name, sample, lambda: self.explained_target(sample), on_progress)

    @_current
    def project(
        self,
        layer: str | None = None,
        method: str = "pca",
        *,
        features: str | None = None,
        on_progress: Callable[[float, str], None] | None = None,
        **params: Any,
    ) -> projection.Projected:
        """Return the samples of the batch as points: near to one another where a layer answers alike.

        Parameters
        ----------
        layer : str, optional
            Address of the layer; the one that is chosen if left out.
        method : str
            ``"pca"``, ``"tsne"`` or ``"umap"``.
        features : str, optional
            ``"flattened"``: every position of a channel counts. ``"averaged"``: the mean over positions
            does. Flattened up to 4,096 values if left out, else averaged.
        on_progress : callable, optional
            Called as ``on_progress(share, words)``; the share is NaN where nobody can know it. What it raises
            ends the work.
        **params
            ``standardise=False``, whether all values get the same variance; ``seed=0``; ``perplexity`` of
            t-SNE, 30 or a third of the samples if left out; ``neighbours`` of UMAP.

        Returns
        -------
        Projected
            ``.points``, ``(batch, 2) float32``, ``.words`` for what was done, ``.explained`` variance of PCA,
            ``.divergence`` of t-SNE, and the samples ``.left_out``.

        Raises
        ------
        UnknownLayerError, LayerKindError, InputError
            If there is no such layer, method or parameter, or the batch is too small.
        ImportError
            If the library is not installed.
        """
        place = self.selection.layer if layer is None else layer
        question = projection.asked(self.reader, place, method, features, params)
        return projection.projected(self.reader, question, on_progress)

    def shuffled(self, seed: int = 0) -> Session:
        """Return a session on the same inputs whose model has the values of each weight array shuffled.

        The model itself stays as it is. A map that looks the same there does not show what the model
        learned (Adebayo et al. 2018, "Sanity Checks for Saliency Maps").

        Raises
        ------
        ModelError
            If the model can't be traced.
        """
        source = self.source.shuffled(self.reader.inputs, seed)
        return Session(
            source, self.inputs, labels=self.labels, cache_bytes=self._budget, training=self.training
        )

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

    def _photos(self) -> Photos:
        given = self.reader.inputs.arrays[0] if self._display is None else self._display
        return Photos(given, stated=self._display is not None, count=self.reader.inputs.size)
