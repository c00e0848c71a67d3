"""Open a recording that somebody wrote, and find the one in what a session is given."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ..errors import InputError
from .npy_log import NpyRecording, is_npy_recording
from .record import Recording
from .source import RecordedSource
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
    found = _reader_of(path)
    if found is None:
        names = ", ".join(name for name, _, _ in _FORMATS)
        raise InputError(
            f"There is no recording. Received: '{os.fspath(path)}'. Expected: a folder written by {names}."
        )
    return found(path)


def recording_in(given: Any) -> Recording | None:
    """Return the recording that something is, has or leads to; None if it is something else."""
    if isinstance(given, RecordedSource):
        return given.timeline.recording
    if isinstance(given, str | os.PathLike):
        return open_recording(given) if _reader_of(given) else None
    if _is_recording(given):
        return given
    found = getattr(given, "recording", None)
    return found if _is_recording(found) else None


def _reader_of(path: Address) -> Callable[[Address], Recording] | None:
    return next((read for _, is_one, read in _FORMATS if is_one(path)), None)


def _is_recording(given: Any) -> bool:
    return all(hasattr(given, name) for name in ("about", "steps", "read"))
