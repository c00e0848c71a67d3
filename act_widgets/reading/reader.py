"""One model on one batch: what is kept is looked up, what is missing takes one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from ..errors import InputError, ModelError
from ..keys import Head, Score, Tap, resolve, whole_number
from ..model_graph import Graph
from ..sources.inputs import Inputs
from ..sources.protocol import MAIN, Reading, Source, unnamed_inputs
from .batches import are_probabilities, by_channel, by_unit, joined, no_batch_axis
from .blocks import Blocks
from .cache import ByteCache
from .explained import Explained

DEFAULT_BUDGET = 1 << 30

Change = Callable[[np.ndarray, slice], np.ndarray]


# Of a layer too large to be kept, so many channels around the chosen one are.
_SLICE = 64


class Reader:
    """Activations, outputs and gradients of a model for one batch.

    What a forward pass gives is kept by `Blocks`; gradients are kept beside it.

    Parameters
    ----------
    source : Source
        The model.
    inputs : Inputs
        The batch.
    budget : int
        Bytes to keep at the most.
    """

    def __init__(self, source: Source, inputs: Inputs, budget: int = DEFAULT_BUDGET) -> None:
        self.source = source
        self.inputs = inputs
        self.cache = ByteCache(budget)
        self.blocks = Blocks(source, inputs, self.cache)
        self.backward_passes = 0
        self.resumed_passes = 0
        self.varied_runs = 0
        self.pace: dict[bool, Any] = {}
        # Work in steps that somebody still follows, so that nobody begins it again.
        self.under_way: WeakValueDictionary[Any, Any] = WeakValueDictionary()
        self._behind: dict[str, str | None] = {}
        self._before: dict[Score, frozenset[str]] = {}
        self._scores: dict[tuple[int, Explained], float] = {}
        self._graph: Graph | None = None

    @property
    def taps(self) -> dict[str, Tap]:
        """Every tensor that can be read, in call order. Runs the first pass if none was run."""
        if not self.blocks.taps:
            self.blocks.run(0, None)
        if not self.blocks.taps:
            raise ModelError(
                f"There is nothing inside '{self.source.name}' to look at. Received: a model that calls no "
                "layer or operation of Keras. Expected: a model of at least one layer."
            )
        return self.blocks.taps

    @property
    def layers(self) -> tuple[str, ...]:
        """The addresses of all taps, in call order."""
        return tuple(self.taps)

    def tap(self, name: str) -> Tap:
        """Return the tap that `name` stands for, or raise an `UnknownLayerError`."""
        return self.taps[resolve(name, self.layers)]

    def channels(self, layer: str) -> int:
        """Return a layer's number of channels, as it was computed for this batch."""
        tap = self.tap(layer)
        return tap.channels or self.sample_activation(layer, 0).shape[tap.channel_axis]

    def activation(self, layer: str) -> np.ndarray:
        """Return a layer's activations for the whole batch, ``(batch, ...)``, read-only."""
        return next(iter(self.activations([layer]).values()))

    def activations(self, layers: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Return the activations of several layers, or of all, in call order."""
        wanted = {self.tap(name).address for name in layers} if layers is not None else set(self.taps)
        addresses = [address for address in self.taps if address in wanted]
        blocks = [self.blocks.values(addresses, block) for block in range(self.blocks.count)]
        return {a: self._whole([values[a] for values in blocks]) for a in addresses}

    def sample_activation(self, layer: str, sample: int, near: int = 0) -> np.ndarray:
        """Return a layer's activation for one sample, without the batch axis, read-only.

        Of a layer larger than the budget, a slice of channels is kept: those around `near`.
        """
        block, row = divmod(self.check_sample(sample), self.blocks.size)
        tap = self.tap(layer)
        values = self.blocks.values([tap.address], block)[tap.address]
        start, stop = self.blocks.rows(block)
        if values.shape[:1] not in {(stop - start,), (1,)}:
            raise no_batch_axis(tap, values.shape, stop - start)
        # What has one row is computed once for all samples.
        activation = values[row if len(values) > 1 else 0]
        if tap.address in self.blocks.refused:
            channels = by_channel(activation, tap.channel_axis)
            first = near - near % _SLICE
            self.cache.put(("slice", tap.address, sample, first), channels[first : first + _SLICE].copy())
        return activation

    def sample_channel(self, layer: str, sample: int, channel: int) -> np.ndarray:
        """Return one channel of a layer's activation for one sample, ``(1, ...)``: channels first."""
        tap = self.tap(layer)
        if not self.is_ready(tap.address, sample):
            kept = self.cache.get(self._slice_key(tap.address, sample, channel))
            if kept is not None:
                return kept[channel % _SLICE :][:1]
        return by_channel(self.sample_activation(layer, sample, channel), tap.channel_axis)[channel:][:1]

    def is_ready(self, layer: str, sample: int, channel: int | None = None) -> bool:
        """Whether a layer's activation for a sample, or this channel of it, can be looked up."""
        whole = ("activation", layer, sample // self.blocks.size) in self.cache
        return whole or (channel is not None and self._slice_key(layer, sample, channel) in self.cache)

    def _slice_key(self, address: str, sample: int, channel: int) -> tuple:
        return "slice", address, sample, channel - channel % _SLICE

    def outputs(self) -> Any:
        """Return what the model returns for the whole batch, in its own structure."""
        return joined([self.blocks.outputs(block).outputs for block in range(self.blocks.count)])

    def output(self) -> np.ndarray:
        """Return the output that classes are read from, for the whole batch, ``(batch, ..., units)``."""
        main = joined([self.blocks.outputs(block).main for block in range(self.blocks.count)])
        if main.shape[:1] != (self.inputs.size,):
            raise ModelError(
                f"The model does not return one output for each sample. Received: an output of shape "
                f"{main.shape} for {self.inputs.size} samples. Expected: a model whose output has the batch "
                "axis first; capture() reads any."
            )
        return main if main.ndim > 1 else main[:, None]

    @cached_property
    def unit_scores(self) -> np.ndarray:
        """The main output with positions averaged, ``(batch, units)``."""
        return by_unit(self.output())

    @cached_property
    def head(self) -> Head:
        """What the main output offers to explain."""
        output = self.output()
        return Head(output.shape[-1], are_probabilities(output))

    @property
    def knows_scores(self) -> bool:
        """Whether it is known which scores of the main output are explained: that takes a trace."""
        return "" in self._behind and MAIN in self._before

    def activation_behind(self, address: str) -> str | None:
        """Return ``"softmax"`` or ``"sigmoid"`` if one makes an output of logits; see `Score`."""
        if address not in self._behind:
            self._behind[address] = self.source.activation(*self.question(0), Score(address))
        return self._behind[address]

    def score(self, sample: int, explained: Explained) -> float:
        """Return a sample's score."""
        if (sample, explained) not in self._scores:
            batch, row, known = self._alone(sample)
            made = self.source.gradients(batch, [], explained.mask(batch.size), known, score=explained.score)
            self._scores[sample, explained] = float(made.scores[row]) + explained.offset
        return self._scores[sample, explained]

    def depends_on(self, score: Score = MAIN) -> frozenset[str]:
        """Return the addresses that scores depend on."""
        if score not in self._before:
            self._before[score] = self.source.explained(self.inputs, score)
        return self._before[score]

    def graph(self) -> Graph:
        """Return the model's calls and edges, read once."""
        with self.blocks.lock:
            if self._graph is None:
                self._graph = self.source.graph(self.inputs)
            return self._graph

    @property
    def has_graph(self) -> bool:
        """Whether the graph was read already."""
        return self._graph is not None

    def gradient(self, address: str, sample: int, explained: Explained, rule: str = "") -> np.ndarray | None:
        """Return the gradient of a sample's score, without the batch axis; None if there is none.

        One backward pass keeps the gradients for all layers, so that the next layer is looked up.

        Parameters
        ----------
        address : str
            Of a tap of floating-point numbers, or of an input.
        sample : int
            Number of the sample.
        explained : Explained
            The score.
        rule : str
            How ReLUs pass a gradient back; their own way if empty.
        """
        with self.blocks.lock:
            kept = self.cache.get(("gradient", address, sample, explained, rule))
            if kept is None:
                kept = self._backward(address, sample, explained, rule)
        if kept is None or kept.size == 0:
            return None
        if kept.shape[:1] != (1,):
            raise no_batch_axis(self.taps[address], kept.shape, 1)
        return kept[0]

    def _backward(self, address: str, sample: int, explained: Explained, rule: str) -> np.ndarray | None:
        wanted = dict.fromkeys([address, *(tap.address for tap in self.taps.values() if tap.is_float)])
        batch, row, known = self._alone(sample)
        mask = explained.mask(batch.size)
        mask[np.arange(batch.size) != row] = 0
        made, scores = self.source.gradients(
            batch, list(wanted), mask, known, score=explained.score, rule=rule
        )
        self._scores[sample, explained] = float(scores[row]) + explained.offset
        self.backward_passes += 1
        if batch.size > 1:
            # Copies: a part of an array holds the whole of it in memory.
            made = {a: g[row : row + 1].copy() if len(g) == batch.size else g for a, g in made.items()}
        for wished in wanted:
            self._keep_gradient(wished, sample, explained, rule, made.get(wished))
        return made.get(address)

    def read_gradients(self, address: str, explained: Sequence[Explained], rule: str = "") -> None:
        """Read and keep the gradients of all samples at one layer alone: a pass for each block of them.

        Where samples of a batch depend on one another nothing is done: each needs a pass of its own.
        """
        if self._together or len({e.score for e in explained}) > 1:
            return
        for block in range(self.blocks.count):
            start, stop = self.blocks.rows(block)
            keys = [("gradient", address, i, explained[i], rule) for i in range(start, stop)]
            if all(key in self.cache for key in keys):
                continue
            masks = [explained[i].mask(1) for i in range(start, stop)]
            if len({m.shape for m in masks}) > 1:
                return
            with self.blocks.lock:
                batch, known = self.inputs.rows(start, stop), self.blocks.kept(block)
                values, scores = self.source.gradients(
                    batch, [address], np.concatenate(masks), known, score=explained[start].score, rule=rule
                )
                made = values.get(address)
                self.backward_passes += 1
                for i in range(start, stop):
                    self._scores[i, explained[i]] = float(scores[i - start]) + explained[i].offset
                if made is None or len(made) == stop - start:
                    for i in range(start, stop):
                        row = None if made is None else made[i - start : i - start + 1].copy()
                        self._keep_gradient(address, i, explained[i], rule, row)

    def _keep_gradient(
        self, address: str, sample: int, explained: Explained, rule: str, gradient: np.ndarray | None
    ) -> None:
        # An empty array stands for "the score does not depend on it": that is kept too.
        kept = np.empty(0) if gradient is None else gradient
        self.cache.put(("gradient", address, sample, explained, rule), kept)

    def has_gradient(self, address: str, sample: int, explained: Explained, rule: str = "") -> bool:
        """Whether the gradient for one sample can be looked up."""
        return ("gradient", address, sample, explained, rule) in self.cache

    def input_value(self, address: str, sample: int) -> np.ndarray | None:
        """Return one sample of the input at an address, or None if it is no input's."""
        names = self.input_addresses
        return self.inputs.arrays[names.index(address)][sample] if address in names else None

    @cached_property
    def input_addresses(self) -> list[str]:
        """An address for each input: its layer's name, or its number."""
        named = [
            tap.address for tap in self.taps.values() if tap.kind == "InputLayer" and "/" not in tap.address
        ]
        return unnamed_inputs(named, len(self.inputs.arrays))

    def varied(
        self,
        address: str,
        sample: int,
        values: np.ndarray,
        explained: Explained,
        with_gradients: bool = False,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return a sample's scores, and gradients, with other values in place of one tensor.

        Parameters
        ----------
        address : str
            Of a tap, or of an input.
        sample : int
            The sample that all else comes from.
        values : (n, ...) ndarray
            What the tensor holds instead, in `n` variants.
        explained : Explained
            The score.
        with_gradients : bool
            Whether the gradients at `address` are wanted.

        Returns
        -------
        scores : (n,) float32
        gradients : (n, ...) float32 or None
        """
        if self._together and len(values) > 1:
            return self._one_by_one(address, sample, values, explained, with_gradients)
        batch, row = (self.inputs, sample) if self._together else (self.inputs.rows(sample, sample + 1), 0)
        if not self._together:
            batch = batch.repeated(len(values))
            row = slice(None)  # type: ignore[assignment]
        known: dict[str, np.ndarray] = {}
        if address in self.input_addresses:
            batch = batch.replaced(self.input_addresses.index(address), row, values)
        else:
            known[address] = self._with_row(address, row, values)
        mask = explained.mask(batch.size)
        if self._together:
            mask[np.arange(batch.size) != row] = 0
        wanted = [address] if with_gradients else []
        edited = address if known else None
        with self.blocks.lock:
            made = self.source.gradients(batch, wanted, mask, known, score=explained.score, edited=edited)
            self.varied_runs += len(values)
        scores = np.atleast_1d(made.scores[row]) + np.float32(explained.offset)
        if not with_gradients:
            return scores, None
        slopes = made.values.get(address)
        if slopes is not None and len(slopes) < batch.size:
            # What is computed once for all samples takes one variant at a time.
            return self._one_by_one(address, sample, values, explained, with_gradients)
        return scores, np.zeros_like(values) if slopes is None else slopes[row].reshape(values.shape)

    def _one_by_one(
        self, address: str, sample: int, values: np.ndarray, explained: Explained, with_gradients: bool
    ) -> tuple[np.ndarray, np.ndarray | None]:
        parts = [self.varied(address, sample, v[None], explained, with_gradients) for v in values]
        scores = np.concatenate([scores for scores, _ in parts])
        return scores, np.concatenate([g for _, g in parts if g is not None]) if with_gradients else None

    def _with_row(self, address: str, row: Any, values: np.ndarray) -> np.ndarray:
        if not self._together:
            return values
        whole = self.activation(address).copy()
        whole[row] = values[0]
        return whole

    def resume(self, layer: str, change: Change) -> Any:
        """Return the outputs as they are when a layer's activation is changed.

        Parameters
        ----------
        layer : str
            Address of the layer.
        change : callable
            From a block's activation and the samples it holds to what stands there instead.
        """
        return joined([self._resumed(layer, change, block).outputs for block in range(self.blocks.count)])

    def resume_sample(self, layer: str, change: Change, sample: int) -> np.ndarray:
        """Return one sample's main output, positions averaged, when a layer's activation is changed."""
        block, row = divmod(self.check_sample(sample), self.blocks.size)
        return by_unit(self._resumed(layer, change, block).main_output)[row]

    def _resumed(self, layer: str, change: Change, block: int) -> Reading:
        address = self.tap(layer).address
        start, stop = self.blocks.rows(block)
        value = change(self.blocks.values([address], block)[address], slice(start, stop))
        with self.blocks.lock:
            self.resumed_passes += 1
            return self.source.resume(self.inputs.rows(start, stop), address, value, self.blocks.kept(block))

    def check_sample(self, sample: int) -> int:
        """Return `sample`, or raise an `InputError` when the batch has no such one."""
        number = whole_number(sample)
        if number is not None and 0 <= number < self.inputs.size:
            return number
        raise InputError(
            f"No sample {sample!r:.80}: the batch has {self.inputs.size}. Received: sample={sample!r:.80}. "
            f"Expected: 0 to {self.inputs.size - 1}."
        )

    def _whole(self, parts: list[np.ndarray]) -> np.ndarray:
        """Join the blocks of an activation, unless it is computed once for all samples."""
        first = parts[0]
        start, stop = self.blocks.rows(0)
        shared = first.shape[:1] != (stop - start,) and all(np.array_equal(first, p) for p in parts)
        return first if shared else joined(parts)

    @cached_property
    def _together(self) -> bool:
        """Whether the gradient of one sample takes the whole batch."""
        if self.source.is_indivisible or self.inputs.size == 1:
            return self.source.is_indivisible
        return self.source.mixes(self.inputs.rows(0, 1), self.blocks.outputs(0).main[:1])

    def question(self, sample: int) -> tuple[Inputs, dict[str, np.ndarray]]:
        """Return the smallest batch that holds a sample, and what is known of it."""
        batch, _, known = self._alone(sample)
        return batch, known

    def _alone(self, sample: int) -> tuple[Inputs, int, dict[str, np.ndarray]]:
        """Return the smallest batch that holds a sample, its row there, and what is known of it."""
        if self._together:
            return self.inputs, sample, self.blocks.kept(0) if self.blocks.count == 1 else {}
        return self.inputs.rows(sample, sample + 1), 0, self._known(sample)

    def _known(self, sample: int) -> dict[str, np.ndarray]:
        """Return what is kept of a sample's activations, with a batch axis of one."""
        block, row = divmod(sample, self.blocks.size)
        kept = self.blocks.kept(block)
        return kept if self.blocks.size == 1 else {a: value[row : row + 1] for a, value in kept.items()}
