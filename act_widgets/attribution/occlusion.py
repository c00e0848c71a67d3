"""Occlusion: what the score loses when a part of the input is covered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from .method import INPUT, Method, Parameter, Step, widened
from .question import Question

_MEAN = "the mean of each channel, of words 0"
FILL = Parameter("fill", "what covered cells hold", None, -1e6, 1e6, if_none=_MEAN)


def occlusion(question: Question, *, patch: int, stride: int, fill: float | None) -> Iterator[Step]:
    """Return at each position the mean, over the patches that cover it, of what the score loses by them.

    Parameters
    ----------
    question : Question
        What is explained.
    patch : int
        Side of a patch in cells; 0 for about an eighth of each side.
    stride : int
        Cells from one patch to the next; 0 for half a patch.
    fill : float or None
        What covered cells hold; None for the sample's mean of each channel, and for the word number 0.

    References
    ----------
    Zeiler & Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 4.2.
    """
    x = question.value
    covers = _covers(x.shape[:-1], patch, stride)
    filled = question.empty(fill)
    whole = question.score
    lost, counts = np.zeros(x.shape[:-1]), np.zeros(x.shape[:-1])

    def covered(chosen: Sequence[tuple[slice, ...]]) -> np.ndarray:
        variants = np.repeat(x[None], len(chosen), axis=0)
        for variant, cover in zip(variants, chosen, strict=True):
            variant[cover] = filled[cover]
        return variants

    def remark() -> dict[str, str]:
        said = " ".join(filter(None, (question.said_of(filled), _gaps(counts))))
        return {"remark": said} if said else {}

    done = 0
    measured = whole, whole
    for part in question.varied(covers, covered):
        for cover, score in zip(part.items, part.scores, strict=True):
            lost[cover] += whole - score
            counts[cover] += 1
        done += len(part.items)
        measured = widened(measured, part.scores)
        values = (lost / np.maximum(counts, 1))[..., None]
        facts = {"scores": measured, **remark()}
        yield Step(values, done / len(covers), f"{done} of {len(covers)} patches", facts)


def _gaps(counts: np.ndarray) -> str:
    gaps = int((counts == 0).sum())
    words = f"{gaps} of {counts.size} positions lie between the patches: nothing was measured there."
    return words if gaps else ""


def _covers(shape: tuple[int, ...], patch: int, stride: int) -> list[tuple[slice, ...]]:
    """Return the patches: they begin at each stride, and the last ones end at the border."""
    starts = []
    sides = [min(patch or max(1, round(n / 8)), n) for n in shape]
    for n, side in zip(shape, sides, strict=True):
        step = stride or max(1, side // 2)
        starts.append(sorted({*range(0, n - side, step), n - side}))
    return [
        tuple(slice(at, at + side) for at, side in zip(corner, sides, strict=True))
        for corner in product(*starts)
    ]


OCCLUSION = Method(
    "occlusion",
    "Occlusion",
    occlusion,
    INPUT,
    "sum",
    signed=True,
    scores="probabilities",
    parameters=(
        Parameter("patch", "the side of a patch in cells, 0 for an eighth of each side", 0, 0, 4096),
        Parameter("stride", "cells from one patch to the next, 0 for half a patch", 0, 0, 4096),
        FILL,
    ),
    needs_gradient=False,
    passes="a forward pass for each patch",
    runs=lambda question, patch, stride, **_: len(_covers(question.value.shape[:-1], patch, stride)),
)
