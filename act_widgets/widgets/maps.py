"""What is drawn of a layer: a picture for each channel or head, as the axes of the layer say."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import LayerKindError
from ..keys import Tap
from ..reading.attention import Attention
from ..rendering.axes import ATTENTION, Axes, one_of
from ..rendering.veil import Range, lit
from ..session import Session
from . import text


@dataclass(frozen=True)
class Values:
    """Numbers of one sample of a layer, before sliders choose what is drawn of them.

    Attributes
    ----------
    array : (pictures, ...) ndarray
        As computed.
    first : int
        Number of the first picture.
    count : int
        Number of pictures that the layer has.
    """

    array: np.ndarray
    first: int
    count: int


@dataclass(frozen=True)
class Drawn:
    """What is drawn of one sample of a layer.

    Attributes
    ----------
    array : (pictures,), (pictures, length) or (pictures, rows, columns) ndarray
        Numbers, lines or maps, as computed.
    axes : Axes
        What the layer's axes are.
    lengths : dict of str to int
        How long each axis in pictures and on sliders is.
    places : dict of str to int
        Where each slider stands along an axis that is not drawn.
    first : int
        Number of the first picture.
    count : int
        Number of pictures that the layer has.
    chosen : int
        Which of them is chosen: by a slider, or the channel that was asked for.
    remark : str
        What else is to be said: what was left out, where weights come from.
    """

    array: np.ndarray
    axes: Axes
    lengths: dict[str, int]
    places: dict[str, int]
    first: int
    count: int
    chosen: int
    remark: str

    @property
    def sliders(self) -> dict[str, tuple[int, int]]:
        """What sliders there are: place and length by role. Pictures that are no channels have one too."""
        sliders = {role: (place, self.lengths[role]) for role, place in self.places.items()}
        if self.axes.spread_role and not self.axes.has_channels:
            sliders = {self.axes.spread_role: (self.chosen, self.count), **sliders}
        return sliders

    @property
    def words(self) -> str:
        """How many pictures of which size there are."""
        sizes = " × ".join(map(str, self.lengths.values()))
        return " of ".join(filter(None, (self._all, sizes))) or "a single number"

    def lit(self, chosen: Range, picture: int | None = None) -> str:
        """Return how many numbers lie in a range, of those that are drawn: of all pictures, or of one."""
        if picture is None:
            array, what = self.array, self._all
        else:
            array, what = self.array[picture - self.first], self.name_of(picture)
        where = [what, *(f"{one_of(role)} {place}" for role, place in self.places.items())]
        return text.lit(chosen, int(lit(array, chosen).sum()), array.size, ", ".join(filter(None, where)))

    @property
    def _all(self) -> str:
        role = self.axes.spread_role
        return f"{self.count} {role if self.count != 1 else one_of(role)}" if role else ""

    def name_of(self, picture: int) -> str:
        """Return what a picture is called, such as ``channel 3``."""
        role = self.axes.spread_role
        return f"{one_of(role)} {picture}" if role else ""

    def point(self, picture: int, *at: int) -> str:
        """Return every coordinate of a value, by the roles of its axes, and the value."""
        sliders = [f"{one_of(role)} {place}" for role, place in self.places.items()]
        plane = ", ".join(f"{one_of(role)} {i}" for role, i in zip(self.axes.plane, at, strict=True))
        if self.axes.grid is not None:
            plane += f" (token {self.axes.grid.extra + at[0] * self.axes.grid.columns + at[1]})"
        value = value_text(self.array[(picture - self.first, *at)])
        return " · ".join(filter(None, [self.name_of(picture), *sliders, plane, value]))


def all_values(session: Session, layer: str, sample: int, channel: int = 0) -> Values:
    """Return the numbers of every picture of a layer.

    Of a layer that is too large to be kept, the channels around `channel` are.

    Raises
    ------
    LayerKindError
        If the layer holds no real numbers.
    """
    axes = session.axes[layer]
    if axes.of == ATTENTION:
        array = _attention(session, layer).of_sample(session.reader, sample)
    else:
        activation = session.reader.sample_activation(layer, sample, channel)
        array = axes.spread(drawable(activation, session.tap(layer)))
    return Values(array, 0, len(array))


def one_values(session: Session, layer: str, sample: int, channel: int) -> Values:
    """Return the numbers of a channel, or of the head that is chosen where heads are drawn."""
    axes = session.axes[layer]
    if not axes.has_channels:
        whole = all_values(session, layer, sample)
        chosen = session.axes.place(axes.spread_role, whole.count)
        return Values(whole.array[chosen:][:1], chosen, whole.count)
    array = drawable(session.reader.sample_channel(layer, sample, channel), session.tap(layer))
    return Values(array, channel, session.reader.channels(layer))


def all_pictures(session: Session, layer: str, sample: int, channel: int = 0) -> Drawn:
    """Return every picture of a layer; see `all_values`."""
    drawn = _drawn(session, layer, all_values(session, layer, sample, channel))
    return with_choice(session, drawn, channel)


def one_picture(session: Session, layer: str, sample: int, channel: int) -> Drawn:
    """Return the picture of a channel, or of the head that is chosen where heads are drawn."""
    return _drawn(session, layer, one_values(session, layer, sample, channel))


def with_choice(session: Session, drawn: Drawn, channel: int) -> Drawn:
    """Return what is drawn with the picture marked that is chosen now: by a slider, or the channel's."""
    role = drawn.axes.spread_role
    chosen = channel if drawn.axes.has_channels else session.axes.place(role, drawn.count)
    return replace(drawn, chosen=chosen)


