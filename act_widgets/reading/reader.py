"""One model on one batch: what is kept is looked up, what is missing takes one pass."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError, LayerKindError, ModelError
from ..keys import Head, Tap, resolve
from ..model_graph import Graph
from ..sources.inputs import Inputs
from ..sources.protocol import Reading, Source
from .batches import are_probabilities, by_channel, by_unit, joined, leaves, no_batch_axis
from .cache import ByteCache

DEFAULT_BUDGET = 1 << 30

Change = Callable[[np.ndarray, slice], np.ndarray]


class _Outputs(NamedTuple):
    """What the model returned for a block, and the one of it that classes are read from."""

    outputs: Any
    main: np.ndarray
    nbytes: int

    @classmethod
    def of(cls, reading: Reading) -> _Outputs:
        """Return a reading's outputs."""
        return cls(reading.outputs, reading.main_output, sum(a.nbytes for a in leaves(reading.outputs)))


# All activations of a convolutional network take roughly this many times its input. It only
# decides how many samples share a pass; the cache counts the real bytes.
_ACTIVATIONS_PER_INPUT = 200


# Of a layer too large to be kept, so many channels around the chosen one are.
_SLICE = 64


class Reader:
    """Activations, outputs and gradients of a model for one batch.

    Samples are read in blocks: as many in one pass as the budget is expected to hold, all of them
    if possible. A pass keeps the activations of all layers; where they turn out to be more than the
    budget, later passes read only what is asked for.

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
        self.forward_passes = 0
        self.backward_passes = 0
        self.resumed_passes = 0
        self.unreachable: dict[str, str] = {}
        self.refused: dict[str, str] = {}
        self._lock = threading.RLock()
        self._graph: Graph | None = None
        self._taps: dict[str, Tap] = {}
        self._fits = True
        self._indivisible = source.is_indivisible
        likely = budget // (max(1, inputs.sample_bytes) * _ACTIVATIONS_PER_INPUT)
        self._block = inputs.size if self._indivisible else int(np.clip(likely, 1, inputs.size))

    @property
    def taps(self) -> dict[str, Tap]:
        """Every tensor that can be read, in call order. Runs the first pass if none was run."""
        if not self._taps:
            self._pass(0, None)
        if not self._taps:
            raise ModelError(
                f"There is nothing inside '{self.source.name}' to look at. Received: a model that calls no "
                "layer or operation of Keras. Expected: a model of at least one layer."
            )
        return self._taps

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
        blocks = [self._block_values(addresses, block) for block in range(self._blocks)]
        return {a: self._whole([values[a] for values in blocks]) for a in addresses}

    def sample_activation(self, layer: str, sample: int, near: int = 0) -> np.ndarray:
        """Return a layer's activation for one sample, without the batch axis, read-only.

        Of a layer larger than the budget, a slice of channels is kept: those around `near`.
        """
        block, row = divmod(self.check_sample(sample), self._block)
        tap = self.tap(layer)
        values = self._block_values([tap.address], block)[tap.address]
        start, stop = self._rows(block)
        if values.shape[:1] not in {(stop - start,), (1,)}:
            raise no_batch_axis(tap, values.shape, stop - start)
        # What has one row is computed once for all samples.
        activation = values[row if len(values) > 1 else 0]
        if tap.address in self.refused:
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
        whole = ("activation", layer, sample // self._block) in self.cache
        return whole or (channel is not None and self._slice_key(layer, sample, channel) in self.cache)

    def _slice_key(self, address: str, sample: int, channel: int) -> tuple:
        return "slice", address, sample, channel - channel % _SLICE

    def outputs(self) -> Any:
        """Return what the model returns for the whole batch, in its own structure."""
        return joined([self._block_outputs(block).outputs for block in range(self._blocks)])

    def output(self) -> np.ndarray:
        """Return the output that classes are read from, for the whole batch, ``(batch, ..., units)``."""
        main = joined([self._block_outputs(block).main for block in range(self._blocks)])
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
        with self._lock:
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
        return joined([self._resumed(layer, change, block).outputs for block in range(self._blocks)])

    def resume_sample(self, layer: str, change: Change, sample: int) -> np.ndarray:
        """Return one sample's main output, positions averaged, when a layer's activation is changed."""
        block, row = divmod(self.check_sample(sample), self._block)
        return by_unit(self._resumed(layer, change, block).main_output)[row]

    def _resumed(self, layer: str, change: Change, block: int) -> Reading:
        address = self.tap(layer).address
        start, stop = self._rows(block)
        value = change(self._block_values([address], block)[address], slice(start, stop))
        with self._lock:
            self.resumed_passes += 1
            return self.source.resume(self.inputs.rows(start, stop), address, value, self._kept(block))

    def has_gradient(self, layer: str, sample: int, target: int) -> bool:
        """Whether the gradient for one sample can be looked up."""
        return ("gradient", layer, sample, target) in self.cache

    @property
    def _blocks(self) -> int:
        return -(-self.inputs.size // self._block)

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
        start, stop = self._rows(0)
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

    def _rows(self, block: int) -> tuple[int, int]:
        start = block * self._block
        return start, min(start + self._block, self.inputs.size)

    def _block_values(self, addresses: Sequence[str], block: int) -> dict[str, np.ndarray]:
        """Return activations of a block: looked up, or from one pass if any is missing."""
        found = self._looked_up(addresses, block)
        if len(found) == len(addresses):
            return found  # without waiting for a pass that is under way for something else
        with self._lock:
            kept = self._looked_up([a for a in addresses if a not in found], block, counted=False)
            found |= kept
            missing = [a for a in addresses if a not in found]
            if missing:
                values = self._pass(block, None if self._fits else missing).values
                found |= {a: values[a] for a in missing}
            return {a: found[a] for a in addresses}

    def _looked_up(self, addresses: Sequence[str], block: int, counted: bool = True) -> dict[str, np.ndarray]:
        look = self.cache.get if counted else self.cache.peek
        kept = {a: look(("activation", a, block)) for a in addresses}
        return {a: value for a, value in kept.items() if value is not None}

    def _block_outputs(self, block: int) -> _Outputs:
        kept = self.cache.get(("outputs", block))
        if kept is not None:
            return kept
        with self._lock:
            kept = self.cache.peek(("outputs", block))
            return kept or _Outputs.of(self._pass(block, None if self._fits else []))

    def _pass(self, block: int, wanted: Sequence[str] | None) -> Reading:
        """Run the model once on a block of samples, and keep what was wanted of it, or everything."""
        with self._lock:
            reading = self.source.forward(self.inputs.rows(*self._rows(block)), wanted)
            self.forward_passes += 1
            self._taps = self._taps or reading.taps
            self.unreachable = reading.unreachable
            self._fits &= sum(value.nbytes for value in reading.values.values()) <= self.cache.budget
            for address, value in reading.values.items():
                if not self.cache.put(("activation", address, block), value):
                    self.refused[address] = self._too_large(address, value, block)
            self.cache.put(("outputs", block), _Outputs.of(reading))
            return reading

    def _too_large(self, address: str, value: np.ndarray, block: int) -> str:
        start, stop = self._rows(block)
        samples = f"{stop - start} samples" if stop - start > 1 else "one sample"
        return (
            f"'{address}' takes {value.nbytes / 1e6:,.1f} MB for {samples}, more than the "
            f"{self.cache.budget / 1e6:,.1f} MB that may be kept, so it is computed again when needed. "
            f"Give cache_bytes={value.nbytes} or more to keep it."
        )

    def _gradients(
        self, sample: int, target: int, wanted: list[str], needed: str | None = None
    ) -> dict[str, np.ndarray | None]:
        """Return the kept gradients of one sample; one backward pass if the needed one is missing."""
        needed = wanted[0] if needed is None else needed
        with self._lock:
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
        if self._indivisible or self.inputs.size == 1:
            return self._indivisible
        return self.source.mixes(self.inputs.rows(0, 1), self._block_outputs(0).main[:1])

    def _alone(self, sample: int) -> tuple[Inputs, int, dict[str, np.ndarray]]:
        """Return the smallest batch that holds a sample, its row there, and what is known of it."""
        if self._together:
            return self.inputs, sample, self._kept(0) if self._blocks == 1 else {}
        return self.inputs.rows(sample, sample + 1), 0, self._known(sample)

    def _known(self, sample: int) -> dict[str, np.ndarray]:
        """Return what is kept of a sample's activations, with a batch axis of one."""
        block, row = divmod(sample, self._block)
        kept = self._kept(block)
        return kept if self._block == 1 else {a: value[row : row + 1] for a, value in kept.items()}

    def _kept(self, block: int) -> dict[str, np.ndarray]:
        """Return the activations of a block that are kept and have an entry for each sample."""
        start, stop = self._rows(block)
        found = ((a, self.cache.peek(("activation", a, block))) for a in self.taps)
        return {a: v for a, v in found if v is not None and v.shape[:1] == (stop - start,)}
