"""How many training steps Keras makes between one pair of calls of its callbacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras


class Execution:
    """One call of a model's training function, which makes as many steps as `steps_per_execution` says.

    At the end of an epoch Keras counts those that the data had no batch for, too. How many an epoch has it
    tells callbacks where it knows it; else the optimizer counts its updates.

    Parameters
    ----------
    model : layer
        What is trained.
    params : mapping or None
        What Keras told the callbacks of the training.
    first : int
        Number in its epoch of the first step, from 0.

    Attributes
    ----------
    first : int
        As given.
    """

    def __init__(self, model: Any, params: Mapping[str, Any] | None, first: int) -> None:
        self.first = first
        self._model = model
        self._steps = (params or {}).get("steps")
        is_counted = self._steps is None and getattr(model, "steps_per_execution", 1) != 1
        self._before = _updates(model) if is_counted else None

    def made(self, last: int) -> int:
        """Return how many steps were made, if Keras calls the last of them by this number."""
        most = last - self.first + 1
        if most <= 1:
            return most
        if self._steps is not None:
            return min(most, max(1, self._steps - self.first))
        if self._before is None:
            return most
        # An optimizer that accumulates gradients, or that the step does not use, tells nothing.
        made = (_updates(self._model) or 0) - self._before
        return made if 0 < made < most else most


def _updates(model: Any) -> int | None:
    """Return how many updates the optimizer counted; None if it counts none."""
    counted = getattr(getattr(model, "optimizer", None), "_iterations", None)
    return None if counted is None else int(keras.ops.convert_to_numpy(counted))
