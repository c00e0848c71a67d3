"""Open a recording that somebody wrote."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..errors import InputError
from .npy_log import NpyRecording, is_npy_recording
from .record import Recording

_FORMATS: tuple[tuple[str, Callable[[Path], bool], Callable[[Path], Recording]], ...] = (
    ("NpyLog", is_npy_recording, NpyRecording),
)


def open_recording(path: str | os.PathLike[str]) -> Recording:
    """Open a recording, also one that is still being written.

    Parameters
    ----------
    path : str or path
        The folder that a `NpyLog` writes into.

    Returns
    -------
    Recording
        ``.about`` the model and its layers, ``.steps``, and ``.read(step)``.

    Raises
    ------
    InputError
        If there is no recording.
    """
    folder = Path(path)
    for _, is_one, read in _FORMATS:
        if is_one(folder):
            return read(folder)
    names = ", ".join(name for name, _, _ in _FORMATS)
    raise InputError(f"There is no recording. Received: '{folder}'. Expected: a folder written by {names}.")
