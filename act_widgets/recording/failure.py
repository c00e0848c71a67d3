"""Where the first number that is not finite came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..sources.inputs import Inputs
from ..sources.kept_step import KeptStep
from ..sources.keras_model import KerasSource
from ..sources.owners import unfinite_weights


@dataclass(frozen=True)
class Failure:
    """The first training step whose loss was NaN or infinite.

    Attributes
    ----------
    step, epoch, batch : int
        Numbers of the step since the training began, of its epoch, and of its batch in there, from 0.
    layer : str or None
        Address of the first layer, in call order, whose activations are not finite for the step's batch
        and the weights before the step; None if all are in both modes, or if the batch could not be kept, or
        is not finite itself.
    sample : int or None
        Number of the first sample of the batch that is not finite at that layer, or in the batch itself;
        None if there is none.
    reason : str
        In words what was found.
    inputs : nest of ndarray, or None
        What the model was called on in that step.
    data : nest of tensors, or None
        The batch as the training step was given it: inputs, targets, sample weights.
    activations : dict of str to ndarray
        Of all layers, for that batch and the weights before the step.
    source : Source or None
        The model as it was before the step: `explore` and `Session` open on a failure, at its layer and
        sample.
    training : bool
        Whether `activations` and `source` are in training mode, with the random numbers and the statistics of
        the step: the batch is read so if all is finite outside of it.
    """

    step: int
    epoch: int
    batch: int
    layer: str | None
    reason: str
    inputs: Any = field(default=None, repr=False)
    data: Any = field(default=None, repr=False)
    activations: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    source: Any = field(default=None, repr=False)
    training: bool = False
    sample: int | None = None

    @property
    def first_layer(self) -> str | None:
        """Its layer, or the first one that a batch which is not finite itself makes so; None if all are."""
        return self.layer or _first_unfinite(self.activations)

    def __str__(self) -> str:
        sample = "" if self.sample is None else f"sample {self.sample} of the batch"
        where = ", ".join(filter(None, [f"in '{self.layer}'" if self.layer else "", sample]))
        where = f"first {'' if self.layer else 'in '}{where}: " if where else ""
        return (
            f"Not finite at step {self.step} (epoch {self.epoch}, batch {self.batch}), {where}{self.reason}"
        )


def find_failure(source: KerasSource, kept: KeptStep, step: int, epoch: int, batch: int) -> Failure:
    """Return where the first number that is not finite came from.

    Parameters
    ----------
    source : KerasSource
        The model, as it is behind the step.
    kept : KeptStep
        What is kept of the step.
    step, epoch, batch : int
        Which step it was.
    """
    if kept.data is None:
        return Failure(step, epoch, batch, None, f"its batch could not be kept; {_behind(source.model)}")
    inputs = None
    try:
        inputs = kept.inputs()
        given = source.read_inputs(inputs)
        source.build(given)
        earlier = _earlier(source, given, kept)
        unfinite = sum(_unfinite(array) for array in given.arrays)
        if unfinite:
            reason = f"the batch itself holds {unfinite:,} NaN or infinite"
            sample = _first_sample(given.arrays, given.size)
            shown = earlier.forward(given).values
            return Failure(step, epoch, batch, None, reason, inputs, kept.data, shown, earlier, sample=sample)
        found = _found_in(earlier, given)
    except Exception as error:  # noqa: BLE001 it is told; the training does not end of it
        reason = f"its batch could not be read: {error}"
        return Failure(step, epoch, batch, None, reason, inputs, kept.data)
    if found.layer is None:
        found = _in_training(found, given, kept)
    reason = found.words + _before(kept)
    data, values = kept.data, found.values
    sample = None if found.layer is None else _first_sample([values[found.layer]], given.size)
    where = step, epoch, batch, found.layer, reason
    return Failure(*where, inputs, data, values, found.source, found.source.training, sample)


class _Found(NamedTuple):
    """What one pass showed, and of which model in which mode."""

    source: KerasSource
    values: Mapping[str, np.ndarray]
    layer: str | None
    words: str


def _earlier(source: KerasSource, given: Inputs, kept: KeptStep) -> KerasSource:
    """Return the model with the weights that were held, or as it is if none were."""
    values = kept.values()
    return source.with_weights(given, lambda: values) if values else source


def _found_in(source: KerasSource, given: Inputs) -> _Found:
    """Return the first layer that is not finite in one pass; None if all are."""
    values = source.forward(given).values
    layer = _first_unfinite(values)
    return _Found(source, values, layer, "" if layer is None else _counts(layer, values))


def _in_training(outside: _Found, given: Inputs, kept: KeptStep) -> _Found:
    """Return what the same batch shows in training mode, where it is finite outside of it."""
    model = outside.source.model
    all_finite = "outside of training mode all activations of its batch are finite"
    try:
        found = _found_in(_earlier(KerasSource(model, training=True), given, kept), given)
    except Exception as error:  # noqa: BLE001 it is told; the training does not end of it
        return outside._replace(words=f"{all_finite}, in training mode it could not be read: {error}")
    if found.layer is not None:
        return found._replace(words=f"in training mode only, {found.words}")
    all_finite = "all activations of its batch are finite, in training mode too"
    return outside._replace(
        words=f"{all_finite}, so it is the loss itself, or its gradients; {_behind(model)}"
    )


def _before(kept: KeptStep) -> str:
    """Return in words what is to be known of the weights that the batch was read with."""
    when = f" (with the weights of {kept.age} steps before)" if kept.age > 1 else ""
    names = kept.unfinite()
    if not names:
        return when
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (
        f"{when}; before the step the weights {', '.join(names[:3])}{more} were not finite already: the "
        "gradients of an earlier step made them so"
    )


def _first_unfinite(values: Mapping[str, np.ndarray]) -> str | None:
    """Return the address of the first array that is not finite; None if all are."""
    return next((address for address, array in values.items() if _unfinite(array)), None)


def _first_sample(arrays: Sequence[np.ndarray], size: int) -> int | None:
    """Return the first sample that is not finite in an array with a batch axis; None if there is none."""
    batched = [array for array in arrays if array.ndim and len(array) == size]
    return next((i for i in range(size) if any(_unfinite(array[i]) for array in batched)), None)


def _unfinite(values: np.ndarray) -> int:
    """Return how many numbers are NaN or infinite."""
    return int((~np.isfinite(values)).sum()) if values.dtype.kind in "fc" else 0


def _counts(layer: str, values: Mapping[str, np.ndarray]) -> str:
    """Return in words how many numbers of a layer are not finite."""
    found = values[layer]
    nan = int(np.isnan(found).sum())
    infinite = _unfinite(found) - nan
    counts = [f"{n:,} {what}" for n, what in ((nan, "NaN"), (infinite, "infinite")) if n]
    finite = (v for v in values.values() if v.dtype.kind == "f" and v.size and not _unfinite(v))
    largest = max((float(np.abs(v).max()) for v in finite), default=0.0)
    return (
        f"{' and '.join(counts)} of {found.size:,} numbers; the largest activation of the layers that are "
        f"finite is {largest:.3g}"
    )


def _behind(model: Any) -> str:
    """Return in words which weights are not finite behind the step."""
    names = unfinite_weights(model)
    if not names:
        return "all weights are finite behind the step"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"behind the step the weights {', '.join(names[:3])}{more} are not finite"
