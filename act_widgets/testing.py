"""Contract tests: what must hold for every model that is read, to be run on yours.

One call runs them all and raises an `AssertionError` that names what failed::

    from act_widgets import testing

    testing.check_model(model, inputs)

Under pytest each check can be a test of its own::

    @pytest.mark.parametrize("check", testing.CHECKS, ids=testing.name_of)
    def test_reading(check):
        check(*testing.opened(model, inputs))

A new adapter keeps to the protocol `act_widgets.sources.Source`; pass it in place of the model. The
model is left as it was.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .errors import InputError
from .keys import resolve
from .reading.batches import by_unit, leaves
from .sources import Source, open_source
from .sources.inputs import Inputs

Check = Callable[[Source, Inputs], float]

_CLOSE = 1e-4
# Half precision has three digits; a difference quotient has two, beside a kink fewer.
_HALF = 3e-2
_QUOTIENT = 5e-2
_MOST = 12


def opened(model: Any, inputs: Any, *, training: bool = False) -> tuple[Source, Inputs]:
    """Return what a check takes: the model behind the reading protocol, and its inputs.

    Parameters
    ----------
    model : keras.Layer, str, path or Source
        Any model that act_widgets reads, or an adapter's own source.
    inputs : ndarray, tensor, or list, tuple or dict of them
        What the model's call takes, with the batch axis; at least two samples show more.
    training : bool
        Whether the model is called as in training.
    """
    source = model if hasattr(model, "weights_version") else open_source(model, training)
    given = source.read_inputs(inputs)
    source.build(given)
    return source, given


def check_model(
    model: Any, inputs: Any, checks: Sequence[Check] | None = None, *, training: bool = False
) -> dict[str, float]:
    """Run every check on a model.

    Parameters
    ----------
    model, inputs, training
        As for `opened`.
    checks : sequence of Check, optional
        Which checks; all of `CHECKS` if left out.

    Returns
    -------
    dict of str to float
        The largest difference that each check met, relative to the largest value compared.

    Raises
    ------
    AssertionError
        If any check failed; the message has a line for each.
    """
    source, given = opened(model, inputs, training=training)
    differences: dict[str, float] = {}
    failures: list[str] = []
    for check in CHECKS if checks is None else checks:
        try:
            differences[name_of(check)] = check(source, given)
        except AssertionError as error:
            failures.append(f"  {name_of(check)}: {error}")
    if failures:
        raise AssertionError("\n".join([f"{len(failures)} checks failed for '{source.name}':", *failures]))
    return differences


def name_of(check: Check) -> str:
    """Return a check's name in words."""
    return check.__name__.replace("_", " ")


def every_address_names_one_tensor(source: Source, inputs: Inputs) -> float:
    """Addresses are unique, resolve to themselves and describe their values."""
    reading = source.forward(inputs)
    _true(bool(reading.taps), "there is nothing to read")
    known = tuple(reading.taps)
    for address, tap in reading.taps.items():
        value = reading.values[address]
        _true(resolve(address, known) == address == tap.address, f"'{address}' names something else")
        _true(value.ndim == len(tap.shape), f"'{address}' has shape {value.shape}, stated {tap.shape}")
        pairs = zip(value.shape[1:], tap.shape[1:], strict=True)
        _true(
            all(b in (None, a) for a, b in pairs), f"'{address}' has shape {value.shape}, stated {tap.shape}"
        )
    hidden = [address for address, reason in reading.unreachable.items() if address in known or not reason]
    _true(not hidden, f"{hidden} are listed as unreachable without a reason, or although they are read")
    return 0.0


