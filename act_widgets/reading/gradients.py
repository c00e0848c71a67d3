"""The backward side of reading: scores, what they depend on, and gradients, each computed once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..keys import Score
from ..sources.protocol import MAIN, BackwardPass, Gradients, no_gradient
from .batches import no_batch_axis
from .blocks import Blocks
from .explained import Explained

# Of so many layers, the gradients of all take minutes to prepare.
_MOST_AT_ONCE = 1000


class GradientReader:
    """Scores and gradients for one batch, kept beside the activations.

    Parameters
    ----------
    blocks : Blocks
        The batch, and what is kept of it.

    Attributes
    ----------
    passes : int
        How often the model ran backward.
    """

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks
        self.source = blocks.source
        self.cache = blocks.cache
        self.passes = 0
        self._behind: dict[str, str | None] = {}
        self._before: dict[Score, frozenset[str]] = {}
        self._scores: dict[tuple[int, Explained], float] = {}
        self._blocked: dict[tuple[Score, str], str] = {}

    @property
    def knows_scores(self) -> bool:
        """Whether it is known which scores of the main output are explained: that takes a trace."""
        return "" in self._behind and MAIN in self._before

    def activation_behind(self, address: str) -> str | None:
        """Return ``"softmax"`` or ``"sigmoid"`` if one makes an output of logits; see `Score`."""
        if address not in self._behind:
            with self.blocks.at_rest():
                batch, _, known = self.blocks.alone(0)
                self._behind[address] = self.source.activation(batch, known, Score(address))
        return self._behind[address]

    def knows(self, score: Score) -> bool:
        """Whether it is known what scores depend on."""
        return score in self._before

    def depends_on(self, score: Score = MAIN) -> frozenset[str]:
        """Return the addresses that scores depend on."""
        if score not in self._before:
            with self.blocks.at_rest():
                self._before[score] = self.source.explained(self.blocks.inputs, score)
        return self._before[score]

    def score(self, sample: int, explained: Explained) -> float:
        """Return a sample's score."""
        if (sample, explained) not in self._scores:
            with self.blocks.at_rest():
                batch, row, known = self.blocks.alone(sample)
                asked = BackwardPass(explained.mask(batch.size), score=explained.score)
                self._tell(sample, explained, self.source.gradients(batch, known, asked).scores[row])
        return self._scores[sample, explained]

    def blocked(self, address: str, explained: Explained) -> str:
        """Return why a pass gave no gradient at an address; empty if it gave one, or none was run."""
        return self._blocked.get((explained.score, address), "")

    def _tell(self, sample: int, explained: Explained, score: float) -> None:
        self._scores[sample, explained] = float(score) + explained.offset

    def of_sample(self, address: str, sample: int, explained: Explained, rule: str = "") -> np.ndarray | None:
        """Return the gradient of a sample's score, without the batch axis; None if there is none.

        One backward pass keeps the gradients for all layers, so that the next layer is looked up; in a
        graph of thousands of operations it keeps that of the one asked for.

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
        key = ("gradient", address, sample, explained, rule)
        kept = self.cache.get(key)  # without waiting for a pass that is under way for something else
        if kept is None:
            with self.blocks.at_rest():
                kept = self.cache.peek(key)
                if kept is None and self.blocked(address, explained):
                    raise no_gradient(address, self.blocked(address, explained))
                if kept is None:
                    kept = self._backward([address], sample, explained, rule).of(address)
        if kept is None or kept.size == 0:
            return None
        if kept.shape[:1] != (1,):
            raise no_batch_axis(self.blocks.taps[address], kept.shape, 1)
        return kept[0]

    def of_layers(
        self, addresses: Sequence[str], sample: int, explained: Explained
    ) -> dict[str, np.ndarray | None]:
        """Return the gradients at several layers, as `of_sample` does, from one backward pass at the most.

        Those that have no entry for the sample are left out, and those that are `blocked`.
        """
        with self.blocks.at_rest():
            open_ = [address for address in addresses if not self.blocked(address, explained)]
            kept = {a: self.cache.used(("gradient", a, sample, explained, "")) for a in open_}
            if any(value is None for value in kept.values()):
                made = self._backward(open_, sample, explained, "")
                kept = {a: made.values.get(a) for a in open_ if a not in made.blocked}
        known = {a: None if value is None or not value.size else value for a, value in kept.items()}
        return {a: v if v is None else v[0] for a, v in known.items() if v is None or v.shape[:1] == (1,)}

    def _backward(self, addresses: Sequence[str], sample: int, explained: Explained, rule: str) -> Gradients:
        taps = self.blocks.taps.values()
        at_once = len(taps) <= _MOST_AT_ONCE and not self.source.reads_apart
        others = [tap.address for tap in taps if tap.is_float] if at_once else []
        wanted = tuple(dict.fromkeys([*addresses, *others]))
        batch, row, known = self.blocks.alone(sample)
        mask = explained.mask(batch.size)
        mask[np.arange(batch.size) != row] = 0
        gradients = self.source.gradients(batch, known, BackwardPass(mask, wanted, explained.score, rule))
        made = gradients.values
        self._blocked |= {(explained.score, a): reason for a, reason in gradients.blocked.items()}
        self._tell(sample, explained, gradients.scores[row])
        self.passes += 1
        if batch.size > 1:
            # Copies: a part of an array holds the whole of it in memory.
            made = {
                a: g[row : row + 1].copy() if g.shape[:1] == (batch.size,) else g for a, g in made.items()
            }
        for wished in wanted:
            if wished not in gradients.blocked:
                self._keep(wished, sample, explained, rule, made.get(wished))
        return gradients._replace(values=made)

    def read(self, address: str, explained: Sequence[Explained], rule: str = "") -> None:
        """Read and keep the gradients of all samples at one layer alone: a pass for each block of them.

        Where samples of a batch depend on one another nothing is done: each needs a pass of its own.
        """
        if self.blocks.together or len({e.score for e in explained}) > 1:
            return
        for block in range(self.blocks.count):
            start, stop = self.blocks.rows(block)
            samples = range(start, stop)
            if all(self.has(address, i, explained[i], rule) for i in samples):
                continue
            masks = [explained[i].mask(1) for i in samples]
            if len({m.shape for m in masks}) > 1:
                return
            asked = BackwardPass(np.concatenate(masks), (address,), explained[start].score, rule)
            with self.blocks.at_rest():
                batch = self.blocks.inputs.rows(start, stop)
                gradients = self.source.gradients(batch, self.blocks.kept(block), asked)
                made, scores = gradients.of(address), gradients.scores
                self.passes += 1
                for i in samples:
                    self._tell(i, explained[i], scores[i - start])
                if made is None or len(made) == stop - start:
                    for i in samples:
                        row = None if made is None else made[i - start : i - start + 1].copy()
                        self._keep(address, i, explained[i], rule, row)

    def _keep(
        self, address: str, sample: int, explained: Explained, rule: str, gradient: np.ndarray | None
    ) -> None:
        # An empty array stands for "the score does not depend on it": that is kept too.
        kept = np.empty(0) if gradient is None else gradient
        self.cache.put(("gradient", address, sample, explained, rule), kept)

    def has(self, address: str, sample: int, explained: Explained, rule: str = "") -> bool:
        """Whether the gradient for one sample can be looked up."""
        return ("gradient", address, sample, explained, rule) in self.cache
