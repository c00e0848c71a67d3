"""Score-CAM: channels weighted by the score of the input seen through them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .method import LAYER, SIGNED, Method, Step, widened
from .question import Question
from .resample import resized


def score_cam(question: Question) -> Iterator[Step]:
    """Return each channel's share of the map: its activation times the softmax of its score.

    A channel's score is that of the input multiplied by the channel, which is resized to the input and
    scaled to go from 0 to 1. What is subtracted for the empty input in the paper cancels in the softmax.
    A channel that is the same everywhere masks nothing and has no weight.

    References
    ----------
    Wang et al. 2020, "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks",
    equations 5 to 8 and algorithm 1.
    """
    activation, picture = question.value, question.at_input
    positions = tuple(range(activation.ndim - 1))
    low, high = activation.min(axis=positions), activation.max(axis=positions)
    channels = np.flatnonzero(high > low).tolist()
    scores = np.full(activation.shape[-1], -np.inf)

    flat: list[bool] = []

    def seen_through(chosen: Sequence[int]) -> np.ndarray:
        maps = resized(np.moveaxis(activation[..., chosen], -1, 0), picture.value.shape[:-1], first=1)
        axes = tuple(range(1, maps.ndim))
        least, extent = maps.min(axis=axes, keepdims=True), np.ptp(maps, axis=axes, keepdims=True)
        flat[:] = (extent == 0).reshape(-1).tolist()
        return picture.value * ((maps - least) / np.where(extent > 0, extent, 1))[..., None]

    done = 0
    measured = question.score, question.score
    share = 0.0 if channels else 1.0
    yield Step(_shares(activation, scores), share, f"0 of {len(channels)} channels")
    for part in picture.varied(channels, seen_through):
        # A channel that is finer than the input can be the same everywhere in the input's size.
        scores[part.items] = np.where(flat, -np.inf, part.scores)
        done += len(part.items)
        measured = widened(measured, part.scores)
        words = f"{done} of {len(channels)} channels"
        yield Step(_shares(activation, scores), done / len(channels), words, {"scores": measured})


def _shares(activation: np.ndarray, scores: np.ndarray) -> np.ndarray:
    weights = np.exp(scores - np.max(scores[np.isfinite(scores)], initial=-1e30))
    return activation * (weights / max(weights.sum(), 1e-30))


SCORE_CAM = Method(
    "score_cam",
    "Score-CAM",
    score_cam,
    LAYER,
    "relu",
    scores="probabilities",
    parameters=(SIGNED,),
    needs_gradient=False,
    passes="a forward pass for each channel",
    runs=lambda question: question.value.shape[-1],
)
