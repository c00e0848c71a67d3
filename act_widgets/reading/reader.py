"""One model on one batch: what is kept is looked up, what is missing takes one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import InputError, LayerKindError, ModelError
from ..keys import Head, Tap, resolve
from ..model_graph import Graph
from ..sources.inputs import Inputs
from ..sources.protocol import Reading, Source
from .batches import are_probabilities, by_channel, by_unit, joined, no_batch_axis
from .blocks import Blocks
from .cache import ByteCache

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

    @cached_property
    def scores(self) -> str:
        """Which scores gradients explain: ``"logits"`` or ``"probabilities"``."""
        batch, _, known = self._alone(0)
        activation = self.source.activation(batch, known)
        return "probabilities" if activation is None and self.head.probabilities else "logits"

    def explained(self) -> frozenset[str]:
        """Return the addresses that the scores depend on."""
        return self.source.explained(self.inputs)

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

    def gradient(self, layer: str, targets: Sequence[int]) -> np.ndarray | None:
        """Return the gradient of each sample's target score with respect to a layer.

        Parameters
        ----------
        layer : str
            Address of the layer.
        targets : sequence of int
            A class for each sample.

        Returns
        -------
        ndarray or None
            ``(batch, ...)`` as the layer's activations, float32; None if the score does not
            depend on the layer.
        """
        address = self._float_tap(layer).address
        parts = [self._gradients(i, t, [address]).get(address) for i, t in enumerate(targets)]
        found = [part for part in parts if part is not None]
        return np.concatenate(found) if len(found) == len(parts) else None

    def sample_gradient(self, layer: str, sample: int, target: int) -> np.ndarray | None:
        """Return the gradient for one sample, without the batch axis.

        One backward pass keeps the gradients for all layers, so that the next layer is looked up.
        """
        address = self._float_tap(layer).address
        self.check_sample(sample)
        wanted = [tap.address for tap in self.taps.values() if tap.is_float]
        gradient = self._gradients(sample, target, wanted, needed=address).get(address)
        if gradient is not None and gradient.shape[:1] != (1,):
            raise no_batch_axis(self.taps[address], gradient.shape, 1)
        return None if gradient is None else gradient[0]

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

    def has_gradient(self, layer: str, sample: int, target: int) -> bool:
        """Whether the gradient for one sample can be looked up."""
        return ("gradient", layer, sample, target) in self.cache

    def check_sample(self, sample: int) -> int:
        """Return `sample`, or raise an `InputError` when the batch has no such one."""
        if 0 <= sample < self.inputs.size:
            return sample
        raise InputError(
            f"No sample {sample}: the batch has {self.inputs.size}. Received: sample={sample}. "
            f"Expected: 0 to {self.inputs.size - 1}."
        )

    def _whole(self, parts: list[np.ndarray]) -> np.ndarray:
        """Join the blocks of an activation, unless it is computed once for all samples."""
        first = parts[0]
        start, stop = self.blocks.rows(0)
        shared = first.shape[:1] != (stop - start,) and all(np.array_equal(first, p) for p in parts)
        return first if shared else joined(parts)

    def _float_tap(self, layer: str) -> Tap:
        tap = self.tap(layer)
        if not tap.is_float:
            raise LayerKindError(
                f"Layer '{tap.address}' holds {tap.dtype}, which has no gradient. "
                "Expected: a layer of floating-point numbers."
            )
        return tap

    def _gradients(
        self, sample: int, target: int, wanted: list[str], needed: str | None = None
    ) -> dict[str, np.ndarray | None]:
        """Return the kept gradients of one sample; one backward pass if the needed one is missing."""
        needed = wanted[0] if needed is None else needed
        with self.blocks.lock:
            kept = self.cache.get(("gradient", needed, sample, target))
            if kept is not None:
                return {needed: kept if kept.size else None}
            unit, sign = self.head.unit_and_sign(self.head.check(target))
            batch, row, known = self._alone(sample)
            mask = np.zeros((batch.size, self.head.units), np.float32)
            mask[row, unit] = sign
            made = self.source.gradients(batch, wanted, mask, known)
            self.backward_passes += 1
            if batch.size > 1:
                # Copies: a part of an array holds the whole of it in memory.
                made = {a: g[row : row + 1].copy() if len(g) == batch.size else g for a, g in made.items()}
            for address in wanted:
                # An empty array stands for "the score does not depend on it": that is kept too.
                self.cache.put(("gradient", address, sample, target), made.get(address, np.empty(0)))
            return dict(made)

    @cached_property
    def _together(self) -> bool:
        """Whether the gradient of one sample takes the whole batch."""
        if self.source.is_indivisible or self.inputs.size == 1:
            return self.source.is_indivisible
        return self.source.mixes(self.inputs.rows(0, 1), self.blocks.outputs(0).main[:1])

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
