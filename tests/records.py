"""Records made by hand, with every name and number that is hard to keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from act_widgets.keys import Tap
from act_widgets.recording.record import About, Record, Summary

HOSTILE = (
    "conv",
    "Conv",
    "block/conv",
    "block.conv",
    "conv#2",
    "lstm:1",
    "../../etc/passwd",
    "é 😀\n\"'\\",
    "half \ud800 surrogate",
    "x" * 300,
    "con",
    ".zgroup",
    "",
)


def about(addresses: tuple[str, ...] = HOSTILE) -> About:
    """Return what holds for the records of `record`."""
    inputs = {
        "image": np.arange(32, dtype="float32").reshape(2, 4, 4, 1),
        "words": np.array([["a"], ["été"]], object),
    }
    taps = {address: Tap(address, "Conv2D", (None, 4, 4, 2), "float32") for address in addresses}
    return About("a model", taps, inputs, "the score of a class", ("cat", "dög"))


def record(step: int, addresses: tuple[str, ...] = HOSTILE) -> Record:
    """Return the record of a step: numbers that tell the steps apart, NaN, infinity, and things left out."""
    random = np.random.default_rng(step)
    activations = {a: random.normal(size=(2, 4, 4, 2)).astype("float32") for a in addresses}
    activations[addresses[0]][0, 0, 0] = np.nan, np.inf
    gradients = {a: array.astype("float16") / 8 for a, array in list(activations.items())[1::2]}
    logs = {"loss": 1 / (step + 1), "val/Loss é": float("nan")} if step % 3 else {"loss": float(step)}
    return Record(
        step=step,
        epoch=step // 4,
        seconds=step / 8,
        time=1.7e9 + step / 4,
        logs=logs,
        output=random.normal(size=(2, 3)).astype("float32"),
        activations=activations,
        gradients=gradients if step else {},
        summaries={
            a: _summary(a, activations[a], gradients.get(a)) for a in addresses[: -1 if step else None]
        },
    )


def _summary(address: str, values: np.ndarray, gradient: np.ndarray | None) -> Summary:
    finite = values[np.isfinite(values)].astype(float)
    return Summary(
        mean=float(finite.mean()),
        deviation=float(finite.std()),
        smallest=-1.0,
        largest=float(finite.max()),
        zeros=0.25,
        dead=0.5,
        nan=int(np.isnan(values).sum()),
        infinite=int(np.isinf(values).sum()),
        gradient_norm=None if gradient is None else float("nan") if "#" in address else 3.0,
        weight_norm=None if "/" in address else 1.5,
    )


def assert_same(read: Record, wrote: Record) -> None:
    """Compare two records value by value, dtypes too."""
    assert (read.step, read.epoch, read.seconds) == (wrote.step, wrote.epoch, wrote.seconds)
    assert read.time == pytest.approx(wrote.time, abs=1e-6)
    np.testing.assert_equal(dict(read.logs), dict(wrote.logs))
    _assert_same_arrays({"output": read.output}, {"output": wrote.output})
    _assert_same_arrays(read.activations, wrote.activations)
    _assert_same_arrays(read.gradients, wrote.gradients)
    np.testing.assert_equal(dict(read.summaries), dict(wrote.summaries))


def _assert_same_arrays(read: Mapping[str, np.ndarray], wrote: Mapping[str, np.ndarray]) -> None:
    assert list(read) == list(wrote)
    for name, array in wrote.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def write(writer: Any, steps: int, addresses: tuple[str, ...] = HOSTILE) -> None:
    """Write so many records, and leave the writer open."""
    writer.open(about(addresses))
    for step in range(steps):
        writer.write(record(step, addresses))
