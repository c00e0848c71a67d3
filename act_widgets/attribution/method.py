"""What an attribution method is: its algebra, its parameters, and how its values become a map."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError, listed, nearest
from ..reading.explained import LOGITS

LAYER = "layer"
INPUT = "input"


class Step(NamedTuple):
    """A picture on the way to the last one.

    Attributes
    ----------
    values : (..., channels) ndarray
        The values as far as they are known.
    share : float
        How much of the work is done, from 0 to 1.
    words : str
        What is done, for the screen.
    facts : dict
        What else the method measured: ``completeness``, ``spread``, ``remark``, and the lowest and highest
        of the ``scores``.
    """

    values: np.ndarray
    share: float = 1.0
    words: str = ""
    facts: Mapping[str, Any] = {}


def widened(scores: tuple[float, float], others: np.ndarray) -> tuple[float, float]:
    """Return the lowest and highest of scores of which two, and others, are known."""
    return min(scores[0], float(others.min())), max(scores[1], float(others.max()))


@dataclass(frozen=True)
class Parameter:
    """A number or switch that a method takes.

    Attributes
    ----------
    name, meaning : str
        As in the call, and in words for the screen.
    default : int, float, bool or None
        Its type is the parameter's. None stands for what the method finds itself.
    low, high : float
        The bounds, both allowed.
    arrays : bool
        Whether an array is taken too.
    if_none : str
        What None stands for, where it is the default.
    """

    name: str
    meaning: str
    default: Any
    low: float = 0
    high: float = 1
    arrays: bool = False
    if_none: str = ""

    def check(self, value: Any) -> Any:
        """Return `value`, or raise an `InputError`."""
        if value is None and self.default is None:
            return None
        if self.arrays and isinstance(value, np.ndarray) and value.ndim and value.dtype.kind in "iuf":
            return value
        number = value.item() if isinstance(value, np.generic | np.ndarray) and value.ndim == 0 else value
        if isinstance(self.default, bool):
            if isinstance(number, bool):
                return number
        elif isinstance(number, int | float) and not isinstance(number, bool):
            whole = not isinstance(self.default, int) or float(number).is_integer()
            if whole and self.low <= number <= self.high:
                return int(number) if isinstance(self.default, int) else float(number)
        raise InputError(
            f"The parameter '{self.name}' is {self.meaning}. Received: {self.name}={value!r:.80}. "
            f"Expected: {self.expected}."
        )

    @property
    def expected(self) -> str:
        """What values it takes, in words."""
        if isinstance(self.default, bool):
            return "True or False"
        kind = "an integer" if isinstance(self.default, int) else "a number"
        bounds = f"{kind} from {self.low:,.10g} to {self.high:,.10g}"
        if self.default is None:
            return f"{bounds}, or None (an empty field) for {self.if_none}"
        return f"{bounds}, or an array" if self.arrays else bounds


@dataclass(frozen=True)
class Method:
    """An attribution method.

    Attributes
    ----------
    name, title : str
        As in the public interface, and as on the screen.
    run : callable
        From a `Question` and the parameters to one or more steps; the last one is the result.
    place : str
        What is explained if no layer is named: ``"layer"``, the last one with spatial axes, or
        ``"input"``.
    reduce : str
        How channels become one map: ``"relu"`` (their sum, what speaks against left out), ``"sum"`` or
        ``"largest"`` (absolute value).
    signed : bool
        Whether maps have values of both signs.
    scores : str
        Which scores are explained if nothing is asked for: ``"logits"`` where there are any,
        ``"probabilities"`` for the output as it is.
    parameters : tuple of Parameter
        What it takes.
    needs_gradient : bool
        Whether what it explains must have a gradient.
    rule : str
        How ReLUs pass its gradient back; their own way if empty.
    passes : str
        What one result costs, for the screen.
    runs : callable, optional
        From a `Question` and the parameters to how many passes it usually takes; None for one backward
        pass that serves all layers.
    """

    name: str
    title: str
    run: Callable[..., Iterator[Step]]
    place: str
    reduce: str
    signed: bool = False
    scores: str = LOGITS
    parameters: tuple[Parameter, ...] = ()
    needs_gradient: bool = True
    rule: str = ""
    passes: str = "one backward pass, kept for all layers"
    runs: Callable[..., int] | None = None

    @property
    def is_quick(self) -> bool:
        """Whether one backward pass is all it takes."""
        return self.runs is None

    def checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return every parameter's value, given some of them.

        Raises
        ------
        InputError
            If there is no such parameter, or it does not take this value.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                takes = listed(nearest(name, known, len(known))) if known else "none"
                raise InputError(f"The method '{self.name}' has no parameter '{name}'. Expected: {takes}.")
        return {name: p.check(given.get(name, p.default)) for name, p in known.items()}

    def is_signed(self, parameters: Mapping[str, Any]) -> bool:
        """Whether maps have values of both signs."""
        return self.signed or bool(parameters.get("signed"))

    def maps(self, values: np.ndarray, parameters: Mapping[str, Any]) -> np.ndarray:
        """Return maps of values, channels last: one number for each position."""
        if self.reduce == "largest":
            return np.abs(values).max(-1)
        total = values.sum(-1)
        return total if self.reduce == "sum" or self.is_signed(parameters) else np.maximum(total, 0)


SIGNED = Parameter("signed", "whether what speaks against the class is kept", False)
