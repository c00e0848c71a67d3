"""Open a recording that somebody wrote."""

from __future__ import annotations

import os
from collections.abc import Callable

from ..errors import InputError
from .npy_log import NpyRecording, is_npy_recording
from .record import Recording
from .zarr_log import ZarrRecording, is_zarr_recording

Address = str | os.PathLike[str]

_FORMATS: tuple[tuple[str, Callable[[Address], bool], Callable[[Address], Recording]], ...] = (
    ("NpyLog", is_npy_recording, NpyRecording),
    ("ZarrLog", is_zarr_recording, ZarrRecording),
)


def open_recording(path: Address) -> Recording:
    """Open a recording, also one that is still being written.

    Parameters
    ----------
    path : str or path
        The folder that a `NpyLog` or `ZarrLog` writes into, or an address of fsspec. One that needs options
        is opened by ``ZarrLog(address, storage_options=...).recording``.

    Returns
    -------
    Recording
        ``.about`` the model and its layers, ``.steps``, and ``.read(step)``.

    Raises
    ------
    InputError
        If there is no recording.
    """
    for _, is_one, read in _FORMATS:
        if is_one(path):
            return read(path)
    names = ", ".join(name for name, _, _ in _FORMATS)
    raise InputError(f"There is no recording. Received: '{path}'. Expected: a folder written by {names}.")
