"""Ask one method of one model: for a sample step by step, or for a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..errors import LayerKindError, listed
from ..keys import Tap, Target
from ..reading.explained import Explained
from ..reading.reader import Reader
from ..reading.shared import followed
from ..reading.targets import explained as explained_by
from .blank import blank_reason
from .method import LAYER, SIGNED, Method, Step
from .places import default_layer, nearest_spatial, token_grid
from .question import Question, input_taps
from .result import Attribution, joined

NO_MAPS = "No layer that the scores depend on has spatial axes, so there is no map to draw."

OnProgress = Callable[[float, str], None]


class Partial(NamedTuple):
    """An attribution as far as it is known."""

    result: Attribution
    share: float
    words: str


def attribute_batch(
    reader: Reader,
    method: Method,
    layer: str | None,
    target: int | Target | None,
    scores: str | None,
    parameters: Mapping[str, Any],
    on_progress: OnProgress | None = None,
) -> Attribution:
    """Return a map for every sample of the batch.

    Parameters
    ----------
    reader : Reader
        The model and its batch.
    method : Method
        What to compute.
    layer : str or None
        Address of a layer or input; None for the method's usual one.
    target : int, Target or None
        What to explain; None for the class that the model gives each sample first; see `top_classes`.
    scores : str or None
        Which scores to explain; None for those that the method usually explains.
    parameters : dict
        The method's, checked.
    on_progress : callable, optional
        Told the share that is done, and what, between parts of the work.
    """
    first = question_of(reader, method, layer, target, scores, 0)
    others = range(1, reader.inputs.size)
    questions = [first, *(question_of(reader, method, first.address, target, scores, s) for s in others)]
    if method.is_quick:
        reader.gradients.read(first.address, [q.explained for q in questions], method.rule)
    parts = []
    for number, question in enumerate(questions):
        for part in steps(question, method, parameters):
            if on_progress is not None:
                on_progress((number + part.share) / len(questions), part.words)
        parts.append(part.result)
    return joined(parts, tuple(top_classes(reader).tolist()) if target is None else target)


def attribute_sample(
    reader: Reader,
    method: Method,
    layer: str | None,
    target: int | Target | None,
    scores: str | None,
    sample: int,
    parameters: Mapping[str, Any],
) -> Iterator[Partial]:
    """Yield the map of one sample, as a batch of one, in steps; for parameters see `attribute_batch`."""
    return steps(question_of(reader, method, layer, target, scores, sample), method, parameters)


def question_of(
    reader: Reader,
    method: Method,
    layer: str | None,
    target: int | Target | None,
    scores: str | None,
    sample: int,
) -> Question:
    """Return what is asked of the model for one sample.

    If no layer is named, it is one whose map has something to show: behind the last mixing of tokens a
    class token alone has a gradient.
    """
    sample = reader.check_sample(sample)
    chosen = int(top_classes(reader)[sample]) if target is None else target
    found = explained_by(reader, chosen, scores, method.scores)
    tap = _layer_tap(reader, layer, found) if method.place == LAYER else _input_tap(reader, layer, method)
    grid = token_grid(reader, tap)
    question = Question(reader, sample, found, tap, grid if method.place == LAYER else None)
    return question.earlier or question if layer is None and question.is_beside else question


class Estimate(NamedTuple):
    """What a map will cost.

    Attributes
    ----------
    runs : int
        Forward passes of one sample, or backward passes, as they are usually needed.
    seconds : float
        How long they take here.
    """

    runs: int
    seconds: float


def estimate(
    question: Question, method: Method, parameters: Mapping[str, Any], anew: bool = False
) -> Estimate:
    """Return what a map will cost: nothing if it is kept; a few runs are timed if none was yet.

    `anew`: as if it were not kept.
    """
    if method.runs is None or (not anew and _key(question, method, parameters) in question.reader.cache):
        return Estimate(0, 0.0)
    site = question.at_input if method.place == LAYER else question
    runs = method.runs(question, **_own(parameters))
    return Estimate(runs, site.seconds_for(runs, method.needs_gradient))


def steps(question: Question, method: Method, parameters: Mapping[str, Any]) -> Iterator[Partial]:
    """Yield what is known of a map, until it is whole. A slow method's result is kept."""
    key = _key(question, method, parameters)
    kept = question.reader.cache.get(key) if not method.is_quick else None
    if kept is not None:
        yield Partial(replace(kept, params=dict(kept.params)), 1.0, "")
        return
    made = _made(question, method, parameters)
    yield from made if method.is_quick else followed(question.reader.under_way, key, made)


