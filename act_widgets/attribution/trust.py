"""Whether a map can be trusted: the score should follow it, and it should follow the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from ..reading.explained import PROBABILITIES
from ..reading.reader import Reader
from ..reading.targets import explained
from .attribute import question_of
from .method import LAYER, Method, Parameter
from .occlusion import FILL
from .places import token_grid
from .question import Question
from .resample import resized
from .result import Attribution

DELETION = "deletion"
INSERTION = "insertion"

_SEED = 0
_STEPS = Parameter("steps", "the number of changes along the curve", 20, 1, 1000)


@dataclass(frozen=True)
class Curve:
    """The score as positions go, or come, in the order of a map.

    Attributes
    ----------
    kind : str
        ``"deletion"`` or ``"insertion"``.
    shares : (steps + 1,) float64 ndarray
        How many of the positions were changed, from 0 to 1.
    scores : (steps + 1,) float64 ndarray
        The score then; NaN where it is not known yet.
    """

    kind: str
    shares: np.ndarray
    scores: np.ndarray

    def __repr__(self) -> str:
        return f"Curve(kind={self.kind!r}, steps={len(self.shares) - 1}, area={self.area:.4g})"

    @property
    def area(self) -> float:
        """The area under the curve: a map that shows what counts has a small one at deletion."""
        heights = (self.scores[1:] + self.scores[:-1]) / 2
        return float((heights * np.diff(self.shares)).sum())


def perturbation_curve(
    question: Question, chart: np.ndarray, kind: str, steps: int = 20, fill: float | None = None
) -> Iterator[Curve]:
    """Yield the curve as it comes to be; the last one is whole.

    Positions of equal value come in a random order, the same each time: where a map is flat, it favours
    none of them.

    Parameters
    ----------
    question : Question
        The score, and the input that is changed.
    chart : ndarray
        The map. On another grid than the input it is resized linearly.
    kind : str
        ``"deletion"``: the most important positions go first. ``"insertion"``: they come first, into an
        empty input.
    steps : int
        Number of changes.
    fill : float or None
        What stands where nothing is; None for the sample's mean of each channel, and for the word number 0.

    References
    ----------
    Petsiuk et al. 2018, "RISE: Randomized Input Sampling for Explanation of Black-box Models", section 4.1.
    There, insertion starts from a blurred picture.
    """
    if kind not in (DELETION, INSERTION):
        raise InputError(
            f"A curve is one of deletion or of insertion. Received: kind={kind!r}. "
            f"Expected: '{DELETION}' or '{INSERTION}'."
        )
    steps, fill = _STEPS.check(steps), FILL.check(fill)
    x = question.value
    positions = x.shape[:-1]
    order = _order(resized(chart, positions).reshape(-1))
    empty = question.empty(fill)
    before, after = (x, empty) if kind == DELETION else (empty, x)
    counts = np.linspace(0, order.size, steps + 1).round().astype(int)

    def changed(chosen: Sequence[int]) -> np.ndarray:
        variants = np.empty((len(chosen), *x.shape), np.float32)
        for variant, count in zip(variants, chosen, strict=True):
            gone = np.zeros(order.size, bool)
            gone[order[:count]] = True
            variant[...] = np.where(gone.reshape(positions)[..., None], after, before)
        return variants

    scores = np.full(len(counts), np.nan)
    done = 0
    for part in question.varied(counts.tolist(), changed):
        scores[done : done + len(part.items)] = part.scores
        done += len(part.items)
        yield Curve(kind, counts / order.size, scores.copy())


def curve_of(
    reader: Reader,
    method: Method,
    result: Attribution,
    sample: int,
    kind: str,
    steps: int,
    fill: float | None,
) -> Iterator[Curve]:
    """Yield the curve of one sample's map, made by `method`, over the input that the map lies on."""
    at = _place_of(result, reader.check_sample(sample))
    target = result.target[at] if isinstance(result.target, tuple) else result.target
    found = question_of(reader, method, result.layer, target, None, sample)
    grid = token_grid(reader, found.tap)
    shown = replace(found, explained=explained(reader, target, None, PROBABILITIES), grid=grid)
    site = shown.at_input if method.place == LAYER or grid else shown
    return perturbation_curve(site, result.maps[at], kind, steps, fill)


def _place_of(result: Attribution, sample: int) -> int:
    """Return which of the maps is that of a sample, or raise an `InputError`."""
    if sample in result.samples:
        return result.samples.index(sample)
    raise InputError(
        f"A curve covers a sample in the order of its own map. Received: sample={sample}, with the map of "
        f"sample {result.samples[0]}. Expected: sample={result.samples[0]}, or the map of the other: "
        f"attribution(..., sample={sample})."
    )


def _order(values: np.ndarray) -> np.ndarray:
    """Return the positions from the highest value to the lowest, equal ones at random."""
    shuffled = np.random.default_rng(_SEED).permutation(values.size)
    return shuffled[np.argsort(-values[shuffled], kind="stable")]


def likeness(chart: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation of two maps, from -1 to 1; NaN if one is the same everywhere."""
    a, b = chart.reshape(-1).astype(float), other.reshape(-1).astype(float)
    if a.size < 2 or not np.ptp(a) > 0 or not np.ptp(b) > 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])
