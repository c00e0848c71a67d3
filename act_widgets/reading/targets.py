"""From what a caller asks to have explained to the tensor and unit that are meant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import InputError, LayerKindError, TargetError, listed, nearest
from ..keys import Head, Score, Target, whole_number
from ..sources.protocol import OUTPUT
from .batches import are_probabilities, inner_axis, named_leaves, units_last
from .explained import ACTIVATIONS, LOGITS, PROBABILITIES, Explained
from .reader import Reader


def explained(
    reader: Reader, target: int | Target, scores: str | None = None, usual: str = LOGITS
) -> Explained:
    """Return what `target` stands for.

    Parameters
    ----------
    reader : Reader
        The model and its batch.
    target : int or Target
        A class of the main output, or any unit. Of a main output with one unit, the integer 1 is its
        value and 0 speaks against it; a `Target` is the unit itself.
    scores : str, optional
        ``"logits"`` or ``"probabilities"``, which the model must have; left out, `usual`.
    usual : str
        ``"logits"``: where the model computes them. ``"probabilities"``: the output as it is.

    Raises
    ------
    TargetError, UnknownLayerError, InputError, LayerKindError
        If there is no such unit, layer or output, or no such scores.
    """
    if scores not in (None, LOGITS, PROBABILITIES):
        raise InputError(
            f"Scores are logits or probabilities. Received: scores={scores!r}. "
            f"Expected: '{LOGITS}', '{PROBABILITIES}', or None for what the method usually explains."
        )
    if not isinstance(target, Target):
        return _of_class(reader, target, scores, usual)
    asked = target
    if asked.layer is not None and asked.output is not None:
        raise TargetError(
            f"A target is a unit of a layer or of an output. Received: {asked}. Expected: one of the two."
        )
    return (
        _of_layer(reader, asked, asked.layer)
        if asked.layer is not None
        else _of_output(reader, asked, scores, usual)
    )


def _of_layer(reader: Reader, asked: Target, layer: str) -> Explained:
    tap = reader.tap(layer)
    if not tap.is_float:
        raise LayerKindError(
            f"A unit is explained in a layer of real numbers. Received: '{tap.address}', {tap.dtype}."
        )
    shape = tuple(n for n in tap.shape[1:] if n is not None)
    if len(shape) != len(tap.shape) - 1:  # unknown to the model: as it was computed
        shape = reader.sample_activation(tap.address, 0).shape
    axis = tap.channel_axis if len(shape) > 1 else -1
    units = shape[inner_axis(axis)] if shape else 1
    unit = _checked_unit(asked.unit, units, f"'{tap.address}'")
    found = replace(asked, layer=tap.address, unit=unit, at=_checked_position(asked.at, shape, axis))
    return Explained(found, Score(tap.address, logits=False), ACTIVATIONS, shape, axis, unit)


def _of_class(reader: Reader, target: int, scores: str | None, usual: str) -> Explained:
    """Return what a class of the main output stands for: of one unit its value, or what speaks against it."""
    unit, sign = reader.head.unit_and_sign(reader.head.check(target))
    return replace(_of_output(reader, Target(unit), scores, usual), sign=sign)


def _of_output(reader: Reader, asked: Target, scores: str | None, usual: str) -> Explained:
    if asked.output is None:
        address, shape, head = "", reader.output_shape[1:], reader.head
        axis, owner = reader.blocks.class_axis(), "The model's output"
    else:
        name, output = _chosen_output(reader, asked.output)
        axis, owner = reader.blocks.class_axis(name), f"Output {asked.output!r}"
        classes_last = units_last(output, axis)
        head = Head(classes_last.shape[-1], are_probabilities(classes_last))
        address, shape = f"{OUTPUT}{name}", output.shape[1:]
    unit = _checked_unit(asked.unit, head.units, owner)
    found = replace(asked, unit=unit, at=_checked_position(asked.at, shape, axis))
    before = (scores or usual) == LOGITS
    # Of a sigmoid for each class the numbers alone do not tell.
    activation = reader.gradients.activation_behind(address) if before or not head.probabilities else None
    is_before = before and activation is not None
    kind = PROBABILITIES if (head.probabilities or activation) and not is_before else LOGITS
    if scores == LOGITS and kind != LOGITS:
        raise InputError(
            f"'{reader.source.name}' returns probabilities that no softmax or sigmoid makes of logits. "
            "Received: scores='logits'. Expected: scores='probabilities'."
        )
    if scores == PROBABILITIES and kind != PROBABILITIES:
        raise InputError(
            f"'{reader.source.name}' does not return probabilities. Received: scores='probabilities'. "
            "Expected: scores='logits': its output values as they are."
        )
    return Explained(found, Score(address, logits=is_before), kind, shape, axis, unit)


def _chosen_output(reader: Reader, chosen: int | str) -> tuple[str, np.ndarray]:
    outputs = named_leaves(reader.outputs())
    names = list(outputs)
    number = whole_number(chosen)
    if number is not None and 0 <= number < len(names):
        name = names[number]
    elif str(chosen) in outputs and isinstance(chosen, str):
        name = chosen
    else:
        numbers = "0, the only one" if len(names) == 1 else f"0 to {len(names) - 1}"
        keys = [name for name in names if not name.isdecimal()]
        by_key = f", or one of {listed(nearest(str(chosen), keys))}" if keys else ""
        raise TargetError(
            f"The model has no such output. Received: output={chosen!r}. Expected: {numbers}{by_key}."
        )
    output = outputs[name]
    if output.shape[:1] != (reader.inputs.size,) or output.dtype.kind != "f":
        raise TargetError(
            f"Only an output of real numbers for each sample can be explained. Received: output={chosen!r} "
            f"of shape {output.shape}, {output.dtype}."
        )
    return name, output if output.ndim > 1 else output[:, None]


def _checked_unit(unit: int, units: int, owner: str) -> int:
    number = whole_number(unit)
    if number is None or not 0 <= number < units:
        raise TargetError(
            f"{owner} has no such unit. Received: unit={unit!r}. Expected: an integer from 0 to {units - 1}."
        )
    return number


def _checked_position(
    at: tuple[int, ...] | None, shape: tuple[int, ...], axis: int
) -> tuple[int, ...] | None:
    if at is None:
        return None
    sizes = tuple(np.delete(shape, inner_axis(axis)).tolist()) if shape else ()
    place = tuple(map(whole_number, at if np.iterable(at) else [at]))
    if len(place) != len(sizes) or not all(
        i is not None and 0 <= i < n for i, n in zip(place, sizes, strict=True)
    ):
        raise TargetError(
            f"There is no such position. Received: at={at}. Expected: "
            + (f"one index below each of {sizes}." if sizes else "None: there is only one.")
        )
    return place  # type: ignore[return-value]
