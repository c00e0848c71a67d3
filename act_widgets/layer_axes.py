"""What the axes of each layer are for one session, and where the sliders along them stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from traitlets import HasTraits, Tuple

from .attribution.places import pictures_behind, token_grid
from .attribution.question import input_taps
from .errors import InputError
from .keys import Tap
from .reading.attention import Attention, attention_of
from .reading.reader import Reader
from .rendering.axes import ATTENTION, PATCHES, Axes, read_axes
from .rendering.roles import HEADS, choices, guess
from .tokens import grid_of

# A slider along one of these stands in the middle until somebody moves it.
_FROM_THE_MIDDLE = ("depth", "time")


class LayerAxes(HasTraits):
    """The axes of every layer: guessed, unless somebody said what they are.

    ``session.axes["conv"]`` gives them, ``session.axes["conv"] = "time × height × width × channels"`` sets
    them for all views of the session, and ``del session.axes["conv"]`` goes back to the guess. Patches
    come with their grid: ``"patches (4 × 8) × features"``.

    Parameters
    ----------
    reader : callable
        Returns the session's reader.
    on_channels : callable
        Called with a layer's address when its channels have come to lie along another axis.
    """

    chosen = Tuple(help="Pairs of a layer's address and the `Axes` that somebody chose for it.")
    places = Tuple(help="Where sliders stand: role, index and length of the axis. They serve all layers.")

    def __init__(self, reader: Callable[[], Reader], on_channels: Callable[[str], None]) -> None:
        super().__init__()
        self._reader = reader
        self._on_channels = on_channels
        # The activation's axes, and which one the source takes for that of the channels.
        self._guessed: dict[str, tuple[Axes, int]] = {}
        self._attention: dict[str, Attention | None] = {}
        # What was asked for lately, by the name it was asked by.
        self._current: dict[str, Axes] = {}
        self.settle()

    def __getitem__(self, layer: str) -> Axes:
        if layer not in self._current:
            tap = self._unnamed(layer) or self._tap(layer)
            weighs = tap.address in self._reader().taps and self.attention(layer) is not None
            guessed = Axes(HEADS, of=ATTENTION) if weighs else self._guess(tap)[0]
            self._current[layer] = dict(self.chosen).get(tap.address, guessed)
        return self._current[layer]

    def __setitem__(self, layer: str, axes: Axes | str) -> None:
        tap = self._tap(layer)
        if isinstance(axes, str):
            known = {form: offer for offer in self.choices(layer) for form in (str(offer), offer.words)}
            axes = known.get(axes) or read_axes(axes, shape=_shape(tap))
        self._check(tap, axes)
        self._choose(tap, axes)

    def __delitem__(self, layer: str) -> None:
        self._choose(self._tap(layer), None)

    def of_maps(self, layer: str) -> Axes:
        """Return the axes of what an attribution finds at a layer or input: the channels are spread.

        A map has the other axes. Its channels lie where the source has them, also where the layer's
        axes have none or are those of its attention.
        """
        given = {tap.address: tap for tap in input_taps(self._reader())}
        tap = given.get(layer) or self._tap(layer)
        at = tap.channel_axis % len(tap.shape) - 1
        axes = self[layer]
        if axes.of == ATTENTION or axes.spread_axis not in (at, None):
            axes = self._guess(tap)[0]
        if axes.spread_axis == at:
            return axes
        roles = tuple("channels" if i == at else role for i, role in enumerate(axes.roles))
        return Axes(roles, axes.grid if PATCHES in roles else None)

    def attention(self, layer: str) -> Attention | None:
        """Return where a layer's attention weights are; None if it has none."""
        reader = self._reader()
        tap = reader.tap(layer)
        if tap.address not in self._attention:
            self._attention[tap.address] = attention_of(reader.taps, tap)
        return self._attention[tap.address]

    def choices(self, layer: str) -> tuple[Axes, ...]:
        """Return what a layer's axes may be: what they are now, and whatever else is likely."""
        tap = self._tap(layer)
        keys = self._keys(layer)
        shape = _shape(tap)
        pictures = pictures_behind(self._reader(), tap.address)
        grids = [grid_of(n, pictures) for n in {*shape, keys or 0}]
        offered = choices(self._guess(tap)[0], shape, keys, [grid for grid in grids if grid is not None])
        return tuple(dict.fromkeys([*offered, self[layer]]))

    def knows(self, layer: str) -> bool:
        """Whether a layer's axes can be told without a pass of the model, or a trace."""
        if layer in self._current:
            return True
        reader = self._reader()
        tap = reader.tap(layer)
        arrays = reader.inputs.arrays
        is_traced = len(arrays) > 1 and any(array.ndim == 4 for array in arrays)
        return not is_traced and (_is_sized(tap) or reader.is_ready(tap.address, 0))

    def place(self, role: str, length: int) -> int:
        """Return where the slider along an axis of this role and length stands."""
        for known, index, of in self.places:
            if known == role:
                # The same place on an axis of another length, such as that of a pooled volume.
                same = index if of in (None, length) else (2 * index + 1) * length // (2 * of)
                return int(min(same, length - 1))
        return length // 2 if role in _FROM_THE_MIDDLE else 0

    def move(self, role: str, index: int, length: int | None = None) -> None:
        """Move the slider along the axes of a role, in all layers that have one.

        Parameters
        ----------
        role : str
            Such as ``"time"``.
        index : int
            Where to.
        length : int, optional
            That of the axis: on axes of other lengths the slider then stands at the same share.
        """
        if index < 0:
            raise InputError(f"Places are counted from 0. Received: {role}={index}.")
        others = tuple(place for place in self.places if place[0] != role)
        self.places = (*others, (role, index, length))

    def take(self, others: LayerAxes) -> None:
        """Choose for each layer what was chosen in another session of such a model."""
        self.chosen = others.chosen
        self.settle()

    def settle(self) -> None:
        """Forget what was guessed for another reader, and what was chosen for layers that have other axes."""
        self._guessed, self._attention, self._current = {}, {}, {}
        reader = self._reader()
        for given in input_taps(reader):  # a layer says where it has its channels, an input does not
            if given.address in reader.taps and given.channel_axis != -1:
                reader.blocks.set_channel_axis(given.address, given.channel_axis)
        taps = reader.taps
        kept = [(address, axes) for address, axes in self.chosen if address in taps]
        kept = [(a, axes) for a, axes in kept if self._misfit(self._tap(a), axes) is None]
        for address, axes in kept:
            self._lay_channels(self._tap(address), axes)
        self.chosen = tuple(kept)
        self._current.clear()

    def _unnamed(self, layer: str) -> Tap | None:
        """Return what is known of an input that the model does not name; None for anything else."""
        inputs = (tap for tap in input_taps(self._reader()) if tap.address not in self._reader().taps)
        return next((tap for tap in inputs if tap.address == layer), None)

    def _tap(self, layer: str) -> Tap:
        """Return what is known of a layer, with the sizes that this batch has."""
        reader = self._reader()
        tap = reader.tap(layer)
        if _is_sized(tap):
            return tap
        return replace(tap, shape=(None, *reader.sample_activation(tap.address, 0).shape))

    def _guess(self, tap: Tap) -> tuple[Axes, int]:
        if tap.address not in self._guessed:
            reader = self._reader()
            known = reader.taps if tap.address in reader.taps else {tap.address: tap, **reader.taps}
            taps = [tap if other.address == tap.address else other for other in known.values()]
            self._guessed[tap.address] = guess(tap, taps, token_grid(reader, tap)), tap.channel_axis
        return self._guessed[tap.address]

    def _choose(self, tap: Tap, axes: Axes | None) -> None:
        """Set a layer's axes; None for the guess."""
        others = tuple(pair for pair in self.chosen if pair[0] != tap.address)
        has_moved = self._lay_channels(tap, axes)
        with self.hold_trait_notifications():
            self.chosen = others if axes is None else (*others, (tap.address, axes))
            self._current.clear()
            if has_moved:
                self._on_channels(tap.address)

    def _lay_channels(self, tap: Tap, axes: Axes | None) -> bool:
        """Tell the reader along which axis the channels lie; return whether it is another one."""
        axis = self._guess(tap)[1]  # where the source takes them to be
        rank = len(tap.shape)
        if axes is not None and axes.has_channels and axes.spread_axis is not None:
            axis = axis if axis % rank == axes.spread_axis + 1 else axes.spread_axis + 1
        if axis == tap.channel_axis:
            return False
        self._reader().blocks.set_channel_axis(tap.address, axis)
        return True

    def _keys(self, layer: str) -> int | None:
        """Return the number of keys of a layer's attention; None if it has none."""
        found = self.attention(layer)
        if found is None:
            return None
        return _shape(self._tap(found.weights))[-1] if found.weights else _shape(self._tap(found.key))[0]

    def _check(self, tap: Tap, axes: Axes) -> None:
        misfit = self._misfit(tap, axes)
        if misfit is not None:
            offered = "; ".join(offer.words for offer in self.choices(tap.address)[:4])
            raise InputError(
                f"These are not the axes of '{tap.address}': {misfit}. Received: {axes.words}. "
                f"Expected: one word for each axis, such as: {offered}."
            )

    def _misfit(self, tap: Tap, axes: Axes) -> str | None:
        """Return why axes can't be those of a layer, or None."""
        shape: tuple[int | None, ...] = _shape(tap)
        if axes.of == ATTENTION:
            keys = self._keys(tap.address)
            if keys is None:
                return "it has no attention weights"
            shape = (None, None, keys)
        if len(axes.roles) != len(shape):
            return f"it has {len(shape)}"
        if axes.grid is not None:
            tokens = shape[axes.roles.index(PATCHES)]
            if axes.grid.tokens != tokens or axes.grid.extra < 0:
                return f"{axes.grid.rows} × {axes.grid.columns} patches are not among {tokens} tokens"
        return None


def _is_sized(tap: Tap) -> bool:
    return bool(tap.shape) and None not in tap.shape[1:]


def _shape(tap: Tap) -> tuple[int, ...]:
    return tuple(n or 0 for n in tap.shape[1:])
