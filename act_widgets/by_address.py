"""Values of layers, looked up by any unique end of an address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from .errors import UnknownLayerError
from .keys import resolve

Value = TypeVar("Value")


class ByAddress(Mapping[str, Value]):
    """Values by address, in call order.

    Looking one up accepts any unique end of an address, as everywhere.

    Parameters
    ----------
    values : mapping of str to value
        By whole addresses; one is read when it is looked up.

    Raises
    ------
    UnknownLayerError
        When a layer is looked up that is not there; the message lists the nearest.
    """

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = values
        self._known = dict.fromkeys(values)

    def __getitem__(self, layer: str) -> Value:
        return self._values[self._whole(layer)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, layer: object) -> bool:
        try:
            return self._whole(layer) in self._known
        except UnknownLayerError:
            return False

    def get(self, layer: str, default: Any = None) -> Any:
        """Return a layer's value, or `default` if there is no such layer."""
        try:
            return self[layer]
        except UnknownLayerError:
            return default

    def __repr__(self) -> str:
        return f"{type(self).__name__} of {len(self)} layers"

    def _whole(self, layer: Any) -> str:
        """Return the whole address that a name stands for."""
        if isinstance(layer, str) and layer in self._known:
            return layer
        if not self._known:
            raise UnknownLayerError(
                f"Nothing is held of any layer. Received: {layer!r:.80}. Expected: one that was captured or "
                "recorded. aw.Recorder keeps arrays with keep='activations', gradients with gradients=True."
            )
        return resolve(layer, tuple(self._known))
