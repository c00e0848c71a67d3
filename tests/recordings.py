"""Recordings of small trainings in memory, with the weights of every step beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import keras
import numpy as np

from act_widgets.recording.record import About, Record, Summary
from act_widgets.sources import open_source

LAYERS = keras.layers


class InMemory:
    """A recording that counts what is read of it."""

    def __init__(self, about: About, records: Sequence[Record]) -> None:
        self.about = about
        self.records = {record.step: record for record in records}
        self.read_steps: Counter[int] = Counter()
        self.read_layers: Counter[tuple[int, str]] = Counter()
        self.on_read: Callable[[int], None] = lambda step: None

    @property
    def steps(self) -> list[int]:
        return sorted(self.records)

    def read(self, step: int) -> Record:
        self.on_read(step)
        self.read_steps[step] += 1
        record = self.records[step]
        return replace(record, activations=Counting(record.activations, step, self.read_layers))


class Counting(dict):
    """Arrays that are counted when they are looked up."""

    def __init__(self, arrays: Any, step: int, counts: Counter) -> None:
        super().__init__(arrays)
        self._step, self._counts = step, counts

    def __getitem__(self, address: str) -> np.ndarray:
        self._counts[self._step, address] += 1
        return super().__getitem__(address)


def summary_of(values: np.ndarray) -> Summary:
    finite = values[np.isfinite(values)].astype(float)
    known = finite.size > 0
    rows = values.reshape(-1, values.shape[-1])
    return Summary(
        float(finite.mean()) if known else np.nan,
        float(finite.std()) if known else np.nan,
        float(finite.min()) if known else np.nan,
        float(finite.max()) if known else np.nan,
        float((values == 0).mean()),
        float((~(rows != 0).any(0)).mean()),
        int(np.isnan(values).sum()),
        int(np.isinf(values).sum()),
    )


def record_of(model: Any, probe: np.ndarray, step: int, epoch: int, logs: dict[str, float]) -> Record:
    """Return what a recorder would write of a model as it is now."""
    source = open_source(model)
    reading = source.forward(source.read_inputs(probe))
    return Record(
        step,
        epoch,
        float(step),
        logs,
        reading.main_output,
        activations=reading.values,
        summaries={address: summary_of(values) for address, values in reading.values.items()},
    )


def about_of(model: Any, probe: np.ndarray, labels: Sequence[str] = ()) -> About:
    source = open_source(model)
    inputs = source.read_inputs(probe)
    taps = source.forward(inputs).taps
    return About(model.name, taps, dict(zip(source.input_names, inputs.arrays, strict=True)), labels=labels)


class Training:
    """A model, trained step by step, and what it was at each of them."""

    def __init__(self, model: Any, probe: np.ndarray, labels: Sequence[str] = ()) -> None:
        self.model, self.probe = model, probe
        self.weights: dict[int, list[np.ndarray]] = {}
        self.records: list[Record] = []
        self._labels = labels

    def note(self, step: int, epoch: int, **logs: float) -> None:
        """Record the model as it is now."""
        self.weights[step] = [np.array(value) for value in self.model.get_weights()]
        self.records.append(record_of(self.model, self.probe, step, epoch, logs))

    def recording(self) -> InMemory:
        return InMemory(about_of(self.model, self.probe, self._labels), self.records)

    def at(self, step: int) -> Any:
        """Return a model with the weights of a step."""
        model = keras.models.clone_model(self.model)
        model.set_weights(self.weights[step])
        return model


@cache
def stripes() -> Training:
    """Return a network that learns to tell stripes; one channel of ``conv`` dies on the way.

    Steps 0, 10, ... 50. Channel 2 of ``conv`` is pushed below zero at step 30; channel 5 is dead from the
    start; channel 3 dies at 20 and comes back at 40.
    """
    keras.utils.set_random_seed(11)
    x = 0.4 * np.random.default_rng(0).random((64, 12, 12, 1)).astype("float32")
    y = np.arange(64) % 3
    for image, label in zip(x, y, strict=True):
        image[:: label + 2] += 0.6
    given = keras.Input((12, 12, 1), name="image")
    z = LAYERS.Conv2D(8, 3, activation="relu", name="conv")(given)
    z = LAYERS.Conv2D(6, 3, activation="relu", name="second")(z)
    z = LAYERS.GlobalAveragePooling2D(name="pool")(z)
    model = keras.Model(given, LAYERS.Dense(3, activation="softmax", name="out")(z), name="stripes")
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    made = Training(model, x[:4], labels=("two", "three", "four"))
    bias = model.get_layer("conv").bias
    loss = float(np.asarray(model.evaluate(x, y, verbose=0)))

    def push(channel: int, by: float) -> None:
        value = np.array(bias)
        value[channel] = by
        bias.assign(value)

    for step in range(0, 60, 10):
        push(5, -100.0)
        if step in (0, 30):
            push(2, -100.0 if step else 1.0)
        if step in (20, 40):
            push(3, -100.0 if step == 20 else 1.0)
        made.note(step, step // 20, loss=loss)
        loss = float(model.fit(x, y, batch_size=32, epochs=5, verbose=0).history["loss"][-1])
    return made


def without(recording: InMemory, *steps: int, layers: Sequence[str] | None = None) -> InMemory:
    """Return a recording of which some steps hold no activations of some layers, or of any."""
    records = [
        replace(
            record,
            activations={
                a: v
                for a, v in record.activations.items()
                if record.step not in steps or (layers is not None and a not in layers)
            },
        )
        for record in recording.records.values()
    ]
    return InMemory(recording.about, records)


def spoiled(recording: InMemory, step: int, layer: str) -> InMemory:
    """Return a recording in which a layer holds a NaN at a step, and the loss is NaN from there on."""
    lost = {"loss": float("nan")}
    records = {
        other: replace(record, logs=lost if other >= step else record.logs)
        for other, record in recording.records.items()
    }
    values = records[step].activations[layer].copy()
    values[0, ..., 0] = np.nan
    records[step] = replace(
        records[step],
        activations={**records[step].activations, layer: values},
        summaries={**records[step].summaries, layer: summary_of(values)},
    )
    return InMemory(recording.about, list(records.values()))
