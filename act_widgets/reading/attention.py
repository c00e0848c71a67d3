"""The weights of attention layers: where a layer does not give them, from its query, key and mask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import LayerKindError
from ..keys import Tap
from .reader import Reader

_OF_HEADS = ("MultiHeadAttention", "GroupedQueryAttention")
# So many products of query and key are computed while somebody waits.
_QUICK = 1 << 22
# What Keras puts in place of the scores of masked keys.
_MASKED = np.float32(-1e9)


@dataclass(frozen=True)
class Attention:
    """Where the weights of one call of an attention layer are.

    Attributes
    ----------
    call : str
        Address of the call.
    weights : str
        Address of the weights; empty if they are computed from the following.
    query, key : str
        Addresses of the projected query and key.
    mask : str
        Address of the mask that the call used; empty if it used none.
    """

    call: str
    weights: str = ""
    query: str = ""
    key: str = ""
    mask: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """The addresses that it takes."""
        return tuple(filter(None, (self.weights, self.query, self.key, self.mask)))

    @property
    def origin(self) -> str:
        """Where the weights come from, in words."""
        if self.weights:
            return "as the layer computed them"
        return f"computed from its query{', key and mask' if self.mask else ' and key; it has no mask'}"

    def is_ready(self, reader: Reader, sample: int) -> bool:
        """Whether the weights take no pass of the model, and no time to be noticed."""
        if self._key(sample) in reader.cache:
            return True
        return self._is_quick(reader) and all(reader.is_ready(a, sample) for a in self.parts)

    def _is_quick(self, reader: Reader) -> bool:
        if self.weights:
            return True
        query, key = reader.taps[self.query].shape, reader.taps[self.key].shape
        return (query[1] or 0) * (query[2] or 0) * (key[1] or 0) <= _QUICK

    def of_sample(self, reader: Reader, sample: int) -> np.ndarray:
        """Return one sample's weights, ``(heads, queries, keys) float32``."""
        kept: np.ndarray | None = reader.cache.get(self._key(sample))
        if kept is None:
            kept = self._made(*(reader.sample_activation(address, sample) for address in self.parts))
            reader.cache.put(self._key(sample), kept)
        return kept

    def _made(self, *parts: np.ndarray) -> np.ndarray:
        if self.weights:
            return parts[0] if parts[0].ndim == 3 else parts[0][None]
        return attention_weights(*parts)

    def _key(self, sample: int) -> tuple:
        return "attention", self.call, sample


def attention_weights(query: np.ndarray, key: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Return what a query gives to each key: the softmax of their scaled products.

    Parameters
    ----------
    query : (queries, heads, size) float32 ndarray
        Projected.
    key : (keys, groups, size) float32 ndarray
        Projected; each group serves as many heads as there are for it.
    mask : (queries, keys) or (heads, queries, keys) bool ndarray, optional
        Where a query may look. One that may look nowhere gives nothing.

    Returns
    -------
    (heads, queries, keys) float32
        As ``return_attention_scores=True`` gives them (Vaswani et al. 2017, equation 1).
    """
    key = key.repeat(query.shape[1] // key.shape[1], axis=1)
    scores = query.transpose(1, 0, 2) @ key.transpose(1, 2, 0) / np.float32(np.sqrt(query.shape[2]))
    if mask is not None:
        scores = np.where(mask, scores, _MASKED)
    with np.errstate(invalid="ignore"):
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
    return weights if mask is None else np.where(mask, weights, np.float32(0))


def attention_of(taps: Mapping[str, Tap], tap: Tap) -> Attention | None:
    """Return where the weights of the layer that made a tensor are; None if it has none."""
    if tap.address != tap.call:
        return None
    inside = {other.call[len(tap.call) + 1 :]: other for other in _inside(taps, tap.call)}
    for other in inside.values():
        is_softmax = other.kind == "Softmax" and "Attention" in tap.kind and len(other.shape) == 4
        if is_softmax or other.kind == "AttentionWeights":
            return Attention(tap.call, weights=other.address)
    ends = [inside[name].address for name in ("query", "key") if name in inside]
    if tap.kind not in _OF_HEADS or len(ends) < 2 or len(inside["query"].shape) != 4:
        return None
    mask = next((other.address for other in inside.values() if other.kind == "AttentionMask"), "")
    return Attention(tap.call, query=ends[0], key=ends[1], mask=mask)


def no_attention(tap: Tap) -> LayerKindError:
    """Return the error for a layer that has no attention weights."""
    return LayerKindError(
        f"'{tap.address}' has no attention weights. Received: a layer of kind {tap.kind}. Expected: "
        "MultiHeadAttention, GroupQueryAttention, Attention or AdditiveAttention of Keras."
    )


def _inside(taps: Mapping[str, Tap], call: str) -> Iterator[Tap]:
    """Yield what the calls directly inside a call return."""
    return (tap for tap in taps.values() if tap.call.rpartition("/")[0] == call and "/" in tap.call)
