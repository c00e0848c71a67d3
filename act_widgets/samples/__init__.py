"""Two small trained models with pictures they never saw, to try the widgets on without a download.

``digits()`` reads real handwriting, ``shapes()`` reads coloured pictures drawn by code. Keras and
scikit-learn are loaded when a sample is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras
    import numpy as np

__all__ = ["digits", "shapes"]

_DIGITS_SHOWN = 80
_SHAPES_SHOWN = 48


def digits() -> tuple[keras.Model, np.ndarray, tuple[str, ...]]:
    """Return a trained reader of handwritten digits and digits it was not trained on.

    Returns
    -------
    model : keras.Model
        ``digits_cnn``, a Functional network from ``(batch, 8, 8, 1)`` to ten probabilities.
    images : (80, 8, 8, 1) float32 ndarray
        Held-out digits in [0, 1], 1 being ink. The first ten are the digits 0 to 9.
    labels : tuple of str
        The names of the ten classes.

    Raises
    ------
    ImportError
        If scikit-learn, which brings the digits, is not installed.

    Examples
    --------
    >>> model, images, labels = act_widgets.samples.digits()  # doctest: +SKIP
    >>> act_widgets.explore(model, images, labels=labels)  # doctest: +SKIP
    """
    from .data import DIGIT_NAMES, held_out_digits

    # The digits come first, so that a missing scikit-learn is told before Keras is loaded.
    images = held_out_digits()[0][:_DIGITS_SHOWN]

    from .architectures import digits_cnn
    from .weights import load_weights

    return load_weights(digits_cnn()), images, DIGIT_NAMES


def shapes() -> tuple[keras.Model, np.ndarray, tuple[str, ...]]:
    """Return a trained classifier of coloured shapes and pictures it was not trained on.

    Returns
    -------
    model : keras.Model
        ``shapes_cnn``, a Functional network from ``(batch, 64, 64, 3)`` to eight probabilities.
    images : (48, 64, 64, 3) float32 ndarray
        Held-out pictures in [0, 1]. The first eight show one shape of each class.
    labels : tuple of str
        The names of the eight classes.

    Examples
    --------
    >>> model, images, labels = act_widgets.samples.shapes()  # doctest: +SKIP
    >>> act_widgets.explore(model, images, labels=labels)  # doctest: +SKIP
    """
    from .architectures import shapes_cnn
    from .pictures import SHAPE_NAMES, SHOWN_SEED, draw_pictures
    from .weights import load_weights

    images, _ = draw_pictures(_SHAPES_SHOWN, SHOWN_SEED)
    return load_weights(shapes_cnn()), images, SHAPE_NAMES
