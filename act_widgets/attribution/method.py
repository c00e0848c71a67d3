"""What an attribution method is, and how one is asked of a model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import LayerKindError
from ..keys import Tap
from ..reading.batches import no_batch_axis
from ..reading.reader import Reader
from .result import Attribution

NO_MAPS = "No layer that the scores depend on has spatial axes, so there is no map to draw."


@dataclass(frozen=True)
class Method:
    """A class activation method.

    Attributes
    ----------
    name, title : str
        As in the public interface, and as on the screen.
    shares : callable
        From activations and gradients, both ``(batch, ..., channels)``, to each channel's share
        of the map.
    """

    name: str
    title: str
    shares: Callable[[np.ndarray, np.ndarray], np.ndarray]


def attribute_batch(reader: Reader, method: Method, layer: str | None, target: int | None) -> Attribution:
    """Return a map for every sample of the batch.

    Parameters
    ----------
    reader : Reader
        The model and its batch.
    method : Method
        What to compute.
    layer : str or None
        Address of a layer with spatial axes; None for the last one.
    target : int or None
        The class to explain; None for the class that the model gives each sample first.
    """
    tap = _spatial_tap(reader, layer)
    targets = [target] * reader.inputs.size if target is not None else list(top_classes(reader))
    targets = [reader.head.check(t) for t in targets]
    activation = reader.activation(tap.address)
    if len(activation) not in (1, reader.inputs.size):
        raise no_batch_axis(tap, activation.shape, reader.inputs.size)
    gradient = reader.gradient(tap.address, targets)
    explained = tuple(targets) if target is None else targets[0]
    return _attribution(reader, method, tap, explained, activation, gradient)


def attribute_sample(
    reader: Reader, method: Method, layer: str | None, target: int | None, sample: int
) -> Attribution:
    """Return the map of one sample, as a batch of one; gradients of all layers are kept."""
    tap = _spatial_tap(reader, layer)
    sample = reader.check_sample(sample)
    chosen = int(top_classes(reader)[sample]) if target is None else reader.head.check(target)
    activation = reader.sample_activation(tap.address, sample)[None]
    gradient = reader.sample_gradient(tap.address, sample, chosen)
    batch_of_one = None if gradient is None else gradient[None]
    return _attribution(reader, method, tap, chosen, activation, batch_of_one)


def _attribution(
    reader: Reader,
    method: Method,
    tap: Tap,
    target: int | tuple[int, ...],
    activation: np.ndarray,
    gradient: np.ndarray | None,
) -> Attribution:
    if activation.size == 0:
        raise LayerKindError(
            f"'{tap.address}' holds nothing to explain. Received: shape {activation.shape}. "
            "Expected: a layer with at least one position and channel."
        )
    connected = gradient is not None
    gradient = np.zeros_like(activation) if gradient is None else gradient
    values = method.shares(
        np.moveaxis(activation, tap.channel_axis, -1), np.moveaxis(gradient, tap.channel_axis, -1)
    ).astype(np.float32)
    return Attribution(
        maps=np.maximum(values.sum(-1), 0),
        values=values,
        method=method.name,
        layer=tap.address,
        target=target,
        scores=reader.scores,
        connected=connected,
        moved=np.abs(gradient).max(axis=tuple(range(1, gradient.ndim)), initial=0),
    )


def top_classes(reader: Reader) -> np.ndarray:
    """Return the class that the model gives each sample first, ``(batch,) int``."""
    scores = reader.unit_scores
    if scores.shape[1] > 1:
        return scores.argmax(1)
    threshold = 0.5 if reader.head.probabilities else 0.0
    return (scores[:, 0] >= threshold).astype(int)


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


def _has_maps(tap: Tap) -> bool:
    return tap.is_float and bool(tap.spatial) and any(n is None or n > 1 for n in tap.spatial)


def _spatial_tap(reader: Reader, layer: str | None) -> Tap:
    if layer is None:
        chosen = default_layer(reader.taps, reader.explained())
    else:
        chosen = reader.tap(layer).address
    tap = reader.taps.get(chosen) if chosen else None
    if tap is not None and tap.spatial and tap.is_float:
        return tap
    if tap is None:
        raise LayerKindError(NO_MAPS)
    near = nearest_spatial(reader.taps, tap.address)
    hint = f"Nearest layer that has them: '{near}'." if near else "No layer of this model has them."
    raise LayerKindError(
        f"A class activation map needs a layer of real numbers with spatial axes. Received: '{tap.address}' "
        f"with shape {tap.shape}, {tap.dtype}. {hint}"
    )
