"""Class activation maps: channels of a layer, weighted by the gradient of the score."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from .method import LAYER, SIGNED, Method, Step
from .question import Question

Shares = Callable[[np.ndarray, np.ndarray], np.ndarray]


def grad_cam(activation: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Return each channel's share of the map, before channels are added up.

    Parameters
    ----------
    activation, gradient : (..., channels) float32
        A layer's activations A, and the gradient of the score S with respect to them.

    Returns
    -------
    (..., channels) float32
        ``alpha_k * A_k`` with ``alpha_k`` the mean of ``dS / dA_k`` over all positions.

    References
    ----------
    Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization", equations 1 and 2. The map is ``relu(sum_k alpha_k * A_k)``.
    """
    return _mean(gradient) * activation


def grad_cam_pp(activation: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Return each channel's share of the map.

    For parameters and shapes see `grad_cam`. The weight of a channel is the sum over positions of
    ``alpha * relu(g)`` with ``alpha = g**2 / (2 * g**2 + sum(A_k) * g**3)``, 0 where the denominator
    is. The paper explains ``exp(S)``; its factor ``exp(S)``, one positive number for the whole map, is
    left out, since it overflows.

    References
    ----------
    Chattopadhay et al. 2018, "Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep
    Convolutional Networks", equations 5, 10 and 19.
    """
    # Divided by g**2: the powers of very small and very large gradients are beyond float32.
    below = 2 + _sum(activation) * gradient
    alpha = np.divide(1, below, out=np.zeros_like(below), where=(below != 0) & (gradient != 0))
    return _sum(alpha * np.maximum(gradient, 0)) * activation


def layer_cam(activation: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Return each channel's share of the map: ``relu(dS / dA) * A``, position by position.

    For parameters and shapes see `grad_cam`.

    References
    ----------
    Jiang et al. 2021, "LayerCAM: Exploring Hierarchical Class Activation Maps for Localization",
    equations 5 and 6.
    """
    return np.maximum(gradient, 0) * activation


def _sum(values: np.ndarray) -> np.ndarray:
    return values.sum(axis=tuple(range(values.ndim - 1)), keepdims=True)


def _mean(values: np.ndarray) -> np.ndarray:
    return values.mean(axis=tuple(range(values.ndim - 1)), keepdims=True)


def _run(shares: Shares, question: Question) -> Iterator[Step]:
    activation, gradient = question.value, question.gradient()
    facts = {}
    if shares is grad_cam_pp and activation.min(initial=0) < 0:
        facts["remark"] = (
            f"'{question.address}' has negative activations, where the denominator of Grad-CAM++ can change "
            "its sign."
        )
    yield Step(shares(activation, gradient), facts=facts)


def _method(name: str, title: str, shares: Shares) -> Method:
    return Method(name, title, partial(_run, shares), LAYER, "relu", parameters=(SIGNED,))


GRAD_CAM = _method("grad_cam", "Grad-CAM", grad_cam)
GRAD_CAM_PP = _method("grad_cam_pp", "Grad-CAM++", grad_cam_pp)
LAYER_CAM = _method("layer_cam", "LayerCAM", layer_cam)
