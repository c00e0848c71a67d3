"""The attribution methods a second time, written from the papers, to compare the two.

Nothing of act_widgets is used here. A score is a plain function of what is varied, from an array
``(batch, ...)`` to a tensor ``(batch,)``. Arrays have their channels last. Whoever compares a model
takes it apart by hand and passes its ReLUs in as `Gates`, so that their gradients can be exchanged.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

Score = Callable[[Any], Any]


class Explained(NamedTuple):
    """What a method says: `values` (batch, *positions, channels) and `maps` (batch, *positions)."""

    values: np.ndarray
    maps: np.ndarray


class Gates(NamedTuple):
    """The two ReLUs of a model that was taken apart."""

    relu: Callable[[Any], Any]
    relu6: Callable[[Any], Any]


def gate(forward: Callable[[Any], Any], backward: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    """Return `forward` with the gradient ``backward(x, g)``."""

    @tf.custom_gradient
    def gated(x: Any) -> Any:
        return forward(x), lambda g: backward(x, g)

    return gated


def _where(condition: Any, g: Any) -> Any:
    return tf.where(condition, g, tf.zeros_like(g))


PLAIN = Gates(tf.nn.relu, tf.nn.relu6)
GUIDED = Gates(
    gate(tf.nn.relu, lambda x, g: _where((x > 0) & (g > 0), g)),
    gate(tf.nn.relu6, lambda x, g: _where((x > 0) & (x < 6) & (g > 0), g)),
)
DECONVNET = Gates(
    gate(tf.nn.relu, lambda x, g: _where(g > 0, g)),
    gate(tf.nn.relu6, lambda x, g: _where(g > 0, g)),
)


# --- a layer's arithmetic without its activation ---


def convolve(layer: Any, x: Any) -> Any:
    """The convolution of a Conv2D layer, in the layer's own precision."""
    dtype = layer.compute_dtype
    y = tf.nn.conv2d(
        tf.cast(x, dtype), tf.cast(layer.kernel.value, dtype), layer.strides, layer.padding.upper()
    )
    return y if layer.bias is None else y + tf.cast(layer.bias.value, dtype)


def multiply(layer: Any, x: Any) -> Any:
    """The matrix product of a Dense layer, in the layer's own precision."""
    dtype = layer.compute_dtype
    y = tf.matmul(tf.cast(x, dtype), tf.cast(layer.kernel.value, dtype))
    return y if layer.bias is None else y + tf.cast(layer.bias.value, dtype)


# --- gradients ---


