"""The part of an attribution map that is drawn: of one with more axes than a picture, a slice."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from ..attribution import Attribution
from ..rendering.axes import Axes, one_of
from ..session import Session


@dataclass(frozen=True)
class MapSlice:
    """A plane of one sample's map, where the sliders of the session stand.

    Attributes
    ----------
    array : (height, width) float32 ndarray
        Raw, on the layer's grid; sequences lie flat.
    axes : Axes or None
        Those of the layer; None where the whole map is a picture.
    sliders : dict of str to (int, int)
        Place and length of each axis that is not drawn, by its role.
    """

    array: np.ndarray
    axes: Axes | None = None
    sliders: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """Which slice it is; empty if it is the whole map."""
        at = [
            f"{one_of(role)} {place} of 0 to {length - 1}" for role, (place, length) in self.sliders.items()
        ]
        return f"Shown: {', '.join(at)}." if at else ""

    def said_of_ground(self, followed: Collection[str]) -> str:
        """Return which of its sliders the picture under it does not follow; `followed` are those it does."""
        still = [one_of(role) for role in self.sliders if role not in followed]
        return f"The picture under it is the same at every {' and '.join(still)}." if still else ""


def slice_of(session: Session, result: Attribution) -> MapSlice:
    """Return what is drawn of the first map of an attribution."""
    values = result.maps[0]
    if values.ndim < 3:
        return MapSlice(_as_plane(values))
    axes = session.axes.of_maps(result.layer)
    lengths = axes.lengths((1, *values.shape))
    places = {role: session.axes.place(role, lengths[role]) for role in axes.sliders}
    (plane,) = axes.drawn(values[None], places)
    return MapSlice(_as_plane(plane), axes, {role: (at, lengths[role]) for role, at in places.items()})


def _as_plane(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.atleast_2d(values), np.float32)