def _made(question: Question, method: Method, parameters: Mapping[str, Any]) -> Iterator[Partial]:
    for step in method.run(question, **_own(parameters)):
        result = _attribution(question, method, parameters, step)
        if step.share >= 1 and not method.is_quick:
            for array in (result.maps, result.values, result.spread):
                if array is not None:
                    array.flags.writeable = False
            key = _key(question, method, parameters)
            question.reader.cache.put(key, replace(result, params=dict(result.params)))
        yield Partial(result, step.share, step.words)


def _key(question: Question, method: Method, parameters: Mapping[str, Any]) -> tuple:
    """Return what a slow method's result is kept under."""
    place = question.tap, question.sample, question.explained
    return "attribution", method.name, _frozen(parameters), *place


def _own(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of the algebra; how channels become a map is none of its business."""
    return {name: value for name, value in parameters.items() if name != SIGNED.name}


def _frozen(parameters: Mapping[str, Any]) -> tuple:
    return tuple(
        (name, (value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value)
        for name, value in parameters.items()
    )


def _attribution(
    question: Question, method: Method, parameters: Mapping[str, Any], step: Step
) -> Attribution:
    grid = token_grid(question.reader, question.tap) if question.grid is None else None

    def folded(values: np.ndarray) -> np.ndarray:
        return values if grid is None or values.ndim != 2 else grid.folded(values)

    values = folded(np.asarray(step.values, np.float32))
    chart = method.maps(values, parameters)
    spread, completeness = step.facts.get("spread"), step.facts.get("completeness")
    reason = None
    if step.share >= 1:
        reason = blank_reason(question, method, values, chart, parameters, step.facts.get("scores"))
    return Attribution(
        maps=chart[None],
        values=values[None],
        method=method.name,
        layer=question.address,
        target=question.explained.asked,
        scores=question.explained.scores,
        score=np.array([question.score], np.float32),
        signed=method.is_signed(parameters),
        connected=question.is_connected,
        params={name: v.copy() if isinstance(v, np.ndarray) else v for name, v in parameters.items()},
        remarks=tuple(filter(None, [step.facts.get("remark")])),
        completeness=None if completeness is None else np.array([completeness], np.float32),
        spread=None if spread is None else folded(spread)[None],
        reasons=(reason,),
        samples=(question.sample,),
    )


def top_classes(reader: Reader) -> np.ndarray:
    """Return the class that the model gives each sample first, ``(batch,) int``.

    Of a single unit that is "for" (1), its value; "against" (0) only where it is a probability below a half.
    """
    scores = reader.unit_scores
    if scores.shape[1] > 1:
        return scores.argmax(1)
    if not reader.head.probabilities:
        return np.ones(len(scores), int)
    return (scores[:, 0] >= 0.5).astype(int)


def _layer_tap(reader: Reader, layer: str | None, found: Explained) -> Tap:
    chosen = (
        default_layer(
            reader.taps,
            reader.gradients.depends_on(found.score) - {found.score.address},
            late=reader.at_second_sight,
        )
        if layer is None
        else reader.tap(layer).address
    )
    if chosen is None:
        raise LayerKindError(NO_MAPS)
    tap = reader.taps[chosen]
    if tap.spatial and tap.is_float:
        return tap
    near = nearest_spatial(reader.taps, chosen)
    hint = f"Nearest layer that has them: '{near}'." if near else "No layer of this model has them."
    raise LayerKindError(
        f"A class activation map needs a layer of real numbers with spatial axes. Received: '{chosen}' "
        f"with shape {tap.shape}, {tap.dtype}. {hint}"
    )


def _input_tap(reader: Reader, layer: str | None, method: Method) -> Tap:
    inputs = {tap.address: tap for tap in input_taps(reader)}
    if layer is None:
        tap = next((tap for tap in inputs.values() if _serves(tap, method)), None)
        if tap is None:
            raise LayerKindError(
                f"{method.title} needs real numbers, and no input of the model holds them. Received: "
                f"{listed(tap.dtype for tap in inputs.values())}. Expected: layer=, the one to explain "
                f"in its place, such as '{next((a for a, t in reader.taps.items() if t.is_float), '')}'."
            )
        return tap
    address = reader.place(layer)
    tap = inputs.get(address) or reader.taps[address]
    if _serves(tap, method):
        return tap
    raise LayerKindError(
        f"{method.title} needs numbers that can change a little. Received: "
        f"{reader.place_name(tap.address)}, {tap.dtype}, which has no gradient. "
        "Expected: a layer of floating-point numbers."
    )


def _serves(tap: Tap, method: Method) -> bool:
    return tap.is_float or (not method.needs_gradient and "int" in tap.dtype)
