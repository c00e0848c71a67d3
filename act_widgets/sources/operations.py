"""Give addresses to what a model's own code computes without a layer, such as ``x + y``.

TensorFlow's operations are heard one by one. What one function of the libraries made, called by the author's
code, is one entry: its tensors are those that something outside of it takes.
"""

from __future__ import annotations

import itertools
import operator
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import keras
import tensorflow as tf

from .authored import Called
from .channel_axes import axis_of_result
from .op_kinds import PASS_ON, SHAPE_ONLY, holds_numbers

Place = tuple[int, int]
"""Which operation of a pass, as counted by the one who hears them, and which of its outputs."""

# They hold the numbers that they were given.
_SAME_NUMBERS = PASS_ON | {"Cast", "EnsureShape", "TensorListGetItem"}


@dataclass(eq=False)
class Result:
    """A tensor that an entry may be listed with.

    It is held once something takes it: until then it lives as long as the model's own code keeps it.

    Attributes
    ----------
    entry : Entry
        What made it.
    tensor : callable
        Returns it, or None if it is gone.
    axis : int
        Its channel axis.
    place : tuple of int
        Where it was made.
    is_taken : bool
        Whether a layer takes it, or the model returns it.
    is_returned : bool
        Whether the call around it returns it.
    readers : list of Entry
        What else takes it.
    """

    entry: Entry
    tensor: Callable[[], Any]
    axis: int
    place: Place
    is_taken: bool = False
    is_returned: bool = False
    readers: list[Entry] = field(default_factory=list)
    held: Any = None

    @property
    def is_read(self) -> bool:
        """Whether what the model goes on with depends on it."""
        return self.is_taken or any(reader.is_live for reader in self.readers)


@dataclass(eq=False)
class Entry:
    """What one function of the libraries made, called by the author's code.

    Attributes
    ----------
    name : str
        What was called.
    frame : frame or None
        The function's, while it may still run.
    start, end : int
        Between which places in the graph its operations lie.
    at : int
        When its last operation was made.
    results : list of Result
        Its tensors.
    is_live : bool
        Whether what the model goes on with depends on them.
    """

    name: str
    frame: FrameType | None
    start: int
    end: int = 0
    at: int = 0
    results: list[Result] = field(default_factory=list)
    is_live: bool = False

    @property
    def kind(self) -> str:
        """What was called, written as a class."""
        return "".join(word.title() for word in self.name.split("_"))

    def listed(self) -> list[tuple[str, Result]]:
        """Return the tensors to list, each behind its name."""
        taken = [result for result in self.results if result.is_read or result.is_returned]
        is_one = len({result.place[0] for result in taken}) == 1
        numbers = [result.place[1] if is_one else index for index, result in enumerate(taken)]
        named = zip((str(number) if number else "" for number in numbers), taken, strict=True)
        return [(name, result) for name, result in named if not result.is_returned]


@dataclass(eq=False)
class _Seen:
    """A tensor that depends on the model's inputs."""

    tensor: Callable[[], Any]
    axis: int
    result: Result | None = None


