"""Frozen values that every part of the package shares: what can be looked at, and what is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from typing import Any

from .errors import TargetError, UnknownLayerError, listed, nearest


@dataclass(frozen=True)
class Tap:
    """One tensor of the model that can be looked at.

    Attributes
    ----------
    address : str
        Names joined by ``/`` from the outermost model, ``#2`` for a second call,
        ``:1`` or ``:name`` for a further output.
    kind : str
        Class name of the layer or operation that made the tensor, such as ``Conv2D``.
    shape : tuple of (int or None)
        Shape with the batch axis first; None where the size is not fixed.
    dtype : str
        The dtype inside the model, such as ``float32``.
    channel_axis : int
        Which axis holds the channels: -1, or 1 in a ``channels_first`` layer; any other that the user chose.
    call : str
        Address of the call that made the tensor, without the output's name.
    """

    address: str
    kind: str
    shape: tuple[int | None, ...]
    dtype: str
    channel_axis: int = -1
    call: str = ""

    @property
    def channels(self) -> int:
        """Number of channels; a tensor with only a batch axis has one."""
        if len(self.shape) < 2:
            return 1
        return self.shape[self.channel_axis] or 0

    @property
    def spatial(self) -> tuple[int | None, ...]:
        """Sizes of the axes that are neither batch nor channels."""
        axis = self.channel_axis % max(len(self.shape), 1)
        return tuple(n for i, n in enumerate(self.shape) if i not in (0, axis))

    @property
    def is_float(self) -> bool:
        """Whether the tensor holds real numbers, so that it can have a gradient."""
        return "float" in self.dtype

    @property
    def size_text(self) -> str:
        """The shape without the batch axis, as ``8 × 8 × 16``."""
        return " × ".join("?" if n is None else str(n) for n in self.shape[1:]) or "scalar"


@dataclass(frozen=True)
class Score:
    """Which tensor of the model holds the scores.

    Attributes
    ----------
    address : str
        A tap's, ``~output:name`` for one of several outputs, or empty for the main output.
    logits : bool
        Whether the scores before a softmax or sigmoid are meant, where the tensor is made by one.
    """

    address: str = ""
    logits: bool = True


@dataclass(frozen=True)
class Target:
    """What an attribution explains: one unit of an output, or of any layer.

    It is always the unit itself: where there is one, such as in a map of depths, 0 is its value. "For" (1)
    and "against" (0) are the plain integers that choose a class of a main output with one unit.

    Parameters
    ----------
    unit : int
        The class, or the channel of the layer.
    layer : str, optional
        Address of the layer whose unit it is; the model's main output if left out.
    output : int or str, optional
        Which of several outputs, by its index, or by its key where the model returns a dictionary.
    at : tuple of int, optional
        One position of an output or layer that has positions, such as ``(row, column)``. They are
        averaged if it is left out.
    """

    unit: int
    layer: str | None = None
    output: int | str | None = None
    at: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Head:
    """What the model's main output offers to explain.

    Attributes
    ----------
    units : int
        Size of the output's class axis.
    probabilities : bool
        Whether its numbers are probabilities.
    """

    units: int
    probabilities: bool = False

    @property
    def classes(self) -> int:
        """Number of classes: a head with one unit offers "against" and "for"."""
        return 2 if self.units == 1 else self.units

    def unit_and_sign(self, target: int) -> tuple[int, float]:
        """Return the output unit and the sign of the score that explain class `target`.

        Of a head with one unit, class 1 is its value, and class 0 speaks against it.
        """
        return (0, 1.0 if target else -1.0) if self.units == 1 else (target, 1.0)

    def check(self, target: int) -> int:
        """Return `target`, or raise a `TargetError` when there is no such class."""
        number = whole_number(target)
        if number is None:
            raise TargetError(
                f"A class is given by its number. Received: target={target!r}. "
                f"Expected: an integer from 0 to {self.classes - 1}."
            )
        if not 0 <= number < self.classes:
            units = f"{self.units} units" if self.units > 1 else "one unit, explained against (0) and for (1)"
            raise TargetError(
                f"No class {number}: the model's output has {units}. Received: target={number}. "
                f"Expected: 0 to {self.classes - 1}."
            )
        return number


def whole_number(value: Any) -> int | None:
    """Return an integer of any library as Python's; None for anything else, True and False too."""
    try:
        return None if isinstance(value, bool) else index(value)
    except TypeError:
        return None


def short_name(address: str, known: Sequence[str]) -> str:
    """Return the shortest end of an address that `resolve` takes for it: its name, where that is unique."""
    parts = address.split("/")
    others = [f"/{other}" for other in known if other != address]
    ends = ("/".join(parts[-count:]) for count in range(1, len(parts)))
    return next((end for end in ends if not any(other.endswith("/" + end) for other in others)), address)


def resolve(name: str, known: Sequence[str], beside: Sequence[str] = ()) -> str:
    """Return the one address in `known` that `name` stands for.

    Parameters
    ----------
    name : str
        A whole address, or the end of one that is unique in the model.
    known : sequence of str
        Every address of the model, in call order.
    beside : sequence of str
        What else may be meant and is told among the nearest, such as inputs that are no layers.

    Raises
    ------
    UnknownLayerError
        If no address or more than one fits; the message lists the nearest.
    """
    if not isinstance(name, str):
        raise UnknownLayerError(
            f"A layer is given by its address, a string. Received: {name!r} of type "
            f"{type(name).__name__}. Expected: one of {listed(known[:5])}, ..."
        )
    if name in known:
        return name
    fits = [a for a in known if a.endswith("/" + name)]
    if not fits:  # a layer that returns a dictionary stands for its first output
        calls = {a.rpartition(":")[0]: a for a in reversed(known) if ":" in a}
        fits = [a for call, a in calls.items() if call == name or call.endswith("/" + name)][::-1]
    if len(fits) == 1:
        return fits[0]
    if fits:
        more = f" and {len(fits) - 8} more" if len(fits) > 8 else ""
        raise UnknownLayerError(
            f"'{name}' names {len(fits)} layers: {listed(fits[:8])}{more}. "
            "Give the whole address of the one you mean."
        )
    raise UnknownLayerError(
        f"The model has no layer '{name}'. Nearest: {listed(nearest(name, (*known, *beside)))}. "
        f"All {len(known)} addresses are in Session.layers."
    )