def reading_again_gives_the_same(source: Source, inputs: Inputs) -> float:
    """A first look and a look after the model was traced agree in list, values and outputs."""
    source.forget()
    first = source.forward(inputs)
    source.explained(inputs)
    second = source.forward(inputs)
    lists = [sorted(first.taps), sorted(second.taps)]
    _true(lists[0] == lists[1], f"the first look finds {lists[0]}, the traced model {lists[1]}")
    for address, tap in first.taps.items():
        other = second.taps[address]
        _true(
            (tap.kind, tap.dtype, tap.channel_axis, tap.call)
            == (other.kind, other.dtype, other.channel_axis, other.call),
            f"the first look finds {tap}, the traced model {other}",
        )
    differences = [_agree(second.values[a], v, a, _half(first)) for a, v in first.values.items()]
    return max([*differences, _same_outputs(second.outputs, first.outputs, _half(first))])


def only_what_is_wanted_is_given(source: Source, inputs: Inputs) -> float:
    """A question for some tensors gives these, with their values."""
    whole = source.forward(inputs)
    wanted = _some(whole.values)[::2]
    part = source.forward(inputs, wanted)
    _true(list(part.values) == wanted, f"asked for {wanted}, given {list(part.values)}")
    return max(_agree(part.values[a], whole.values[a], a, _half(whole)) for a in wanted)


def a_sample_looks_the_same_alone(source: Source, inputs: Inputs) -> float:
    """The first sample alone has the values that it has in the batch."""
    if source.is_indivisible or inputs.size == 1:
        return 0.0
    whole, alone = source.forward(inputs), source.forward(inputs.rows(0, 1))
    rows = {a: v[:1] for a, v in whole.values.items() if v.shape[:1] == (inputs.size,)}
    fit = {a: v for a, v in rows.items() if a in alone.values and alone.values[a].shape == v.shape}
    return max((_agree(alone.values[a], v, a, _half(whole)) for a, v in fit.items()), default=0.0)


def an_edit_that_changes_nothing_changes_nothing(source: Source, inputs: Inputs) -> float:
    """Outputs resumed from an activation's own value are the model's."""
    reading = source.forward(inputs)
    largest = 0.0
    for address in _some(reading.values):
        resumed = source.resume(inputs, address, reading.values[address], reading.values)
        largest = max(largest, _same_outputs(resumed.outputs, reading.outputs, _half(reading), address))
    return largest


def an_edit_is_the_same_from_kept_activations(source: Source, inputs: Inputs) -> float:
    """Recomputing what lies behind an edit gives what a whole pass with the edit gives."""
    reading = source.forward(inputs)
    largest = 0.0
    for address in _some(_floats(reading.values)):
        changed = reading.values[address] * np.float32(0.5)
        kept = source.resume(inputs, address, changed, reading.values)
        whole = source.resume(inputs, address, changed, {})
        largest = max(largest, _same_outputs(kept.outputs, whole.outputs, _half(reading), address))
    return largest


def gradients_are_slopes(source: Source, inputs: Inputs) -> float:
    """Gradients agree with difference quotients of the model's own outputs.

    The score is the difference of two units' logits, which the outputs give back whatever
    activation they end in. In half precision quotients say nothing, and nothing is compared.
    """
    reading = source.forward(inputs)
    batch = inputs if source.is_indivisible else inputs.rows(0, 1)
    values = source.forward(batch).values
    output = reading.main_output
    if _half(reading) or output.dtype.kind != "f" or output.shape[:1] != (inputs.size,):
        return 0.0
    activation = source.activation(batch, values)
    mask = _contrast(len(by_unit(output)[0]), batch.size)
    if activation == "softmax" and mask.shape[1] == 1:
        return 0.0
    floats = _floats(values)
    made = source.gradients(batch, list(floats), mask, values)
    _true(set(made) <= source.explained(batch), "a gradient reaches what the scores do not depend on")
    rng = np.random.default_rng(0)
    largest = 0.0
    for address in _some({a: floats[a] for a in made}):
        value, gradient = floats[address], made[address].astype(np.float64)
        direction = rng.normal(size=value.shape).astype(np.float32)

        def score(step: float, address: str = address, change: np.ndarray = direction) -> float:
            edited = floats[address] + np.float32(step) * change
            resumed = source.resume(batch, address, edited, values).main_output
            return float((_scores(resumed, activation) * mask).sum())

        slope = float((gradient * direction).sum())
        scale = max(abs(slope), float(np.linalg.norm(gradient) * np.linalg.norm(direction)) / 10)
        error = min(
            _off(score, slope, h * float(np.abs(value).max(initial=1e-2))) for h in (1e-4, 1e-3, 1e-2)
        )
        error = error / (scale or 1.0)
        _true(error < _QUOTIENT, f"'{address}' rises by {slope:.4g} along a direction, off by {error:.0%}")
        largest = max(largest, error)
    return largest


