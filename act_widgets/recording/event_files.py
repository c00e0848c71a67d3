"""Recordings as TensorBoard event files."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, listed
from ..rendering.axes import Axes
from ..rendering.pictures import Picture
from .feature_sheet import feature_sheet, sheet_axes
from .record import About, Record
from .unwritable import told_of

FORMATS = ("tf1", "tf2")
_NUMBERS = ("mean", "deviation", "zeros", "dead", "gradient_norm", "weight_norm")
_file_numbers = count()


class EventFiles:
    """Writes each record into an event file, which TensorBoard shows while the training goes on.

    Histograms are under ``activations/<address>`` and ``gradients/<address>``, feature maps of the first
    sample under ``feature_maps/<address>``, the numbers of a summary under ``mean/<address>``,
    ``dead/<address>`` and so on, the loss and metrics under ``logs/<name>``. Histograms count what is
    finite. Needs the extra ``tensorboard``.

    Parameters
    ----------
    folder : str or path
        Is made if it is not there. TensorBoard takes all event files of a folder for one run.
    format : "tf2" or "tf1"
        As ``tf.summary`` writes today, or as readers of TensorFlow 1 expect it.
    images : bool
        Whether feature maps are drawn.
    histograms : bool
        Whether activations and gradients are counted.

    Raises
    ------
    ImportError
        If tensorboard is not installed.
    InputError
        If there is no such format.
    OSError
        When the folder can't be written to.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        format: str = "tf2",  # noqa: A002 as TensorFlow and Keras call it
        images: bool = True,
        histograms: bool = True,
    ) -> None:
        if format not in FORMATS:
            raise InputError(f"No such format. Received: format={format!r:.80}. Expected: {listed(FORMATS)}.")
        try:
            from . import event_values
        except ModuleNotFoundError as error:
            raise ImportError(
                f"EventFiles needs tensorboard, which can't be imported ({error}). Install it with: "
                'pip install "act-widgets[tensorboard]". NpyLog works without it.'
            ) from error
        self.folder, self.format = Path(folder), format
        self.images, self.histograms = images, histograms
        self._events = event_values
        self._values = event_values.Tf1Values() if format == "tf1" else event_values.Tf2Values()
        self._file: Any = None
        self._about: About | None = None
        self._axes: dict[tuple[Any, ...], Axes] = {}

    def __repr__(self) -> str:
        return f"EventFiles({str(self.folder)!r})"

    def __deepcopy__(self, memo: Any) -> EventFiles:
        """Return another one for the same folder, which has not begun."""
        return type(self)(self.folder, format=self.format, images=self.images, histograms=self.histograms)

    def open(self, about: About) -> None:
        """Begin another event file in the folder, unless one is open."""
        if self._file is not None:
            return
        from tensorflow.io import TFRecordWriter

        self._about, self._axes = about, {}
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}"
        with told_of(str(self.folder)):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = TFRecordWriter(str(self.folder / f"{name}.{next(_file_numbers)}"))
            self._put(self._events.beginning())

    def write(self, record: Record) -> None:
        """Write a record as one event."""
        assert self._file is not None
        with told_of(str(self.folder)):
            self._put(self._events.event(record.step, record.time, list(self._of(record))))

    def close(self) -> None:
        """Close the event file."""
        file, self._file = self._file, None
        if file is not None:
            with told_of(str(self.folder)):
                file.close()

    def _put(self, event: bytes) -> None:
        self._file.write(event)
        self._file.flush()

    def _of(self, record: Record) -> Iterator[Any]:
        for name, value in record.logs.items():
            yield self._values.scalar(_tag("logs", name), value)
        for address, summary in record.summaries.items():
            for name in _NUMBERS:
                value = getattr(summary, name)
                if value is not None:
                    yield self._values.scalar(_tag(name, address), value)
        for group in ("activations", "gradients") if self.histograms else ():
            for address, array in _real(getattr(record, group)):
                yield self._values.histogram(_tag(group, address), array)
        for address, array in _real(record.activations) if self.images else ():
            yield self._values.picture(_tag("feature_maps", address), self._sheet(address, array))

    def _sheet(self, address: str, array: np.ndarray) -> Picture:
        assert self._about is not None
        key = (address, array.shape)
        if key not in self._axes:
            self._axes[key] = sheet_axes(self._about.taps, address, array.shape)
        return feature_sheet(array[0], self._axes[key])


def _real(arrays: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the arrays of real numbers that are not empty."""
    return ((a, array) for a, array in arrays.items() if array.dtype.kind in "biuf" and array.size)


def _tag(group: str, name: str) -> str:
    """Return a tag; what Unicode has no bytes for becomes a question mark."""
    return f"{group}/{name}".encode("utf-8", "replace").decode()
