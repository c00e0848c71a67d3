"""What the model would give, were one of its tensors another: edited, covered, noisy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..sources.inputs import Inputs
from ..sources.protocol import BackwardPass, Reading
from .batches import by_unit, joined
from .blocks import Blocks
from .explained import Explained

Change = Callable[[np.ndarray, slice], np.ndarray]


class VariantReader:
    """Outputs, scores and gradients of one batch with other values in place of one tensor. Nothing is kept.

    Parameters
    ----------
    blocks : Blocks
        The batch, and what is kept of it.

    Attributes
    ----------
    resumed, samples : int
        How often the model ran on from an edit, and how many variants of a sample it answered.
    pace : dict of bool to object
        How quick variants are, with gradients or without: those who ask keep it here.
    """

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks
        self.source = blocks.source
        self.resumed = 0
        self.samples = 0
        self.pace: dict[bool, Any] = {}

    def scores(
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
        if self.blocks.together and len(values) > 1:
            return self._one_by_one(address, sample, values, explained, with_gradients)
        batch, row = self._batch_of(sample, len(values))
        known: dict[str, np.ndarray] = {}
        if address in self.blocks.input_addresses:
            batch = batch.replaced(self.blocks.input_addresses.index(address), row, values)
        else:
            known[address] = self._with_row(address, row, values)
        mask = explained.mask(batch.size)
        if self.blocks.together:
            mask[np.arange(batch.size) != row] = 0
        asked = BackwardPass(
            mask, (address,) if with_gradients else (), explained.score, edited=address if known else None
        )
        with self.blocks.at_rest():
            made = self.source.gradients(batch, known, asked)
            self.samples += len(values)
        scores = np.atleast_1d(made.scores[row]) + np.float32(explained.offset)
        if not with_gradients:
            return scores, None
        slopes = made.of(address)
        if slopes is not None and len(slopes) < batch.size:
            # What is computed once for all samples takes one variant at a time.
            return self._one_by_one(address, sample, values, explained, with_gradients)
        return scores, np.zeros_like(values) if slopes is None else slopes[row].reshape(values.shape)

    def _one_by_one(
        self, address: str, sample: int, values: np.ndarray, explained: Explained, with_gradients: bool
    ) -> tuple[np.ndarray, np.ndarray | None]:
        parts = [self.scores(address, sample, v[None], explained, with_gradients) for v in values]
        scores = np.concatenate([scores for scores, _ in parts])
        return scores, np.concatenate([g for _, g in parts if g is not None]) if with_gradients else None

    def _batch_of(self, sample: int, variants: int) -> tuple[Inputs, Any]:
        """Return a batch for variants of a sample, and where they stand in it."""
        if self.blocks.together:
            return self.blocks.inputs, sample
        return self.blocks.inputs.rows(sample, sample + 1).repeated(variants), slice(None)

    def _with_row(self, address: str, row: Any, values: np.ndarray) -> np.ndarray:
        if not self.blocks.together:
            return values
        whole = self.blocks.whole([address])[address].copy()
        whole[row] = values[0]
        return whole

    def resume(self, address: str, change: Change) -> Any:
        """Return the outputs as they are when a layer's activation is changed.

        Parameters
        ----------
        address : str
            Of a tap.
        change : callable
            From a block's activation and the samples it holds to what stands there instead.
        """
        return joined([self._resumed(address, change, block).outputs for block in range(self.blocks.count)])

    def resume_sample(self, address: str, change: Change, sample: int) -> np.ndarray:
        """Return one sample's main output, positions averaged, when a layer's activation is changed."""
        block, row = divmod(sample, self.blocks.size)
        output = self._resumed(address, change, block).main_output
        return by_unit(output, self.blocks.class_axis())[row]

    def _resumed(self, address: str, change: Change, block: int) -> Reading:
        start, stop = self.blocks.rows(block)
        value = change(self.blocks.values([address], block)[address], slice(start, stop))
        with self.blocks.at_rest():
            self.resumed += 1
            return self.source.resume(
                self.blocks.inputs.rows(start, stop), address, value, self.blocks.kept(block)
            )
