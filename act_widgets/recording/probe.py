"""What a probe batch shows of a model at this moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import time
from typing import Any

import numpy as np

from ..keys import Score, resolve
from ..reading.batches import by_unit, spread_weights, units_last
from ..reading.blocks import Outputs
from ..sources.keras_model import KerasSource
from ..sources.loss_slope import LossSlope, Slope, output_addresses
from ..sources.owners import owners, weight_norm
from ..sources.protocol import MAIN, BackwardPass, Reading, unnamed_inputs
from .record import About, Record, score_of_first
from .summary import summarise


class Probe:
    """Reads chosen layers of a model for a fixed batch; the model is left as it is.

    Parameters
    ----------
    model : keras.Model
        The model.
    given : ndarray, tensor, or list, tuple or dict of them
        The batch.
    layers : sequence of str or None
        Addresses; all if None.
    targets : array_like, list, tuple or dict of them, or None
        What the model should answer, for each output that its loss is of: gradients are then those of its
        loss, else those of the class that each sample is given first.
    with_gradients, with_activations : bool
        What a record holds beside the summaries.
    labels : sequence of str
        Class names.

    Attributes
    ----------
    model : keras.Model
        The model.
    about : About
        What holds for all records.
    """

    def __init__(
        self,
        model: Any,
        given: Any,
        layers: Sequence[str] | None,
        targets: Any,
        with_gradients: bool,
        with_activations: bool,
        labels: Sequence[str] = (),
    ) -> None:
        self.model = model
        self._source = KerasSource(model)
        self._inputs = self._source.read_inputs(given)
        self._source.build(self._inputs)
        self._with_gradients, self._with_activations = with_gradients, with_activations
        first = self._source.forward(self._inputs)
        known = tuple(first.taps)
        chosen = known if layers is None else {resolve(name, known) for name in layers}
        self._taps = {a: tap for a, tap in first.taps.items() if a in chosen}
        called = owners(model, self._inputs)
        self._layers = {a: called.layers.get(tap.call) for a, tap in self._taps.items()}
        self._masks = called.masks
        self._targets = targets
        # Traces the model: from here on a record is one compiled pass, and one backward for each output.
        scores = [""] if targets is None else output_addresses(first.outputs)
        self._before = {a: self._source.activation(self._inputs, first.values, Score(a)) for a in scores}
        self._slope = None if targets is None else self._slope_of(first.outputs)
        names = unnamed_inputs(self._source.input_names, len(self._inputs.arrays))
        self.about = About(
            model=self._source.name,
            taps=self._taps,
            inputs=dict(zip(names, self._inputs.arrays, strict=True)),
            explained=self._explained() if with_gradients else "",
            labels=tuple(labels),
        )

    def follow_loss(self, step: int) -> None:
        """Take gradients of the loss that the model is compiled with now, after so many steps."""
        if self._slope is None or self._slope.is_of(self.model):
            return
        before = self._slope.words
        self._slope = self._slope_of(self._source.forward(self._inputs, []).outputs)
        if self._slope.words != before and self.about.explained:
            explained = f"{self.about.explained}, and from step {step} on {self._slope.words}"
            self.about = replace(self.about, explained=explained)

    def read(self, step: int, epoch: int, seconds: float, logs: dict[str, float]) -> Record:
        """Return a record of the model as it is now."""
        reading = self._source.forward(self._inputs, list(self._taps))
        gradients = self._gradients(reading) if self._with_gradients else {}
        return Record(
            step=step,
            epoch=epoch,
            seconds=seconds,
            logs=logs,
            output=units_last(reading.main_output, _class_axis(reading)),
            activations=reading.values if self._with_activations else {},
            gradients=gradients if self._with_activations else {},
            summaries={
                a: summarise(tap, reading.values[a], gradients.get(a), weight_norm(self._layers[a]))
                for a, tap in self._taps.items()
            },
            time=time(),
        )

    def _slope_of(self, outputs: Any) -> LossSlope:
        return LossSlope(self.model, self._targets, outputs, self._before, self._masks)

    def _explained(self) -> str:
        if self._slope is not None:
            return f"{self._slope.words} of the probe batch"
        return score_of_first(self._before[""])

    def _gradients(self, reading: Reading) -> dict[str, np.ndarray]:
        """Return gradients at the layers: of several outputs, the sum of those by way of each."""
        wanted = [address for address, tap in self._taps.items() if tap.is_float]
        slopes = [_first_class(reading)]
        if self._slope is not None:
            slopes = self._slope.of(reading.outputs)
        total: dict[str, np.ndarray] = {}
        for slope in slopes:
            asked = BackwardPass(slope.values, wanted, slope.score)
            made = self._source.gradients(self._inputs, reading.values, asked).values
            total |= {a: total[a] + gradient if a in total else gradient for a, gradient in made.items()}
        return total


def _class_axis(reading: Reading) -> int:
    return Outputs.of(reading).class_axis()


def _first_class(reading: Reading) -> Slope:
    axis = _class_axis(reading)
    scores = by_unit(reading.main_output, axis)
    weights = np.zeros(scores.shape, np.float32)
    weights[np.arange(len(scores)), scores.argmax(-1)] = 1
    return Slope(MAIN, spread_weights(weights, reading.main_output.shape[1:], axis))