def _off(score: Callable[[float], float], slope: float, step: float) -> float:
    """Return how far a slope is from what two quotients allow.

    At a kink, such as two equal numbers under a maximum, the slopes to both sides differ, and any
    between them will do. What float32 can't resolve is allowed for.
    """
    here = score(0.0)
    sides = [(score(step) - here) / step, (here - score(-step)) / step]
    noise = 2e-6 * max(1.0, abs(here)) / step
    return max(0.0, min(sides) - noise - slope, slope - max(sides) - noise)


def gradients_are_the_same_from_kept_activations(source: Source, inputs: Inputs) -> float:
    """A backward pass that starts at kept activations gives what a whole pass gives."""
    batch = inputs if source.is_indivisible else inputs.rows(0, 1)
    reading = source.forward(batch)
    if reading.main_output.dtype.kind != "f" or reading.main_output.shape[:1] != (batch.size,):
        return 0.0
    mask = _contrast(len(by_unit(reading.main_output)[0]), batch.size)
    wanted = list(_floats(reading.values))
    kept = source.gradients(batch, wanted, mask, reading.values)
    whole = source.gradients(batch, wanted, mask, {})
    _true(set(kept) == set(whole), f"{sorted(set(kept) ^ set(whole))} have a gradient in one way only")
    return max((_agree(kept[a], whole[a], a, _half(reading)) for a in kept), default=0.0)


def the_graph_is_one(source: Source, inputs: Inputs) -> float:
    """Nodes are unique, edges join nodes and lead nowhere in a circle, every call that is read is there."""
    graph, reading = source.graph(inputs), source.forward(inputs)
    nodes = [node.address for node in graph.nodes]
    _true(len(set(nodes)) == len(nodes), "two nodes have one address")
    loose = [edge for edge in graph.edges if edge.source not in nodes or edge.target not in nodes]
    _true(not loose, f"edges without a node: {loose}")
    missing = {tap.call for tap in reading.taps.values()} - set(nodes)
    _true(not missing, f"calls without a node: {sorted(missing)}")
    waiting = {node: {e.source for e in graph.edges if e.target == node} for node in nodes}
    while free := [node for node, before in waiting.items() if not before & waiting.keys()]:
        for node in free:
            del waiting[node]
    _true(not waiting, f"edges in a circle among {sorted(waiting)}")
    return 0.0


def threads_do_not_meet(source: Source, inputs: Inputs) -> float:
    """Four threads that look at once see what one sees."""
    alone = source.forward(inputs)
    seen: list[Mapping[str, np.ndarray] | BaseException] = []

    def look() -> None:
        try:
            seen.append(source.forward(inputs).values)
        except BaseException as error:  # noqa: BLE001 carried to the thread that checks
            seen.append(error)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    largest = 0.0
    for values in seen:
        if isinstance(values, BaseException):
            raise AssertionError(f"a thread failed: {values}") from values
        largest = max([largest, *(_agree(values[a], v, a, _half(alone)) for a, v in alone.values.items())])
    return largest


def the_model_stays_as_it_was(source: Source, inputs: Inputs) -> float:
    """Neither weights nor outputs change by being looked at, bit for bit."""
    before = source.forward(inputs).outputs
    version = source.weights_version()
    variables = getattr(getattr(source, "model", None), "variables", [])
    weights = [v.numpy() for v in variables]
    for ask in (an_edit_that_changes_nothing_changes_nothing, gradients_are_the_same_from_kept_activations):
        ask(source, inputs)
    _true(source.weights_version() == version, "the weights' version went up")
    pairs = zip(weights, [v.numpy() for v in variables], strict=True)
    changed = [index for index, (a, b) in enumerate(pairs) if a.tobytes() != b.tobytes()]
    _true(not changed, f"variables changed: {changed}")
    after = source.forward(inputs).outputs
    same = all(map(np.array_equal, *map(_filled, (before, after))))
    return 0.0 if same else _same_outputs(after, before, _CLOSE)


