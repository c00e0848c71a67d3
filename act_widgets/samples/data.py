"""Scikit-learn's handwritten digits, parted into those to train on and those held out."""

from __future__ import annotations

import numpy as np

DIGIT_NAMES = tuple("0123456789")

# The file goes from writer to writer, so the last digits are by hands that the model never saw.
_HELD_OUT = 360


def training_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the digits to train on: images ``(1437, 8, 8, 1)`` float32 in [0, 1] and classes."""
    images, classes = _all_digits()
    return images[:-_HELD_OUT], classes[:-_HELD_OUT]


def held_out_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the digits never trained on, the first ten being 0 to 9.

    Returns
    -------
    images : (360, 8, 8, 1) float32 ndarray
        Ink in [0, 1].
    classes : (360,) int64 ndarray
        The digit that was written.
    """
    images, classes = _all_digits()
    images, classes = images[-_HELD_OUT:], classes[-_HELD_OUT:]
    first = [int(np.argmax(classes == digit)) for digit in range(10)]
    order = np.concatenate([first, np.setdiff1d(np.arange(_HELD_OUT), first)])
    return images[order], classes[order]


def _all_digits() -> tuple[np.ndarray, np.ndarray]:
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise ImportError(
            "samples.digits() shows scikit-learn's handwritten digits, and scikit-learn can't be "
            'imported. Install it with: pip install "act-widgets[samples]". '
            "samples.shapes() needs nothing more."
        ) from error
    pixels, classes = load_digits(return_X_y=True)
    return (pixels / 16).reshape(-1, 8, 8, 1).astype("float32"), classes
