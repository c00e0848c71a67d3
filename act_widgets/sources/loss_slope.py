"""The gradient of a loss at a model's output."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..errors import InputError


class LossSlope:
    """The slope of a loss for given targets.

    A cross-entropy behind a softmax or sigmoid is differentiated at the logits, as training does it:
    at the probabilities its gradient vanishes where they are rounded to 0.

    Parameters
    ----------
    loss : str, callable or keras.Loss
        As the model was compiled with.
    targets : array_like
        ``(batch, ...)``, as `fit` takes them.

    Attributes
    ----------
    name : str
        The loss's.

    Raises
    ------
    InputError
        If it is not one loss.
    """

    def __init__(self, loss: Any, targets: Any) -> None:
        if loss is None or isinstance(loss, list | tuple | dict):
            raise InputError(
                f"Gradients of a loss need a model compiled with one loss. Received: loss={loss!r:.80}. "
                "Expected: targets=None, for gradients of the class that each sample is given first."
            )
        self._loss = keras.losses.get(loss)
        self._targets = tf.convert_to_tensor(targets)
        self.name = getattr(self._loss, "name", None) or getattr(self._loss, "__name__", str(loss))

    def of(self, output: np.ndarray, activation: str | None) -> tuple[np.ndarray, bool]:
        """Return the mean loss's gradient, and whether it is the one at the logits.

        Parameters
        ----------
        output : (batch, ..., units) ndarray
            What the model returns.
        activation : str or None
            ``"softmax"`` or ``"sigmoid"`` if one makes the output of logits.
        """
        loss, place = self._loss, output
        on_logits = None if activation is None else _on_logits(loss)
        if on_logits is not None:
            loss = on_logits
            least = np.finfo(np.float32).tiny
            place = np.log(np.maximum(output, least))
            if activation == "sigmoid":
                place = place - np.log(np.maximum(1 - output, least))
        with tf.GradientTape() as tape:
            given = tf.convert_to_tensor(place)
            tape.watch(given)
            total = tf.reduce_mean(loss(self._targets, given))
        return tape.gradient(total, given).numpy(), on_logits is not None


def _on_logits(loss: Any) -> Any:
    """Return a loss of probabilities as one of logits; None if it has no such form."""
    if isinstance(loss, keras.Loss):
        settings = loss.get_config()
        is_ready = settings.get("from_logits") is False
        return type(loss).from_config({**settings, "from_logits": True}) if is_ready else None
    is_ready = "from_logits" in inspect.signature(loss).parameters
    return functools.partial(loss, from_logits=True) if is_ready else None
