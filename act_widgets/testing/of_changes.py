"""Checks of what a change would do: edits and gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..reading.batches import by_unit, spread_weights
from ..reading.blocks import Outputs
from ..sources import Source
from ..sources.inputs import Inputs
from ..sources.protocol import BackwardPass, Reading
from .comparing import agree, float_values, half_precision, require, same_outputs, spread

# A difference quotient has two digits, beside a kink fewer.
_QUOTIENT = 5e-2


def an_edit_that_changes_nothing_changes_nothing(source: Source, inputs: Inputs) -> float:
    """Outputs resumed from an activation's own value are the model's."""
    reading = source.forward(inputs)
    largest = 0.0
    for address in spread(reading.values):
        resumed = source.resume(inputs, address, reading.values[address], reading.values)
        largest = max(
            largest, same_outputs(resumed.outputs, reading.outputs, half_precision(reading), address)
        )
    return largest


def an_edit_is_the_same_from_kept_activations(source: Source, inputs: Inputs) -> float:
    """Recomputing what lies behind an edit gives what a whole pass with the edit gives."""
    reading = source.forward(inputs)
    largest = 0.0
    for address in spread(float_values(reading.values)):
        changed = reading.values[address] * np.float32(0.5)
        kept = source.resume(inputs, address, changed, reading.values)
        whole = source.resume(inputs, address, changed, {})
        largest = max(largest, same_outputs(kept.outputs, whole.outputs, half_precision(reading), address))
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
    if half_precision(reading) or output.dtype.kind != "f" or output.shape[:1] != (inputs.size,):
        return 0.0
    activation = source.activation(batch, values)
    axis = Outputs.of(reading).class_axis()
    contrast = _contrast(reading, batch.size)
    if activation == "softmax" and contrast.shape[1] == 1:
        return 0.0
    mask = _mask(reading, contrast)
    floats = float_values(values)
    made = source.gradients(batch, values, BackwardPass(mask, list(floats))).values
    require(set(made) <= source.explained(batch), "a gradient reaches what the scores do not depend on")
    rng = np.random.default_rng(0)
    largest = 0.0
    for address in spread({a: floats[a] for a in made}):
        value, gradient = floats[address], made[address].astype(np.float64)
        direction = rng.normal(size=value.shape).astype(np.float32)

        def score(step: float, address: str = address, change: np.ndarray = direction) -> float:
            edited = floats[address] + np.float32(step) * change
            resumed = source.resume(batch, address, edited, values).main_output
            return float((_scores(resumed, activation, axis) * contrast).sum())

        slope = float((gradient * direction).sum())
        scale = max(abs(slope), float(np.linalg.norm(gradient) * np.linalg.norm(direction)) / 10)
        error = min(
            _off(score, slope, h * float(np.abs(value).max(initial=1e-2))) for h in (1e-4, 1e-3, 1e-2)
        )
        error = error / (scale or 1.0)
        require(error < _QUOTIENT, f"'{address}' rises by {slope:.4g} along a direction, off by {error:.0%}")
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
    mask = _mask(reading, _contrast(reading, batch.size))
    wanted = list(float_values(reading.values))
    kept = source.gradients(batch, reading.values, BackwardPass(mask, wanted)).values
    whole = source.gradients(batch, {}, BackwardPass(mask, wanted)).values
    require(set(kept) == set(whole), f"{sorted(set(kept) ^ set(whole))} have a gradient in one way only")
    return max((agree(kept[a], whole[a], a, half_precision(reading)) for a in kept), default=0.0)


def a_rule_for_relus_changes_no_score(source: Source, inputs: Inputs) -> float:
    """Guided backpropagation and the deconvnet explain the same scores; without ReLUs, by the gradient."""
    batch = inputs if source.is_indivisible else inputs.rows(0, 1)
    reading = source.forward(batch)
    if reading.main_output.dtype.kind != "f" or reading.main_output.shape[:1] != (batch.size,):
        return 0.0
    mask = _mask(reading, _contrast(reading, batch.size))
    wanted = list(float_values(reading.values))[:1]
    has_gates = source.gates(batch) or source.inner_gates(batch)
    plain = source.gradients(batch, reading.values, BackwardPass(mask, wanted))
    close, largest = half_precision(reading), 0.0
    for rule in ("guided", "deconvnet"):
        made = source.gradients(batch, reading.values, BackwardPass(mask, wanted, rule=rule))
        require(set(made.values) == set(plain.values), f"by the rule '{rule}' others have a gradient")
        pairs = {} if has_gates else {a: (made.values[a], g) for a, g in plain.values.items()}
        pairs["the score"] = made.scores, plain.scores
        largest = max(largest, *(agree(a, b, address, close) for address, (a, b) in pairs.items()))
    return largest


def _mask(reading: Reading, weights: np.ndarray) -> np.ndarray:
    """Return weights of units as a backward pass of the main output takes them."""
    return spread_weights(weights, reading.main_output.shape[1:], Outputs.of(reading).class_axis())


def _contrast(reading: Reading, samples: int) -> np.ndarray:
    """Return the weights of ``first unit - last unit`` of the main output, of the first sample."""
    units = by_unit(reading.main_output, Outputs.of(reading).class_axis()).shape[1]
    mask = np.zeros((samples, units), np.float32)
    mask[0, 0] = 1
    if units > 1:
        mask[0, -1] = -1
    return mask


def _scores(output: np.ndarray, activation: str | None, axis: int) -> np.ndarray:
    """Return scores by unit, up to what is equal for all units, back from an output."""
    with np.errstate(divide="ignore"):
        if activation == "softmax":
            output = np.log(output.astype(np.float64))
        if activation == "sigmoid":
            output = np.log(output.astype(np.float64)) - np.log1p(-output.astype(np.float64))
    return by_unit(output, axis)
