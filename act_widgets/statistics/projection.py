"""A batch of a layer's activations as points in the plane."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError
from ..keys import Tap
from ..reading.reader import Reader
from .aside import done_aside
from .embeddings import METHODS, Method, checked_method, embedded
from .features import Features, checked_features, read_features
from .partial import Partial

# Samples that are named at the most.
_NAMED = 8


@dataclass(frozen=True)
class Projected:
    """The samples of a batch as points: near to one another where the layer answers alike.

    Attributes
    ----------
    points : (batch, 2) float32 ndarray
        One for each sample; NaN for those that are left out.
    method, layer : str
        The method's name, and the layer's address.
    words : str
        What was done: how many columns of what, with which numbers, and what is left out.
    explained : tuple of float or None
        The shares of the variance that lie along the two axes, of PCA.
    divergence : float or None
        That of Kullback and Leibler between neighbours there and here, of t-SNE.
    left_out : tuple of int
        Samples whose activations hold NaN or infinity.
    """

    points: np.ndarray
    method: str
    layer: str
    words: str
    explained: tuple[float, float] | None = None
    divergence: float | None = None
    left_out: tuple[int, ...] = ()

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.points.nbytes

    def __repr__(self) -> str:
        return self.words


class Asked(NamedTuple):
    """A projection that is asked for, checked.

    Attributes
    ----------
    tap : Tap
        The layer.
    method : str
    features : str or None
        How positions are dealt with; None for what fits.
    params : tuple of (str, object)
        All parameters of the method.
    """

    tap: Tap
    method: str
    features: str | None
    params: tuple[tuple[str, Any], ...]


def asked(reader: Reader, layer: str, method: str, features: str | None, params: Mapping[str, Any]) -> Asked:
    """Return what is asked for, or raise if there is no such layer, method or parameter."""
    chosen = checked_method(method)
    given = chosen.checked(params)
    return Asked(reader.tap(layer), chosen.name, checked_features(features), tuple(given.items()))


def is_kept(reader: Reader, question: Asked) -> bool:
    """Whether a projection can be looked up."""
    return ("projected", question) in reader.cache


def projection_steps(reader: Reader, question: Asked) -> Iterator[Partial]:
    """Yield a projection as it comes to be; the last one has the result, which is kept by its bytes."""
    kept = reader.cache.used(("projected", question))
    if kept is None:
        kept = yield from _made(reader, question)
        reader.cache.put(("projected", question), kept)
    yield Partial(1.0, kept.words, kept)


def projected(
    reader: Reader, question: Asked, on_progress: Callable[[float, str], None] | None = None
) -> Projected:
    """Return a projection.

    `on_progress` is told the share that is done, NaN where nobody can know it, and what is under way. What
    it raises ends the work.
    """
    for step in projection_steps(reader, question):
        if on_progress is not None:
            on_progress(step.share, step.words)
    return step.result


def _made(reader: Reader, question: Asked) -> Generator[Partial, None, Projected]:
    method, params = METHODS[question.method], dict(question.params)
    _check_samples(method, reader.inputs.size, 0)
    features = yield from read_features(reader, question.tap, question.features)
    samples = len(features.table)
    _check_samples(method, samples, len(features.left_out))
    found = yield from done_aside(
        lambda: embedded(method, features.table, params), f"{method.title} of {samples:,} samples"
    )
    points = np.full((reader.inputs.size, 2), np.nan, np.float32)
    points[features.kept] = found.points
    standard = "standardised" if params["standardise"] else "not standardised"
    words = (
        f"{method.title} of {samples:,} samples by {features.words} of '{question.tap.address}', {standard}.",
        found.words,
        _left_out(features),
    )
    return Projected(
        points,
        method.name,
        question.tap.address,
        " ".join(filter(None, words)),
        found.explained,
        found.divergence,
        features.left_out,
    )


def _check_samples(method: Method, samples: int, left_out: int) -> None:
    if samples >= method.least:
        return
    others = f", {left_out} more with NaN or infinity" if left_out else ""
    raise InputError(
        f"{method.title} needs at least {method.least} samples. Received: a batch of {samples}{others}. "
        "Expected: a session on more inputs."
    )


def _left_out(features: Features) -> str:
    lost = features.left_out
    if not lost:
        return ""
    more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    named = ", ".join(map(str, lost[:_NAMED]))
    return f"Left out, for NaN or infinity: sample{'s' if len(lost) > 1 else ''} {named}{more}."
