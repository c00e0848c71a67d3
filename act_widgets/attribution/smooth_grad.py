"""SmoothGrad: the gradient averaged over noisy copies of the input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .method import INPUT, Method, Parameter, Step
from .question import Question


def smooth_grad(question: Question, *, samples: int, noise: float, seed: int) -> Iterator[Step]:
    """Return the mean of the gradient under normal noise, and the standard error of that mean.

    Parameters
    ----------
    question : Question
        What is explained.
    samples : int
        Number of noisy copies.
    noise : float
        Standard deviation of the noise, as a share of ``x.max() - x.min()``.
    seed : int
        Of the noise.

    References
    ----------
    Smilkov et al. 2017, "SmoothGrad: removing noise by adding noise".
    """
    x = question.value
    deviation = noise * float(np.ptp(x))
    rng = np.random.default_rng(seed)
    total, squares, done = np.zeros(x.shape), np.zeros(x.shape), 0

    def noisy(copies: range) -> np.ndarray:
        return x + deviation * rng.standard_normal((len(copies), *x.shape), np.float32)

    for part in question.varied(range(samples), noisy, with_gradients=True):
        total += part.gradients.sum(0, dtype=float)
        squares += (part.gradients.astype(float) ** 2).sum(0)
        done += len(part.gradients)
        mean = total / done
        facts: dict[str, Any] = {}
        if done > 1:
            variance = np.maximum(squares / done - mean**2, 0) * done / (done - 1)
            spread = np.sqrt(variance / done)
            facts = {"spread": spread.astype(np.float32), "remark": _words(mean, spread, done)}
        yield Step(mean, done / samples, f"{done} of {samples} noisy copies", facts)


def _words(mean: np.ndarray, spread: np.ndarray, done: int) -> str:
    size = np.sqrt((mean**2).mean())
    share = np.sqrt((spread**2).mean()) / size if size else 0.0
    return f"Mean of {done} noisy copies; its standard error is {share:.0%} of its size."


SMOOTH_GRAD = Method(
    "smooth_grad",
    "SmoothGrad",
    smooth_grad,
    INPUT,
    "largest",
    parameters=(
        Parameter("samples", "the number of noisy copies", 50, 2, 1000),
        Parameter("noise", "the noise's standard deviation as a share of the input's range", 0.15),
        Parameter("seed", "the seed of the noise", 0, 0, 2**31 - 1),
    ),
    passes="a backward pass for each noisy copy",
    runs=lambda _, samples, **__: samples,
)
