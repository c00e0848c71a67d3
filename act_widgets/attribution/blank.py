"""Why a map shows nothing, as measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..keys import Score
from ..reading.explained import PROBABILITIES
from .method import Method
from .question import Question

# Below this share of what its channels add up to, a map is rounding noise.
_NOISE = 1e-6
# So close to 0 or 1 a probability has no slope left that a map could show.
_SATURATED = 1e-4
# A float32 next to 1 is not known better.
_ROUNDING = 1e-6
# Methods that leave negative gradients out.
_POSITIVE = {"grad_cam_pp", "layer_cam"}


def blank_reason(
    question: Question,
    method: Method,
    values: np.ndarray,
    chart: np.ndarray,
    parameters: Mapping[str, Any],
    scores: tuple[float, float] | None = None,
) -> str | None:
    """Return why a map shows nothing, or None if it shows something.

    Parameters
    ----------
    question : Question
        What was explained.
    method : Method
        By what.
    values : (..., channels) ndarray
        What was computed.
    chart : ndarray
        The map.
    parameters : dict
        The method's.
    scores : (float, float), optional
        Lowest and highest score that was measured, where parts of the input were covered.
    """
    largest = np.abs(values).sum(-1).max(initial=0)
    if not (np.isfinite(values).all() and np.isfinite(question.value).all()):
        return f"NaN or infinite values are in {question.place} or in its gradient."
    # The slope of a probability p is p (1 - p): next to 1 it is the rounding error of p. Of "against" p is
    # one less the score.
    p = question.score if question.explained.sign > 0 else 1 - question.score
    is_probability = question.explained.scores == PROBABILITIES
    is_lost = method.needs_gradient and is_probability and abs(1 - p) < _ROUNDING
    stays = scores is not None and scores[1] - scores[0] <= _NOISE * max(map(abs, scores))
    says_something = question.is_connected and not is_lost and not stays
    if says_something and chart.size > 1 and np.ptp(chart) > _NOISE * max(np.abs(chart).max(), largest):
        return None
    return next(_reasons(question, method, values, chart, parameters, stays), None)


def _reasons(
    question: Question,
    method: Method,
    values: np.ndarray,
    chart: np.ndarray,
    parameters: Mapping[str, Any],
    stays: bool,
) -> Iterator[str]:
    """Yield what holds, in the order in which one makes the next meaningless."""
    layer = question.place
    if not question.is_connected:
        yield f"The score does not depend on {layer}: no gradient arrives there."
    if method.needs_gradient and (question.is_beside or not question.gradient(method.rule).any()):
        yield _no_gradient(question, method)
    saturated = _saturated(question)
    if saturated and (method.needs_gradient or stays):
        yield saturated
    if not question.value.any():
        yield f"Every activation of {layer} is 0 for this sample."
    if stays:
        yield f"The score stays at {question.score:.6g}, whatever is covered."
    if chart.size == 1:
        yield f"There is a single position at {layer}, so its map has no places to compare."
    if not values.any():
        yield _no_weight(question, method)
    total = values.sum(-1)
    if not chart.any() and not method.is_signed(parameters):
        yield (
            f"Every place at {layer} speaks against this class (from {total.min():.3g} to "
            f"{total.max():.3g}), and {method.title} keeps only what speaks for it. "
            "With signed=True the map shows it."
        )
    if chart.size:
        yield f"The map is the same everywhere at {layer}: {float(chart.flat[0]):.3g}."


def _saturated(question: Question) -> str | None:
    score = question.score
    if question.explained.scores != PROBABILITIES or min(score, 1 - score) > _SATURATED:
        return None
    return (
        f"The score is saturated: the probability is {score:.6g}, whatever changes here. "
        "With scores='logits' there is something to see."
    )


def _no_weight(question: Question, method: Method) -> str:
    layer = question.place
    positions = tuple(range(question.value.ndim - 1))
    if method.name == "score_cam" and not np.ptp(question.value, positions).any():
        return f"Every channel of {layer} is the same everywhere for this sample, so none can mask the input."
    if method.name in _POSITIVE and not (question.gradient() > 0).any():
        return (
            f"No gradient at {layer} is positive: more of any channel lowers the score, and {method.title} "
            "keeps only what raises it."
        )
    if method.name == "grad_cam" and not question.gradient().mean(positions).any():
        return f"The gradients at {layer} cancel out: their mean over the positions is 0 in every channel."
    if method.name == "integrated_gradients":
        return f"On the way from the baseline nothing at {layer} adds to the score, or it cancels out."
    return f"Every activation of {layer} with a weight in the score is 0 for this sample."


def _no_gradient(question: Question, method: Method) -> str:
    layer = question.place
    if question.is_beside:
        other = question.earlier
        hint = f" Nearest layer whose patches have one: {other.place}." if other else ""
        return (
            f"The gradient at {layer} arrives only at tokens before the patches, which have no place in the "
            f"picture.{hint}"
        )
    saturated = _saturated(question)
    if saturated:
        return saturated
    if method.rule and question.gradient().any():
        return f"{method.title} lets no gradient through to {layer}, where the plain gradient is not zero."
    if question.reader.gradients.of_sample(question.address, question.sample, question.explained) is None:
        return f"An operation between {layer} and the score has no gradient, so none arrives at {layer}."
    ends = _where_it_ends(question)
    if ends is None:
        return f"The gradient at {layer} is exactly zero everywhere: the score has no slope."
    last, first = ends
    where = f"in '{last}', whose units are off for this sample" if last else f"behind '{first}'"
    return f"The gradient at {layer} is exactly zero everywhere: it ends {where}."


def _where_it_ends(question: Question) -> tuple[str, str] | None:
    """Return the first layer that still has a gradient, and the one before it, where it is zero.

    Both lie on the way from the score to what is explained.
    """
    reader, explained = question.reader, question.explained
    behind = reader.gradients.depends_on(explained.score)
    order = [a for a, tap in reader.taps.items() if tap.is_float and a in behind]
    if question.address not in order:
        return None
    ends = ""
    for address in reversed(order[order.index(question.address) :]):
        if question.address not in reader.gradients.depends_on(Score(address, logits=False)):
            continue
        gradient = reader.gradients.of_sample(address, question.sample, explained)
        if gradient is not None and not gradient.any():
            return ends, address
        ends = address
    return None
