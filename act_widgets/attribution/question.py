"""What the algebra of a method asks of a model: one sample, one score, one tensor to explain."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError, LayerKindError
from ..keys import Score, Tap
from ..reading.batches import inner_axis
from ..reading.explained import Explained
from ..reading.reader import Reader
from ..tokens import Grid
from .places import token_grid

# A batch of variants shall take about so many seconds: a stop is noticed between two.
_SHORT, _LONG = 0.1, 0.45
_MOST = 64
# So long a batch tells what a variant takes; to call the model at all takes a few milliseconds.
_TELLING = 0.02


class Varied(NamedTuple):
    """Some variants of a tensor and what they gave.

    Attributes
    ----------
    items : sequence
        What they were made from.
    values : (n, ..., channels) ndarray
        The variants.
    scores : (n,) ndarray
        Their scores.
    gradients : (n, ..., channels) ndarray
        Their gradients; empty if not asked for.
    """

    items: Sequence[Any]
    values: np.ndarray
    scores: np.ndarray
    gradients: np.ndarray


@dataclass(frozen=True)
class Question:
    """One sample, one score and one tensor. Arrays have no batch axis and channels last.

    Attributes
    ----------
    reader : Reader
        The model and its batch.
    sample : int
        Number of the sample.
    explained : Explained
        The score.
    tap : Tap
        The tensor: a layer's, or an input.
    grid : Grid or None
        How its tokens are folded, if they are.
    """

    reader: Reader
    sample: int
    explained: Explained
    tap: Tap
    grid: Grid | None = None

    @property
    def address(self) -> str:
        """The tensor's address."""
        return self.tap.address

    @property
    def place(self) -> str:
        """The tensor's name in a sentence."""
        return self.reader.place_name(self.address)

    @cached_property
    def _raw(self) -> np.ndarray:
        given = self.reader.input_value(self.address, self.sample)
        return self.reader.sample_activation(self.address, self.sample) if given is None else given

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's own shape, without the batch axis."""
        return self._raw.shape

    @cached_property
    def value(self) -> np.ndarray:
        """The tensor's value, ``(..., channels)`` float32."""
        value = self.channels_last(self._raw)
        if value.size == 0:
            raise LayerKindError(
                f"There is nothing to explain at {self.place}. Received: shape {self._raw.shape}. "
                "Expected: a layer with at least one position and channel."
            )
        return value.astype(np.float32, copy=False)

    @cached_property
    def holds_words(self) -> bool:
        """Whether a number means something as a whole, as a word's does: nothing lies between two."""
        shape = self._raw.shape
        if self._raw.dtype.kind not in "iu":
            return False
        taps = self.reader.taps.values()
        return len(shape) < 2 or any(tap.kind == "Embedding" and tap.spatial == shape for tap in taps)

    def empty(self, fill: float | None) -> np.ndarray:
        """Return what stands where nothing is: `fill`, or the mean of each channel; of words the number 0.

        Raises
        ------
        InputError
            If `fill` is no word's number.
        """
        if self.holds_words and fill is not None and not float(fill).is_integer():
            raise InputError(
                f"At {self.place} are numbers of words, and each is replaced by another as a whole. "
                f"Received: fill={fill!r}. Expected: the number of the word that stands in, such as 0."
            )
        if fill is None:
            fill = 0.0 if self.holds_words else self.value.mean(axis=tuple(range(self.value.ndim - 1)))
        return np.broadcast_to(np.asarray(fill, np.float32), self.value.shape)

    def said_of(self, empty: np.ndarray) -> str:
        """Return in words what stands in for words; empty for numbers that may take any value."""
        if not self.holds_words:
            return ""
        return f"Words are replaced as a whole, by the number {empty.flat[0]:.0f}."

    def gradient(self, rule: str = "") -> np.ndarray:
        """Return the gradient of the score, zeros if there is none; see `is_connected`."""
        gradient = self.reader.gradients.of_sample(self.address, self.sample, self.explained, rule)
        return np.zeros_like(self.value) if gradient is None else self.channels_last(gradient)

    @property
    def is_connected(self) -> bool:
        """Whether the score depends on the tensor."""
        return self.address in self.reader.gradients.depends_on(self.explained.score)

    @property
    def score(self) -> float:
        """The score itself."""
        return self.reader.gradients.score(self.sample, self.explained)

    @property
    def gates(self) -> int:
        """Number of ReLUs that a rule changes."""
        return self.reader.source.gates(self.reader.blocks.alone(self.sample).batch)

    @property
    def inner_gates(self) -> int:
        """Number of ReLUs that no rule reaches."""
        return self.reader.source.inner_gates(self.reader.blocks.alone(self.sample).batch)

    @cached_property
    def is_beside(self) -> bool:
        """Whether a gradient arrives only at tokens that have no place in the map, such as a class token."""
        grid = self.grid or token_grid(self.reader, self.tap)
        if grid is None or not grid.extra:
            return False
        gradient = self.reader.gradients.of_sample(self.address, self.sample, self.explained)
        return gradient is not None and bool(gradient.any()) and not grid.folded(gradient).any()

    @property
    def earlier(self) -> Question | None:
        """The same question at the nearest layer before, where a gradient arrives at the patches too."""
        before = self.reader.gradients.depends_on(self.explained.score)
        taps = list(self.reader.taps.values())
        for tap in reversed(taps[: taps.index(self.tap)]):
            if tap.address in before and tap.is_float and tap.spatial == self.tap.spatial:
                grid = token_grid(self.reader, tap) if self.grid else None
                question = replace(self, tap=tap, grid=grid)
                if not question.is_beside and question.gradient().any():
                    return question
        return None

    @cached_property
    def at_input(self) -> Question:
        """The same question for the input whose positions are the layer's."""
        positions = self.value.ndim - 1
        before = self.reader.gradients.depends_on(Score(self.address, logits=False))
        # Several pictures may go in: the map lies over the one that it is made of.
        for tap in sorted(input_taps(self.reader), key=lambda tap: tap.address not in before):
            question = replace(self, tap=tap, grid=None)
            if (tap.is_float or "int" in tap.dtype) and len(tap.spatial) == positions:
                return question
        raise LayerKindError(
            f"The maps of {self.place} have {positions} spatial axes, and no input has as many. "
            f"Received: inputs of shape {', '.join(str(tap.shape) for tap in input_taps(self.reader))}. "
            "Expected: a layer whose positions lie over an input's."
        )

    def seconds_for(self, count: int, with_gradients: bool) -> float:
        """Return how long so many variants take; some are timed first, if it is not known yet."""
        pace, timed = self._pace(with_gradients), 0
        while not pace.each or (timed < count and not pace.is_telling):
            timed += pace.size
            list(self.varied(range(pace.size), self._copies, with_gradients))
        return count * pace.each

    def _copies(self, items: Sequence[Any]) -> np.ndarray:
        return np.stack([self.value] * len(items))

    def _pace(self, with_gradients: bool) -> Pace:
        return self.reader.variants.pace.setdefault(with_gradients, Pace(self._most(with_gradients)))

    def varied(
        self,
        items: Sequence[Any],
        make: Callable[[Any], np.ndarray],
        with_gradients: bool = False,
    ) -> Iterator[Varied]:
        """Ask for the scores of variants of the tensor, in batches that memory holds and that end soon.

        Parameters
        ----------
        items : sequence
            One for each variant.
        make : callable
            From some of the items to their variants, ``(n, ..., channels)``.
        with_gradients : bool
            Whether gradients are wanted too.
        """
        pace = self._pace(with_gradients)
        done = 0
        while done < len(items):
            chosen = items[done : done + pace.size]
            values = make(chosen)
            start = time.perf_counter()
            scores, gradients = self.reader.variants.scores(
                self.address, self.sample, self._as_the_model_takes(values), self.explained, with_gradients
            )
            pace.note(len(chosen), time.perf_counter() - start)
            done += len(chosen)
            made = np.empty(0) if gradients is None else np.stack([self.channels_last(g) for g in gradients])
            yield Varied(chosen, values, scores, made)

    def _most(self, with_gradients: bool) -> int:
        """Return how many variants memory holds: a backward pass keeps all activations until its end."""
        each = self.reader.blocks.sample_bytes * (3 if with_gradients else 1)
        return int(np.clip(self.reader.cache.budget // max(1, each), 1, _MOST))

    def channels_last(self, array: np.ndarray) -> np.ndarray:
        """Return an array of the tensor's layout, channels last; the numbers of a vector are positions."""
        if array.ndim < 2:
            return array.reshape(-1, 1)
        array = np.moveaxis(array, inner_axis(self.tap.channel_axis), -1)
        return array if self.grid is None else self.grid.folded(array)

    def _as_the_model_takes(self, values: np.ndarray) -> np.ndarray:
        """Return variants in the tensor's own layout and dtype."""
        if self._raw.ndim < 2:
            values = values.reshape(len(values), *self._raw.shape)
        else:
            values = np.moveaxis(values, -1, self.tap.channel_axis)
        if self._raw.dtype.kind in "iu":
            limits = np.iinfo(self._raw.dtype)
            values = np.clip(np.rint(values), limits.min, limits.max)
        return np.ascontiguousarray(values, self._raw.dtype)


class Pace:
    """How many variants go into one batch: more while batches are short, fewer when they are long.

    Parameters
    ----------
    most : int
        What memory holds.

    Attributes
    ----------
    size : int
        Variants of the next batch.
    each : float
        Seconds for one variant in the last batch; 0 before one was timed.
    is_telling : bool
        Whether that holds for the batches to come: in one that is small and short a variant takes longer.
    """

    def __init__(self, most: int) -> None:
        self.size = min(4, most)
        self.each = 0.0
        self.is_telling = False
        self._most = most
        self._is_first = True

    def note(self, count: int, seconds: float) -> None:
        """Learn from a batch; the first one holds the making of its function."""
        if self._is_first:
            self._is_first = False
            return
        self.each = seconds / count
        self.is_telling = seconds > _TELLING or count == self._most
        if seconds < _SHORT and count == self.size:
            self.size = min(2 * self.size, self._most)
        elif seconds > _LONG:
            self.size = max(1, self.size // 2)


def input_taps(reader: Reader) -> list[Tap]:
    """Return what the inputs are, those without a name too."""
    return [
        Tap(address, "InputLayer", (None, *a.shape[1:]), a.dtype.name, _input_axis(reader, a.ndim), address)
        for address, a in zip(reader.input_addresses, reader.inputs.arrays, strict=True)
    ]


def _input_axis(reader: Reader, rank: int) -> int:
    """Return where the first layers that tell channels from positions find the channels of an input."""
    for tap in reader.taps.values():
        if len(tap.shape) == rank > 2:
            if tap.channel_axis == 1:
                return 1
            if any(word in tap.kind for word in ("Conv", "Pool", "Permute", "Transpose")):
                return -1
    return -1
