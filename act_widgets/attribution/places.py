"""Which layers have places that a map can show."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence

from ..keys import Score, Tap
from ..reading.reader import Reader
from ..tokens import Grid, grid_of


def default_layer(
    taps: Mapping[str, Tap], explained: Collection[str] | None = None, late: Collection[str] = ()
) -> str | None:
    """Return the last layer whose maps have more than one position, or None.

    Parameters
    ----------
    taps : mapping of str to Tap
        Every tensor, in call order.
    explained : collection of str, optional
        The addresses that the scores depend on. Not known before the model is traced: then further
        outputs of a layer and the last tensor of all are passed over if there is another choice.
    late : collection of str
        Addresses that are passed over if there is another choice.
    """
    spatial = [tap.address for tap in taps.values() if _has_maps(tap)]
    if explained is not None:
        spatial = [address for address in spatial if address in explained]
    else:
        late = {*late, *list(taps)[-1:], *(tap.address for tap in taps.values() if tap.call != tap.address)}
    spatial = [address for address in spatial if address not in late] or spatial
    return spatial[-1] if spatial else None


def shown_first(reader: Reader) -> str:
    """Return the layer that is looked at before anybody chose one."""
    return default_layer(reader.taps, late=reader.at_second_sight) or reader.layers[-1]


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
    tokens = tap.spatial[0] if len(tap.spatial) == 1 else None
    if not tokens or tap.kind == "InputLayer":
        return None
    pictures = pictures_behind(reader, tap.address)
    grid = grid_of(tokens, pictures)
    return grid if grid and _are_patches(reader, tap.address, grid, pictures) else None


def _are_patches(reader: Reader, address: str, grid: Grid, pictures: Sequence[tuple[int, int]]) -> bool:
    """Whether tokens are what a picture was cut into, not the columns of smaller maps, say.

    Of the maps before the first tokens some are then those patches, or all are as large as the picture.
    """
    tokens = {(grid.tokens,), (grid.rows * grid.columns,)}
    before = itertools.takewhile(lambda tap: tap.spatial not in tokens, _taps_behind(reader, address))
    maps = {tap.spatial for tap in before if len(tap.spatial) == 2 and None not in tap.spatial}
    return (grid.rows, grid.columns) in maps or maps <= set(pictures)


def _taps_behind(reader: Reader, address: str) -> list[Tap]:
    """Return the taps that a tensor is made of, in call order; of a model with one input all."""
    taps = list(reader.taps.values())
    if len(reader.input_addresses) == 1:
        return taps
    behind = reader.gradients.depends_on(Score(address, logits=False))
    return [tap for tap in taps if tap.address in behind]


def pictures_behind(reader: Reader, address: str) -> list[tuple[int, int]]:
    """Return heights and widths of the pictures that a tensor is made of.

    Only a model with several inputs is traced for it: all that is computed comes from a single one.
    """
    arrays = dict(zip(reader.input_addresses, reader.inputs.arrays, strict=True))
    pictures = {name: array.shape for name, array in arrays.items() if array.ndim == 4}
    if pictures and len(arrays) > 1:
        before = reader.gradients.depends_on(Score(address, logits=False))
        pictures = {name: shape for name, shape in pictures.items() if name in before}
    return [shape[2:4] if shape[1] < min(shape[2:]) else shape[1:3] for shape in pictures.values()]


def _has_maps(tap: Tap) -> bool:
    return tap.is_float and bool(tap.spatial) and any(n is None or n > 1 for n in tap.spatial)