def is_ready(session: Session, layer: str, sample: int, channel: int | None = None) -> bool:
    """Whether what is drawn takes no pass of the model; of a channel alone, if it is given."""
    if not session.axes.knows(layer):
        return False
    if session.axes[layer].of == ATTENTION:
        return _attention(session, layer).is_ready(session.reader, sample)
    return session.reader.is_ready(layer, sample, channel if session.axes[layer].has_channels else None)


def drawable(activation: np.ndarray, tap: Tap) -> np.ndarray:
    """Return an activation, or raise a `LayerKindError` if it holds no real numbers."""
    if activation.dtype.kind not in "biuf" or activation.size == 0:
        held = {"c": "complex numbers"}.get(activation.dtype.kind, "text")
        raise LayerKindError(
            f"'{tap.address}' holds {held if activation.size else 'nothing'}, which can't be drawn. "
            f"Received: shape {activation.shape}, {activation.dtype}. Choose a layer of real numbers."
        )
    return activation


def check_channels(session: Session, layer: str) -> None:
    """Raise a `LayerKindError` unless a layer has channels of which one is chosen."""
    axes = session.axes[layer]
    if axes.spread_axis is None:
        raise LayerKindError(
            f"'{layer}' has no channels. Received: axes {axes.words}. Choose another layer, or say below the "
            "maps which of its axes are channels."
        )


def value_text(value: np.generic | np.ndarray) -> str:
    """Return one value: whole numbers as they are, others short."""
    return str(value) if value.dtype.kind in "biu" else text.number(float(value))


def _attention(session: Session, layer: str) -> Attention:
    found = session.axes.attention(layer)
    assert found is not None
    return found


def _drawn(session: Session, layer: str, values: Values) -> Drawn:
    axes = session.axes[layer]
    lengths = axes.lengths(values.array.shape)
    places = {role: session.axes.place(role, lengths[role]) for role in axes.sliders}
    origin = f"Attention weights, {_attention(session, layer).origin}" if axes.of == ATTENTION else ""
    remark = " · ".join(filter(None, (origin, axes.remark)))
    pictures = axes.drawn(values.array, places)
    return Drawn(pictures, axes, lengths, places, values.first, values.count, values.first, remark)
