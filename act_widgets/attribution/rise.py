"""RISE: the mean of random masks, weighted by the score of the input seen through them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .method import INPUT, Method, Parameter, Step, widened
from .question import Question
from .resample import resized


def rise(
    question: Question, *, masks: int, cells: int, keep: float, fill: float, seed: int
) -> Iterator[Step]:
    """Return the mean over random masks of score times mask, divided by how often a cell is kept.

    A mask is a small grid of 0 and 1, one cell larger than `cells` to each side, resized linearly and
    shifted at random by less than a cell. For words, which are there or not, it is not made smooth.

    Parameters
    ----------
    question : Question
        What is explained.
    masks : int
        Number of masks.
    cells : int
        Cells of the grid along each side; not more than the input has.
    keep : float
        Probability of a 1.
    fill : float
        What is seen where the mask is 0; for words the number of the one that stands there.
    seed : int
        Of the masks.

    References
    ----------
    Petsiuk et al. 2018, "RISE: Randomized Input Sampling for Explanation of Black-box Models",
    equation 6 and section 3.2.
    """
    x = question.value
    rng = np.random.default_rng(seed)
    empty = question.empty(fill)
    remark = {"remark": said} if (said := question.said_of(empty)) else {}
    measured = question.score, question.score
    total, done = np.zeros(x.shape[:-1]), 0
    drawn: list[np.ndarray] = []

    def seen_through(numbers: range) -> np.ndarray:
        drawn[:] = _masks(rng, len(numbers), x.shape[:-1], cells, keep, smooth=not question.holds_words)
        mask = np.stack(drawn)[..., None]
        return x * mask + empty * (1 - mask)

    for part in question.varied(range(masks), seen_through):
        total += np.tensordot(part.scores.astype(float), np.stack(drawn), 1)
        done += len(part.items)
        values = (total / (done * keep))[..., None]
        measured = widened(measured, part.scores)
        yield Step(values, done / masks, f"{done} of {masks} masks", {"scores": measured, **remark})


def _masks(
    rng: np.random.Generator, count: int, shape: tuple[int, ...], cells: int, keep: float, smooth: bool
) -> list[np.ndarray]:
    counts = [min(cells, n) for n in shape]
    sizes = [-(-n // c) for n, c in zip(shape, counts, strict=True)]
    # One after the other: the masks of a seed are the same in batches of any size.
    drawn = [(rng.random([c + 1 for c in counts]), rng.integers(sizes)) for _ in range(count)]
    grids = np.stack([grid for grid, _ in drawn]) < keep
    large = grids.astype(np.float32)
    if smooth:
        large = resized(large, [(c + 1) * size for c, size in zip(counts, sizes, strict=True)], first=1)
    else:
        for axis, size in enumerate(sizes, 1):
            large = np.repeat(large, size, axis)
    return [
        mask[tuple(slice(at, at + n) for at, n in zip(shift, shape, strict=True))]
        for mask, (_, shift) in zip(large, drawn, strict=True)
    ]


RISE = Method(
    "rise",
    "RISE",
    rise,
    INPUT,
    "sum",
    scores="probabilities",
    parameters=(
        Parameter("masks", "the number of masks", 2000, 10, 20000),
        Parameter("cells", "the cells of a mask along each side", 7, 2, 32),
        Parameter("keep", "the probability that a cell is kept", 0.5, 0.05, 0.95),
        Parameter("fill", "what is seen where a mask is 0", 0.0, -1e6, 1e6),
        Parameter("seed", "the seed of the masks", 0, 0, 2**31 - 1),
    ),
    needs_gradient=False,
    passes="a forward pass for each mask",
    runs=lambda _, masks, **__: masks,
)
