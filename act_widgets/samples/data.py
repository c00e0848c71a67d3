"""Scikit-learn's handwritten digits, parted into those to train on and those held out."""

from __future__ import annotations

import numpy as np

DIGIT_NAMES = tuple("0123456789")

# The file stands in blocks, each by one writer and beginning with 0 to 9. Three blocks start here,
# so that the held-out digits are not by a hand whose other digits were trained on.
_HELD_OUT_FROM = 1415


def training_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the digits to train on: images ``(1415, 8, 8, 1)`` float32 in [0, 1] and classes."""
    images, classes = _all_digits()
    return images[:_HELD_OUT_FROM], classes[:_HELD_OUT_FROM]


def held_out_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the digits never trained on, the first ten being 0 to 9.

    Returns
    -------
    images : (382, 8, 8, 1) float32 ndarray
        Ink in [0, 1].
    classes : (382,) int64 ndarray
        The digit that was written.

    Raises
    ------
    ImportError
        If scikit-learn is not installed.
    """
    images, classes = _all_digits()
    return images[_HELD_OUT_FROM:], classes[_HELD_OUT_FROM:]


def _all_digits() -> tuple[np.ndarray, np.ndarray]:
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise ImportError(
            "samples.digits() shows scikit-learn's handwritten digits, but scikit-learn can't be "
            f'imported ({error}). Install it with: pip install "act-widgets[samples]". '
            "samples.shapes() works without it."
        ) from error
    pixels, classes = load_digits(return_X_y=True)
    return (pixels / 16).reshape(-1, 8, 8, 1).astype("float32"), classes