def inputs_that_do_not_fit_are_refused(source: Source, inputs: Inputs) -> float:
    """No inputs, an empty batch and no arrays at all raise an `InputError`."""
    empty = inputs.pack([array[:0] for array in inputs.arrays])
    for bad in (None, empty, "no array"):
        try:
            source.read_inputs(bad)
        except InputError:
            continue
        raise AssertionError(f"{bad!r:.60} was taken for inputs")
    return 0.0


CHECKS: tuple[Check, ...] = (
    every_address_names_one_tensor,
    reading_again_gives_the_same,
    only_what_is_wanted_is_given,
    a_sample_looks_the_same_alone,
    an_edit_that_changes_nothing_changes_nothing,
    an_edit_is_the_same_from_kept_activations,
    gradients_are_slopes,
    gradients_are_the_same_from_kept_activations,
    the_graph_is_one,
    threads_do_not_meet,
    the_model_stays_as_it_was,
    inputs_that_do_not_fit_are_refused,
)


def _true(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


def difference(value: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference, relative to the largest finite magnitude expected.

    Infinite if shapes differ, or NaN and infinities are not at the same places.
    """
    if value.shape != expected.shape:
        return float("inf")
    if expected.dtype.kind not in "biufc":
        return 0.0 if np.array_equal(value, expected) else float("inf")
    a, b = value.astype(np.complex128), expected.astype(np.complex128)
    finite = np.isfinite(b)
    if not np.array_equal(finite, np.isfinite(a)):
        return float("inf")
    scale = float(np.abs(b[finite]).max(initial=0))
    return float(np.abs(a[finite] - b[finite]).max(initial=0)) / (scale or 1.0)


def _agree(value: np.ndarray, expected: np.ndarray, address: str, close: float) -> float:
    apart = difference(value, expected)
    _true(apart <= (close or _CLOSE), f"'{address}' differs by {apart:.1e} of its largest value")
    return apart


def _same_outputs(outputs: Any, expected: Any, close: float, edited: str = "") -> float:
    pairs = zip(_filled(outputs), _filled(expected), strict=True)
    words = f"the output after an edit of '{edited}'" if edited else "the output"
    return max((_agree(a, b, words, close) for a, b in pairs), default=0.0)


def _filled(outputs: Any) -> list[np.ndarray]:
    return list(leaves(outputs))


def _half(reading: Any) -> float:
    """Return how close half precision comes if the model computes in it, else 0."""
    kinds = {tap.dtype for tap in reading.taps.values()}
    return _HALF if kinds & {"float16", "bfloat16", "int8"} else 0.0


def _floats(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {a: v for a, v in values.items() if v.dtype.kind == "f"}


def _some(values: Mapping[str, Any]) -> list[str]:
    """Return at most a dozen addresses, spread over the model."""
    addresses = list(values)
    return addresses[:: -(-len(addresses) // _MOST) or 1]


def _contrast(units: int, samples: int) -> np.ndarray:
    """Return the weights of ``first unit - last unit`` of the first sample."""
    mask = np.zeros((samples, units), np.float32)
    mask[0, 0] = 1
    if units > 1:
        mask[0, -1] = -1
    return mask


def _scores(output: np.ndarray, activation: str | None) -> np.ndarray:
    """Return scores by unit, up to what is equal for all units, back from an output."""
    output = output if output.ndim > 1 else output[:, None]
    with np.errstate(divide="ignore"):
        if activation == "softmax":
            output = np.log(output.astype(np.float64))
        if activation == "sigmoid":
            output = np.log(output.astype(np.float64)) - np.log1p(-output.astype(np.float64))
    return by_unit(output)