def gradient(score: Score, x: Any) -> np.ndarray:
    """The gradient of each sample's score; samples don't meet, so that their sum has it too."""
    x = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(tf.cast(score(x), tf.float32))
    found = tape.gradient(total, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return tf.cast(found, tf.float32).numpy()


def quick_gradient(score: Score, x: np.ndarray) -> Callable[[Any], np.ndarray]:
    """The same, compiled once for arrays like `x`."""

    @tf.function(input_signature=[tf.TensorSpec(x.shape, x.dtype)])
    def compiled(at: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(at)
            total = tf.reduce_sum(tf.cast(score(at), tf.float32))
        return tape.gradient(total, at, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    return lambda at: compiled(tf.cast(at, x.dtype)).numpy()


def _float32(a: Any) -> np.ndarray:
    return np.asarray(tf.cast(a, tf.float32))


def _positions(a: np.ndarray) -> tuple[int, ...]:
    return tuple(range(1, a.ndim - 1))


def _with_channels(values: np.ndarray) -> np.ndarray:
    return values[..., None] if values.ndim == 2 else values


def _strongest(values: np.ndarray) -> Explained:
    values = _with_channels(values)
    return Explained(values, np.abs(values).max(-1))


def _summed(values: np.ndarray) -> Explained:
    values = _with_channels(values)
    return Explained(values, values.sum(-1))


def _cam(values: np.ndarray, signed: bool) -> Explained:
    total = values.sum(-1)
    return Explained(values, total if signed else np.maximum(total, 0))


# --- class activation maps ---


def grad_cam(score: Score, maps: Any, signed: bool = False) -> Explained:
    """Selvaraju et al. 2017, equations 1 and 2."""
    g, a = gradient(score, maps), _float32(maps)
    return _cam(g.mean(_positions(g), keepdims=True) * a, signed)


def grad_cam_pp(score: Score, maps: Any, signed: bool = False) -> Explained:
    """Chattopadhay et al. 2018, equations 6 and 19, the derivatives of exp(S) without their exp(S)."""
    g, a = gradient(score, maps).astype("float64"), _float32(maps).astype("float64")
    denominator = 2 * g**2 + a.sum(_positions(a), keepdims=True) * g**3
    alpha = np.divide(g**2, denominator, out=np.zeros_like(g), where=denominator != 0)
    weights = (alpha * np.maximum(g, 0)).sum(_positions(g), keepdims=True)
    return _cam((weights * a).astype("float32"), signed)


def layer_cam(score: Score, maps: Any, signed: bool = False) -> Explained:
    """Jiang et al. 2021, equations 5 to 7."""
    return _cam(np.maximum(gradient(score, maps), 0) * _float32(maps), signed)


def upsampled(maps: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Maps (batch, height, width, channels) or (batch, length, channels), bilinear, half-pixel centres."""
    if maps.ndim == 3:
        return tf.image.resize(maps[:, :, None], (shape[0], 1), method="bilinear").numpy()[:, :, 0]
    return tf.image.resize(maps, tuple(shape), method="bilinear").numpy()


def score_cam(score: Score, maps: Any, x: np.ndarray, signed: bool = False) -> Explained:
    """Wang et al. 2020, equations 4 to 6; `score` is that of an input.

    A channel that is the same everywhere masks nothing and is left out of the softmax.
    """
    a = _float32(maps)
    large = upsampled(a, x.shape[1:-1])
    axes = _positions(large)
    low, high = large.min(axes, keepdims=True), large.max(axes, keepdims=True)
    varies = (high > low).reshape(len(a), -1)
    masks = (large - low) / np.where(high > low, high - low, 1)
    scores = np.stack([_float32(score(x * masks[..., k : k + 1])) for k in range(a.shape[-1])], 1)
    powers = np.exp(scores - scores.max(1, keepdims=True)) * varies
    total = powers.sum(1, keepdims=True)
    weights = powers / np.where(total > 0, total, 1)
    return _cam(weights.reshape(len(a), *[1] * len(axes), -1) * a, signed)


# --- gradients of the input ---


def saliency(score: Score, x: Any) -> Explained:
    """Simonyan et al. 2014, section 3."""
    return _strongest(gradient(score, x))


def gradient_x_input(score: Score, x: Any) -> Explained:
    """Shrikumar et al. 2016."""
    return _summed(gradient(score, x) * _float32(x))


def guided_backprop(score: Score, x: Any) -> Explained:
    """Springenberg et al. 2015; `score` was built with the gates GUIDED."""
    return saliency(score, x)


def deconvnet(score: Score, x: Any) -> Explained:
    """Zeiler and Fergus 2014; `score` was built with the gates DECONVNET."""
    return saliency(score, x)


def integrated_gradients(score: Score, x: np.ndarray, baseline: Any = 0.0, steps: int = 1500) -> Explained:
    """Sundararajan et al. 2017, equation 1, by the midpoints of many equal steps."""
    start = np.broadcast_to(np.asarray(baseline, x.dtype), x.shape)
    at = quick_gradient(score, x)
    mean = sum(at(start + (i + 0.5) / steps * (x - start)) for i in range(steps)) / steps
    return _summed((x - start) * mean)


def smooth_grad(
    score: Score, x: np.ndarray, samples: int, noise: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Smilkov et al. 2017: the mean gradient and its standard error, each of the shape of `x`."""
    rng = np.random.default_rng(seed)
    each = tuple(range(1, x.ndim))
    spread = noise * (x.max(each, keepdims=True) - x.min(each, keepdims=True))
    at = quick_gradient(score, x)
    found = np.stack([at(x + spread * rng.normal(size=x.shape)) for _ in range(samples)])
    return found.mean(0), found.std(0, ddof=1) / np.sqrt(samples)


# --- what the score loses ---


def windows(shape: Sequence[int], patch: int, stride: int) -> Iterator[tuple[slice, ...]]:
    """Every place of a patch that lies wholly inside, `stride` apart."""
    starts = [range(0, size - patch + 1, stride) for size in shape]
    for corner in itertools.product(*starts):
        yield tuple(slice(first, first + patch) for first in corner)


def occlusion(score: Score, x: np.ndarray, patch: int, stride: int, fill: float | None = None) -> Explained:
    """Zeiler and Fergus 2014, section 4.2; patches must tile every side."""
    shape = x.shape[1:-1]
    filling = x.mean(_positions(x), keepdims=True) if fill is None else np.full((1,), fill, x.dtype)
    total, count = np.zeros(x.shape[:-1]), np.zeros(shape)
    whole = _float32(score(x))
    for window in windows(shape, patch, stride):
        hidden = x.copy()
        hidden[(slice(None), *window)] = filling
        drop = whole - _float32(score(hidden))
        total[(slice(None), *window)] += drop.reshape(-1, *[1] * len(shape))
        count[window] += 1
    maps = (total / count).astype("float32")
    return Explained(maps[..., None], maps)


def rise_masks(
    shape: Sequence[int], masks: int, cells: int, keep: float, rng: np.random.Generator
) -> np.ndarray:
    """Petsiuk et al. 2018, section 3.2: (masks, height, width) in [0, 1]."""
    cell = [-(-size // cells) for size in shape]
    grids = (rng.random((masks, cells + 1, cells + 1, 1)) < keep).astype("float32")
    large = upsampled(grids, [(cells + 1) * size for size in cell])[..., 0]
    shifts = rng.integers(0, cell, size=(masks, 2))
    return np.stack(
        [m[dy : dy + shape[0], dx : dx + shape[1]] for m, (dy, dx) in zip(large, shifts, strict=True)]
    )


def rise(
    score: Score, x: np.ndarray, masks: int, cells: int, keep: float, fill: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Petsiuk et al. 2018, equation 6: maps (batch, height, width) and their standard errors."""
    drawn = rise_masks(x.shape[1:-1], masks, cells, keep, np.random.default_rng(seed))
    found = np.stack(
        [
            _float32(score(x * m[..., None] + fill * (1 - m[..., None]))).reshape(-1, 1, 1) * m / keep
            for m in drawn.astype(x.dtype)
        ]
    )
    return found.mean(0), found.std(0, ddof=1) / np.sqrt(masks)
