"""Which layers have places that a map can show."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..keys import Score, Tap
from ..reading.reader import Reader
from .tokens import Grid, grid_of


def default_layer(taps: Mapping[str, Tap], explained: Collection[str] | None = None) -> str | None:
    """Return the last layer whose maps have more than one position, or None.

    Parameters
    ----------
    taps : mapping of str to Tap
        Every tensor, in call order.
    explained : collection of str, optional
        The addresses that the scores depend on. Not known before the model is traced: then further
        outputs of a layer and the last tensor of all are passed over if there is another choice.
    """
    spatial = [tap.address for tap in taps.values() if _has_maps(tap)]
    if explained is not None:
        spatial = [address for address in spatial if address in explained]
    else:
        last = next(reversed(list(taps)), None)
        main = [address for address in spatial if taps[address].call == address != last]
        spatial = main or spatial
    return spatial[-1] if spatial else None


def nearest_spatial(taps: Mapping[str, Tap], layer: str) -> str | None:
    """Return `layer` if it has spatial axes, else the nearest before it, else the nearest after."""
    order = list(taps)
    at = order.index(layer)
    for address in [*reversed(order[: at + 1]), *order[at + 1 :]]:
        if taps[address].is_float and taps[address].spatial:
            return address
    return None


def token_grid(reader: Reader, tap: Tap) -> Grid | None:
    """Return how a layer's tokens lie in the picture, if they come from one and fill it."""
    if len(tap.shape) != 3 or tap.kind == "InputLayer" or not tap.shape[1]:
        return None
    pictures = []
    before = reader.gradients.depends_on(Score(tap.address, logits=False))
    for address, array in zip(reader.input_addresses, reader.inputs.arrays, strict=True):
        if array.ndim == 4 and address in before:
            is_first = array.shape[1] < min(array.shape[2:])
            pictures.append(array.shape[2:4] if is_first else array.shape[1:3])
    return grid_of(tap.shape[1], [(int(h), int(w)) for h, w in pictures])


def _has_maps(tap: Tap) -> bool:
    return tap.is_float and bool(tap.spatial) and any(n is None or n > 1 for n in tap.spatial)
