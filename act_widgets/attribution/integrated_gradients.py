"""Integrated gradients: what each input adds to the score on the way from a baseline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import InputError
from .method import INPUT, Method, Parameter, Step
from .question import Question

_FIRST = 9
# What networks of pictures took to reach 5 %.
_USUAL = 33
# Intervals halved in one round.
_ROUND = 8


def integrated_gradients(question: Question, *, baseline: Any, bound: float, steps: int) -> Iterator[Step]:
    """Return ``(x - x0)`` times the integral of the gradient along the straight path from ``x0``.

    The integral is taken by the trapezoid rule. On each interval of the path it should give what the
    score gains there; the intervals that miss most are halved, until the whole misses by less than
    `bound`. That gap between ``sum(values)`` and ``S(x) - S(x0)``, as a share of the latter, is the
    completeness error.

    Parameters
    ----------
    question : Question
        What is explained.
    baseline : float or ndarray
        ``x0``: one number, or an array of the input's shape without the batch axis.
    bound : float
        Completeness error to reach.
    steps : int
        Points on the path at the most.

    References
    ----------
    Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks", section 3 and proposition 1.
    """
    start = _start(question, baseline)
    path = Path(question.value - start)
    wanted = np.linspace(0, 1, min(_FIRST, steps)).tolist()
    while True:
        for part in question.varied(
            wanted, lambda ats: np.stack([start + at * path.way for at in ats]), True
        ):
            for at, score, gradient in zip(part.items, part.scores, part.gradients, strict=True):
                path.add(at, float(score), gradient)
        error, points = path.error, len(path.scores)
        wider = path.worst(min(_ROUND, steps - points)) if error > bound else []  # NaN gets no better
        is_last = not wider
        words = f"completeness error {100 * error:.3g}% with {points} points"
        missed = (
            f" The bound of {100 * bound:.3g}% was not reached: allow more steps." if error > bound else ""
        )
        yield Step(
            path.values,
            1.0 if is_last else points / steps,
            words,
            {
                "completeness": error,
                "remark": f"{words[:1].upper()}{words[1:]}: values add up to {path.values.sum():.4g}, "
                f"the score gained {path.gain:.4g}.{missed}",
            },
        )
        if is_last:
            return
        wanted = wider


class Path:
    """What is known at points of the way from a baseline.

    Parameters
    ----------
    way : ndarray
        ``x - x0``.
    """

    def __init__(self, way: np.ndarray) -> None:
        self.way = way
        self.scores: dict[float, float] = {}
        self._gradients: dict[float, np.ndarray] = {}
        self._slopes: dict[float, float] = {}

    def add(self, at: float, score: float, gradient: np.ndarray) -> None:
        """Note the score and its gradient at a share of the way."""
        self.scores[at], self._gradients[at] = score, gradient
        self._slopes[at] = float((gradient.astype(float) * self.way).sum())

    @property
    def gain(self) -> float:
        """``S(x) - S(x0)``."""
        return self.scores[1.0] - self.scores[0.0]

    @property
    def values(self) -> np.ndarray:
        """The trapezoid rule over all points, times the way."""
        points = self._points()
        widths = np.diff(points)
        weights = np.concatenate([[0], widths / 2]) + np.concatenate([widths / 2, [0]])
        mean = sum(w * self._gradients[at].astype(float) for w, at in zip(weights, points, strict=True))
        return mean * self.way

    @property
    def error(self) -> float:
        """The completeness error; infinite if the score gained nothing and the values say otherwise."""
        missed = abs(float(self._gaps().sum()))
        if self.gain == 0:
            return np.inf if missed else 0.0
        return missed / abs(self.gain)

    def worst(self, count: int) -> list[float]:
        """Return the middles of the intervals on which the rule misses most, in their order.

        An interval around a jump is halved until numbers end.
        """
        points = np.array(self._points())
        middles = (points[1:] + points[:-1]) / 2
        can_be_halved = (middles > points[:-1]) & (middles < points[1:])
        gaps = np.where(can_be_halved, np.abs(self._gaps()), -1.0)
        chosen = np.argsort(-gaps, kind="stable")[:count]
        return middles[sorted(i for i in chosen if can_be_halved[i])].tolist()

    def _points(self) -> list[float]:
        return sorted(self.scores)

    def _gaps(self) -> np.ndarray:
        points = self._points()
        scores = np.array([self.scores[at] for at in points])
        slopes = np.array([self._slopes[at] for at in points])
        return np.diff(points) * (slopes[1:] + slopes[:-1]) / 2 - np.diff(scores)


def _start(question: Question, baseline: Any) -> np.ndarray:
    shape = question.shape
    if not isinstance(baseline, np.ndarray) or baseline.ndim == 0:
        return np.full(question.value.shape, float(baseline), np.float32)
    if baseline.shape != shape:
        raise InputError(
            f"A baseline is one number, or has the shape of what is explained. Received: {baseline.shape}. "
            f"Expected: {shape}, without a batch axis."
        )
    return question.channels_last(baseline).astype(np.float32)


INTEGRATED_GRADIENTS = Method(
    "integrated_gradients",
    "Integrated gradients",
    integrated_gradients,
    INPUT,
    "sum",
    signed=True,
    parameters=(
        Parameter("baseline", "what the input holds where the path starts", 0.0, -1e6, 1e6, arrays=True),
        Parameter(
            "bound",
            "how far values may be from adding up to the score's gain, as a share of it",
            0.05,
            1e-4,
            1,
        ),
        # Gradients of all points are kept until the end.
        Parameter("steps", "the points on the path at the most", 256, 8, 1024),
    ),
    passes="a backward pass for each point of the path",
    runs=lambda _, steps, **__: min(steps, _USUAL),
)
