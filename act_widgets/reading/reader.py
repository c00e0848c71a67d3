"""One model on one batch: what is kept is looked up, what is missing takes one pass."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from ..errors import InputError, ModelError
from ..keys import Head, Tap, resolve, whole_number
from ..model_graph import Graph
from ..sources.inputs import Inputs
from ..sources.protocol import INPUT, Source, shown_input
from .batches import are_probabilities, by_channel, by_unit, joined, no_batch_axis, units_last
from .blocks import Blocks
from .cache import ByteCache
from .gradients import GradientReader
from .variants import VariantReader

DEFAULT_BUDGET = 1 << 30

# Of a layer too large to be kept, so many channels around the chosen one are.
_SLICE = 64


class Reader:
    """Activations and outputs of a model for one batch; beside them its gradients and its variants.

    Parameters
    ----------
    source : Source
        The model.
    inputs : Inputs
        The batch.
    cache : ByteCache, optional
        Where arrays are kept; one of its own, of 1 GiB, if left out.

    Attributes
    ----------
    gradients : GradientReader
        Scores and gradients.
    variants : VariantReader
        What the model would give, were a tensor another.
    under_way : mapping
        Work in steps that somebody still follows, so that nobody begins it again; see `followed`.
    """

    def __init__(self, source: Source, inputs: Inputs, cache: ByteCache | None = None) -> None:
        self.source = source
        self.inputs = inputs
        self.cache = cache or ByteCache(DEFAULT_BUDGET)
        self.blocks = Blocks(source, inputs, self.cache)
        self.gradients = GradientReader(self.blocks)
        self.variants = VariantReader(self.blocks)
        self.under_way: WeakValueDictionary[Any, Any] = WeakValueDictionary()
        self._graph: Graph | None = None

    @property
    def taps(self) -> dict[str, Tap]:
        """Every tensor that can be read, in call order. Runs the first pass if none was run."""
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
        return self.blocks.whole(addresses)

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
            self.cache.put(("slice", tap, sample, first), channels[first : first + _SLICE].copy())
        return activation

    def sample_channel(self, layer: str, sample: int, channel: int) -> np.ndarray:
        """Return one channel of a layer's activation for one sample, ``(1, ...)``: channels first."""
        tap = self.tap(layer)
        if not self.is_ready(tap.address, sample):
            kept = self.cache.get(_slice_key(tap, sample, channel))
            if kept is not None:
                return kept[channel % _SLICE :][:1]
        return by_channel(self.sample_activation(layer, sample, channel), tap.channel_axis)[channel:][:1]

    def is_ready(self, layer: str, sample: int, channel: int | None = None) -> bool:
        """Whether a layer's activation for a sample, or this channel of it, can be looked up."""
        whole = ("activation", layer, sample // self.blocks.size) in self.cache
        return whole or (channel is not None and _slice_key(self.taps[layer], sample, channel) in self.cache)

    def outputs(self) -> Any:
        """Return what the model returns for the whole batch, in its own structure."""
        return joined([self.blocks.outputs(block).outputs for block in range(self.blocks.count)])

    def output(self) -> np.ndarray:
        """Return the output that classes are read from, for the whole batch, ``(batch, ..., units)``.

        The classes come last, wherever the model has them.
        """
        return units_last(self._main_output(), self.blocks.class_axis())

    def _main_output(self) -> np.ndarray:
        main = joined([self.blocks.outputs(block).main for block in range(self.blocks.count)])
        if main.shape[:1] != (self.inputs.size,):
            raise ModelError(
                f"The model does not return one output for each sample. Received: an output of shape "
                f"{main.shape} for {self.inputs.size} samples. Expected: a model whose output has the batch "
                "axis first; capture() reads any."
            )
        return main if main.ndim > 1 else main[:, None]

    @cached_property
    def at_second_sight(self) -> frozenset[str]:
        """The addresses of what is no use at first sight: the main output itself, and what has no batch axis.

        Of what is kept: a model is not run for it.
        """
        output, rows = self._main_output()[:1], self.blocks.rows(0)[1]
        kept = {address: self.cache.peek(("activation", address, 0)) for address in self.taps}
        return frozenset(
            address
            for address, values in kept.items()
            if values is not None
            and (values.shape[:1] not in {(rows,), (1,)} or np.array_equal(values[:1], output))
        )

    @cached_property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of that output as the model gives it, which is known also when the output is not kept."""
        return self._main_output().shape

    @cached_property
    def unit_scores(self) -> np.ndarray:
        """The main output with positions averaged, ``(batch, units)``."""
        return by_unit(self.output())

    @cached_property
    def head(self) -> Head:
        """What the main output offers to explain."""
        output = self.output()
        # One number from 0 to 1 may be a probability, or what a linear layer happens to give.
        is_number = output.shape[-1] == 1 and self.source.ends_linear
        return Head(output.shape[-1], not is_number and self._gives_probabilities(output))

    def _gives_probabilities(self, output: np.ndarray) -> bool:
        if output.dtype.kind != "f" or np.isfinite(output).all(-1).any():
            return are_probabilities(output)
        with self.blocks.at_rest():  # no number tells: what the model states does
            batch, _, known = self.blocks.alone(0)
            return self.source.states_probabilities(batch, known, output.shape[-1])

    def graph(self) -> Graph:
        """Return the model's calls and edges, read once."""
        if self._graph is None:  # once it is there, nobody waits for a pass that is under way
            with self.blocks.at_rest():
                self._graph = self._graph or self.source.graph(self.inputs)
        return self._graph

    @property
    def has_graph(self) -> bool:
        """Whether the graph was read already."""
        return self._graph is not None

    def input_value(self, address: str, sample: int) -> np.ndarray | None:
        """Return one sample of the input at an address, or None if it is no input's."""
        names = self.input_addresses
        return self.inputs.arrays[names.index(address)][sample] if address in names else None

    @property
    def input_addresses(self) -> list[str]:
        """An address for each input: its layer's name, or its number."""
        return self.blocks.input_addresses

    def place(self, name: str) -> str:
        """Return the address of an input or a layer, given as it is or as the graph shows it.

        Raises
        ------
        UnknownLayerError
            If there is no such input or layer.
        """
        inputs = self.input_addresses
        numbered = {i: address for i, address in enumerate(inputs) if address.startswith(INPUT)}
        shown = {shown_input(i, len(inputs)): address for i, address in numbered.items()}
        if isinstance(name, str) and name in inputs:
            return name
        if isinstance(name, str) and name in shown and name not in self.taps:
            return shown[name]
        return resolve(name, self.layers, beside=tuple(shown))

    def place_name(self, address: str) -> str:
        """Return a tensor's name in a sentence: its address in quotes; words for an input without a name."""
        if not address.startswith(INPUT):
            return f"'{address}'"
        return "the input" if len(self.input_addresses) == 1 else f"input {address.removeprefix(INPUT)}"

    def check_sample(self, sample: int) -> int:
        """Return `sample`, or raise an `InputError` when the batch has no such one."""
        number = whole_number(sample)
        if number is not None and 0 <= number < self.inputs.size:
            return number
        raise InputError(
            f"No sample {sample!r:.80}: the batch has {self.inputs.size}. Received: sample={sample!r:.80}. "
            f"Expected: 0 to {self.inputs.size - 1}."
        )


def _slice_key(tap: Tap, sample: int, channel: int) -> tuple:
    return "slice", tap, sample, channel - channel % _SLICE
