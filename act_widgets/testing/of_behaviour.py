"""Checks of how reading behaves: beside other threads, towards the model, on bad inputs."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np

from ..errors import InputError
from ..sources import Source
from ..sources.inputs import Inputs
from .comparing import CLOSE, agree, arrays_in, half_precision, require, same_outputs
from .of_changes import (
    a_rule_for_relus_changes_no_score,
    an_edit_that_changes_nothing_changes_nothing,
    gradients_are_the_same_from_kept_activations,
)


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
        close = half_precision(alone)
        apart = [agree(values[a], v, a, close) for a, v in alone.values.items()]
        largest = max([largest, *apart])
    return largest


def the_model_stays_as_it_was(source: Source, inputs: Inputs) -> float:
    """Neither weights nor outputs change by being looked at, bit for bit."""
    before = source.forward(inputs).outputs
    version = source.weights_version()
    variables = getattr(getattr(source, "model", None), "variables", [])
    weights = [v.numpy() for v in variables]
    for ask in (
        an_edit_that_changes_nothing_changes_nothing,
        gradients_are_the_same_from_kept_activations,
        a_rule_for_relus_changes_no_score,
    ):
        ask(source, inputs)
    require(source.weights_version() == version, "the weights' version went up")
    pairs = zip(weights, [v.numpy() for v in variables], strict=True)
    changed = [index for index, (a, b) in enumerate(pairs) if a.tobytes() != b.tobytes()]
    require(not changed, f"variables changed: {changed}")
    after = source.forward(inputs).outputs
    same = all(map(np.array_equal, *map(arrays_in, (before, after))))
    return 0.0 if same else same_outputs(after, before, CLOSE)


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
