"""Grad-CAM: channels weighted by the mean gradient of the class's score."""

from __future__ import annotations

import numpy as np

from .method import Method


def grad_cam(activation: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Return each channel's share of the map, before channels are added up.

    Parameters
    ----------
    activation, gradient : (batch, ..., channels) float32
        A layer's activations A, and the gradient of the score y with respect to them.

    Returns
    -------
    (batch, ..., channels) float32
        ``alpha_k * A_k`` with ``alpha_k`` the mean of ``dy / dA_k`` over all positions.

    References
    ----------
    Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization", equations 1 and 2. The map is ``relu(sum_k alpha_k * A_k)``.
    """
    positions = tuple(range(1, activation.ndim - 1))
    alpha = gradient.mean(axis=positions, keepdims=True)
    return alpha * activation


GRAD_CAM = Method(name="grad_cam", title="Grad-CAM", shares=grad_cam)
