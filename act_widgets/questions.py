"""What can be asked of a session: activations, edits, predictions, attribution, measures, projections."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar, cast

import numpy as np

from .arguments import checked_maps, checked_method
from .attribution import METHODS, Attribution, Partial, attribute_batch, attribute_sample, top_classes
from .attribution.trust import Curve, curve_of
from .errors import MovedOnError
from .keys import Head, Tap, Target
from .measures import Measured, measure
from .reading.attention import attention_of, no_attention
from .reading.edit import channel_change
from .reading.ordering import WEIGHT, Ordered, ordered
from .reading.reader import Reader
from .selection import Selection
from .sources import Source
from .statistics import projection
from .target_names import class_name, target_name

_Method = TypeVar("_Method", bound=Callable[..., Any])
_Part = TypeVar("_Part")


def _current(method: _Method) -> _Method:
    """Have a method answer by the weights as they are now, all of it by those of one step."""

    @functools.wraps(method)
    def answer(self: Questions, *args: Any, **kwargs: Any) -> Any:
        with self.reading():
            return method(self, *args, **kwargs)

    return cast("_Method", answer)


class Questions:
    """Answers questions on the model and batch of a `Session`, from what is kept or by one pass."""

    source: Source
    reader: Reader
    selection: Selection
    labels: Sequence[str] | None
    silenced: Any
    _weights: int  # their version when the model was read

    @property
    def batch_size(self) -> int:
        """Number of samples."""
        return self.reader.inputs.size

    @property
    def head(self) -> Head:
        """What the model's main output offers to explain."""
        return self.reader.head

    def reading(self) -> AbstractContextManager[None]:
        """Ask within: all answers are of the weights as they are now."""
        raise NotImplementedError

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
        sample: int | None = None,
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
            Maps of this session: of the whole batch, or of one sample alone.
        sample : int, optional
            Number of the sample in the batch; the first that there is a map of if left out.
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

        Raises
        ------
        InputError
            If there is no map of the sample, or another argument is not as described.
        """
        *_, curve = self.curve_steps(result, sample, kind, steps, fill)
        return curve

    def curve_steps(
        self, result: Attribution, sample: int | None, kind: str, steps: int = 20, fill: float | None = None
    ) -> Iterator[Curve]:
        """Yield the curve as it comes to be; for parameters see `perturbation_curve`."""
        method = METHODS[checked_maps(result, self.batch_size).method]
        chosen = result.samples[0] if sample is None else sample
        yield from self._in_steps(lambda reader: curve_of(reader, method, result, chosen, kind, steps, fill))

    def _in_steps(self, begin: Callable[[Reader], Iterator[_Part]]) -> Iterator[_Part]:
        """Yield the parts of work; weights that change between them end the work in an error."""
        with self.reading():
            weights = self._weights
            parts = begin(self.reader)
            first = list(itertools.islice(parts, 1))
        yield from first
        for part in parts:
            if self.source.weights_version() != weights:
                raise MovedOnError(
                    f"The weights of '{self.source.name}' changed while this was computed. Received: a part "
                    "by other weights than those before it. Expected: a model that stays as it is meanwhile. "
                    "Ask again."
                )
            yield part

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