class Operations:
    """Follows the tensors of one call that depend on the model's inputs.

    Parameters
    ----------
    graph : tf.Graph or None
        The graph being traced; None in an eager call.
    replace : callable, optional
        Given a place and the tensor made there, returns what the model goes on with.
    """

    def __init__(self, graph: Any, replace: Callable[[Place, Any], Any] | None = None) -> None:
        self._graph = graph
        self._replace = replace
        self._seen: dict[int, _Seen] = {}
        self._heard = 0
        self._ticks = 0

    def know(self, tensor: Any, axis: int = -1) -> None:
        """Take note of an input or a layer's output, which others hold as long as the call lasts."""
        self._seen[id(tensor)] = _Seen(lambda: tensor, axis)

    def axis(self, tensor: Any) -> int | None:
        """Return a tensor's channel axis; None if it is not known."""
        seen = self._find(tensor)
        return None if seen is None else seen.axis

    def is_result(self, tensor: Any) -> bool:
        """Whether an entry may be listed with this tensor."""
        seen = self._find(tensor)
        return seen is not None and seen.result is not None and not seen.result.is_returned

    def read(self, nest: Any) -> None:
        """Take note that something is called with these tensors."""
        for result in self._results(nest):
            result.is_taken, result.held = True, result.tensor()

    def tick(self) -> int:
        """Return a number that is larger each time, to put in order what is listed late."""
        self._ticks += 1
        return self._ticks

    def hear(
        self,
        kind: str,
        given: Sequence[Any],
        outputs: Any,
        called: Callable[[], Called | None],
        entries: list[Entry],
    ) -> Any:
        """Take note of an operation, and return its outputs as the model is to go on with them."""
        self._heard += 1
        tensors = [leaf for leaf in flat(given) if isinstance(leaf, tf.Tensor)]
        known = [seen for seen in map(self._find, tensors) if seen is not None]
        made = [tensor for tensor in flat([outputs]) if isinstance(tensor, tf.Tensor)]
        if not known or kind in SHAPE_ONLY or not all(map(self.is_ours, made)):
            return outputs
        by = called()
        entry = entries[-1] if entries else None
        if by is None or entry is None or entry.frame is not by.frame:
            if by is None or kind in _SAME_NUMBERS:
                self._pass_on(tensors if kind in _SAME_NUMBERS else [], made)
                return outputs
            entry = self.begin(by.name, entries, self.position() - 1, by.frame)
        for seen in known:
            if seen.result is not None and seen.result.entry is not entry:
                seen.result.readers.append(entry)
                seen.result.held = seen.result.tensor()
        self._end(entry)
        return self._taken(entry, known, made, outputs)

    def begin(self, name: str, entries: list[Entry], start: int, frame: FrameType | None = None) -> Entry:
        """Return a new entry of the call under way."""
        if entries:
            entries[-1].frame = None
        entry = Entry(name, frame, start)
        entries.append(entry)
        return entry

    def whole(self, entry: Entry, outputs: Any) -> Any:
        """List what a loop, a branch or a compiled function returns, and return it for the model to go on.

        How often its operations run, and which, is another matter in an eager call than in a graph. So each
        of its floating-point tensors is listed, and no other one.
        """
        self._heard += 1
        leaves = keras.tree.flatten(outputs)
        for index, leaf in enumerate(leaves):
            if not isinstance(leaf, tf.Tensor) or not self.is_ours(leaf):
                continue
            if not (leaf.dtype.is_floating or leaf.dtype.is_complex):
                self._seen[id(leaf)] = _Seen(weakref.ref(leaf), -1)
                continue
            leaves[index] = self._result(entry, (self._heard, index), own_identity(leaf), -1)
        self._end(entry)
        return keras.tree.pack_sequence_as(outputs, leaves)

    def settle(
        self, entries: Sequence[Entry], outputs: Any, is_outermost: bool
    ) -> list[tuple[Entry, str, Result, Any]]:
        """Return what to list of a call's entries, which has returned `outputs`, and the tensors.

        What a layer returns is listed as its output; the model's own is no entry.
        """
        for result in self._results(outputs):
            if result.entry in entries:
                result.is_returned, result.is_taken = not is_outermost, True
        for entry in reversed(entries):
            entry.is_live = any(result.is_read for result in entry.results)
        listed = [(e, name, result, result.tensor()) for e in entries for name, result in e.listed()]
        for entry in entries:
            entry.frame = None
            for result in entry.results:
                result.held = None
        return listed

    def position(self) -> int:
        """Return how many operations the graph has."""
        return 0 if self._graph is None else self._graph.num_operations()

    def is_ours(self, tensor: Any) -> bool:
        """Whether a tensor lies outside of loops, branches and functions."""
        return hasattr(tensor, "numpy") or tensor.graph is self._graph

    def _end(self, entry: Entry) -> None:
        entry.end, entry.at = self.position(), self.tick()

    def _taken(self, entry: Entry, known: Sequence[_Seen], made: Sequence[Any], outputs: Any) -> Any:
        """Take an operation's outputs in, and return them."""
        changed = list(made)
        for index, tensor in enumerate(made):
            if not holds_numbers(tensor):
                self._seen[id(tensor)] = _Seen(weakref.ref(tensor), -1)
                continue
            axis = axis_of_result(entry.name, tensor, ((seen.axis, seen.tensor()) for seen in known))
            changed[index] = self._result(entry, (self._heard, index), tensor, axis)
        if all(map(operator.is_, changed, made)):
            return outputs
        return changed if isinstance(outputs, list) else changed[0]

    def _result(self, entry: Entry, place: Place, tensor: Any, axis: int) -> Any:
        """Take a tensor in as one of an entry's, and return the one that the model goes on with."""
        if self._replace is not None:
            tensor = self._replace(place, tensor)
        result = Result(entry, weakref.ref(tensor), axis, place)
        entry.results.append(result)
        self._seen[id(tensor)] = _Seen(result.tensor, axis, result)
        return tensor

    def _pass_on(self, given: Sequence[Any], made: Sequence[Any]) -> None:
        for tensor, before in itertools.zip_longest(made, given[: len(made)]):
            seen = self._find(before) or _Seen(weakref.ref(tensor), -1)
            if seen.result is not None:
                seen.result.held = seen.result.tensor()
            self._seen[id(tensor)] = _Seen(weakref.ref(tensor), seen.axis, seen.result)

    def _find(self, tensor: Any) -> _Seen | None:
        seen = self._seen.get(id(tensor))
        return seen if seen is not None and seen.tensor() is tensor else None

    def _results(self, nest: Any) -> Iterator[Result]:
        for leaf in keras.tree.flatten(nest):
            seen = self._find(leaf)
            if seen is not None and seen.result is not None:
                yield seen.result


def flat(given: Iterable[Any]) -> list[Any]:
    """Return what an operation is given, with the parts of its lists."""
    return [part for leaf in given for part in (leaf if isinstance(leaf, list | tuple) else (leaf,))]


def own_identity(tensor: Any) -> Any:
    """Return a tensor of its own: layers that change nothing would share their input's."""
    copy = tf.identity(tensor)
    for mark in ("_keras_mask", "_keras_logits"):
        if hasattr(tensor, mark):
            setattr(copy, mark, getattr(tensor, mark))
    return copy
