"""Which class each sample is of, for the eye: as the model says, or as somebody knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..attribution import top_classes
from ..errors import InputError
from ..keys import whole_number
from ..rendering import marks
from ..rendering.marks import Entry, Mark
from ..session import Session

PREDICTED, GIVEN = "predicted class", "given class"

Classes = tuple[int | str, ...]


@dataclass(frozen=True)
class Classed:
    """The classes of a batch.

    Attributes
    ----------
    kinds : (batch,) int ndarray
        Each sample's place in `names`.
    names : tuple of str
        By their numbers; the most frequent first where only some can have a mark of their own.
    title : str
        Whose classes they are.
    """

    kinds: np.ndarray
    names: tuple[str, ...]
    title: str

    @property
    def marks(self) -> list[Mark]:
        """The marks of the names; the last one is that of all behind."""
        return [marks.mark(place) for place in range(min(len(self.names), marks.MOST + 1))]

    def legend(self, shown: np.ndarray) -> list[Entry]:
        """Return what marks stand for, among the samples that are shown."""
        counts = np.bincount(self.kinds[shown], minlength=len(self.names)).tolist()
        found = [Entry(marks.mark(i), self.names[i], counts[i]) for i in range(min(len(counts), marks.MOST))]
        behind = len(counts) - len(found)
        if behind:
            words = f"{behind} other class{'es' if behind > 1 else ''}"
            found.append(Entry(marks.OTHERS, words, sum(counts[marks.MOST :])))
        return found


def checked_classes(given: Any, samples: int) -> Classes | None:
    """Return classes as whole numbers and names, one for each sample, or raise an `InputError`."""
    if given is None:
        return None
    array = np.asarray(given)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape != (samples,):
        what = f"shape {array.shape}" if array.ndim else f"{given!r:.80}"
        raise InputError(
            f"There must be one class for each sample. Received: classes of {what}. "
            f"Expected: {samples} numbers or names, such as y, or y.argmax(1) if it is one-hot."
        )
    return tuple(_checked_class(one) for one in array.tolist())


def _checked_class(one: Any) -> int | str:
    if isinstance(one, str):
        return one
    number = whole_number(int(one) if isinstance(one, float) and one.is_integer() else one)
    if number is not None or isinstance(one, bool):
        return int(one)
    raise InputError(
        f"Classes are whole numbers or names. Received: {one!r:.80} in classes. Expected: such as 3 or 'cat'."
    )


def classed(session: Session, given: Classes | None) -> Classed:
    """Return the classes of a session's batch: those given, or else those that the model gives first."""
    found: Sequence[int | str] = given if given is not None else top_classes(session.reader).tolist()
    counts: dict[int | str, int] = {}
    for one in found:
        counts[one] = counts.get(one, 0) + 1
    order = sorted(counts, key=lambda one: (isinstance(one, str), one))
    if len(order) > marks.MOST:
        order.sort(key=lambda one: -counts[one])
    place = {one: i for i, one in enumerate(order)}
    names = tuple(one if isinstance(one, str) else _name(session, one) for one in order)
    kinds = np.array([place[one] for one in found], int)
    return Classed(kinds, names, PREDICTED if given is None else GIVEN)


def _name(session: Session, number: int) -> str:
    return session.class_name(number) if 0 <= number < session.head.classes else f"class {number}"
