"""Which input lies under the maps of a layer, and how it looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..keys import Score
from ..session import Session
from ..sources.protocol import INPUT

# How many times as long as it is high a sequence is at the most.
_LONGEST_BAND = 16


@dataclass(frozen=True)
class Under:
    """What lies under a map.

    Attributes
    ----------
    index : int or None
        Number of the input; None if the map is drawn alone.
    words : str
        What is to be said of it; empty for the first input, which is on the screen anyway.
    """

    index: int | None = 0
    words: str = ""

    @property
    def sentence(self) -> str:
        """The same as a sentence."""
        return f"Drawn {self.words}." if self.words else ""


FIRST = Under()


def under_of(session: Session, address: str) -> Under:
    """Return which input lies under the map of a layer or input: the first picture that it depends on.

    A model with several inputs is traced for it the first time. With one there is nothing to ask.
    """
    names = session.reader.input_addresses
    if len(names) == 1:
        return FIRST
    behind = _behind(session, address)
    index = next((i for i in behind if is_picture(session, i)), None)
    if index is None:
        return Under(None, f"over no input: {_reason(address, names, behind)}")
    return Under(index, f"over {_called(session, names[index])}" if index else "")


def is_known(session: Session, address: str) -> bool:
    """Whether `under_of` answers without looking at the model."""
    names = session.reader.input_addresses
    return len(names) == 1 or address in names or session.reader.gradients.knows(_score(address))


def is_picture(session: Session, index: int) -> bool:
    """Whether an input of several can be drawn under a map: numbers that have places, or `display`."""
    array = session.reader.inputs.arrays[index]
    return (index == 0 and session.photos.stated) or (array.ndim > 2 and array.dtype.kind in "biuf")


def photo_under(session: Session, sample: int, index: int = 0) -> np.ndarray:
    """Return an input as a picture, ``(height, width, 3) uint8``: the slice that sliders stand at.

    A sequence lies as the maps over it do, its time across, in a band that can be seen.
    """
    photo = session.photos_of(index).at(sample, list(places_under(session, index).values()))
    if not _lies_across(session, index):
        return photo
    length, channels, _ = photo.shape
    return photo.swapaxes(0, 1).repeat(-(-length // (_LONGEST_BAND * channels)), 0)


def _lies_across(session: Session, index: int) -> bool:
    """Whether an input is a sequence with its channels last that no layer takes for a picture."""
    if session.reader.inputs.arrays[index].ndim != 3 or session.photos_of(index).stated:
        return False
    axes = session.axes[session.reader.input_addresses[index]]
    if len(axes.plane) != 1 or axes.spread_axis != 1:
        return False
    four = (address for address, tap in session.reader.taps.items() if len(tap.shape) == 4)
    return not any(session.axes[address].is_spatial for address in four)


def places_under(session: Session, index: int | None = 0) -> dict[str, int]:
    """Return where sliders stand along the axes of an input that its picture is a slice of."""
    if index is None or session.photos_of(index).stated:
        return {}
    axes = session.axes[session.reader.input_addresses[index]]
    # Sliders of a film or volume run along its first axes.
    lead = axes.sliders if axes.roles[: len(axes.sliders)] == axes.sliders else ()
    lengths = session.reader.inputs.arrays[index].shape[1:]
    return {role: session.axes.place(role, n) for role, n in zip(lead, lengths, strict=False)}


def _behind(session: Session, address: str) -> list[int]:
    """Return the numbers of the inputs that a tensor depends on: of an input its own."""
    names = session.reader.input_addresses
    if address in names:
        return [names.index(address)]
    before = session.reader.gradients.depends_on(_score(address))
    return [i for i, name in enumerate(names) if name in before]


def _called(session: Session, address: str) -> str:
    name = session.reader.place_name(address)
    return name if address.startswith(INPUT) else f"input {name}"


def _score(address: str) -> Score:
    return Score(address, logits=False)


def _reason(address: str, names: list[str], behind: list[int]) -> str:
    if not behind:
        return "the layer depends on none"
    return "it is no picture" if address in names else "none that the layer depends on is a picture"
