"""Recordings as ``.npy`` files with an index of JSON lines.

::

    folder/
        about.json                  what holds for all records
        index.jsonl                 a line for each finished record: step, epoch, logs, summaries, files
        inputs/0.npy                the probe batch
        step-00000120/output.npy
        step-00000120/003-dense1.npy            activations
        step-00000120/003-dense1.gradient.npy

A record's line is written last, so that what a killed training leaves behind is whole.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .about_json import from_json, goes_on, to_json
from .memory_log import no_step
from .record import About, Record, Summary
from .unwritable import told_of

_ABOUT, _INDEX = "about.json", "index.jsonl"


class NpyLog:
    """Writes activations, gradients and summaries of each record into a folder.

    Parameters
    ----------
    folder : str or path
        Is made if it is not there.
    overwrite : bool
        Whether a recording that is there is replaced. Other files in the folder stay.

    Raises
    ------
    InputError
        When the training begins, if the folder holds another recording.
    OSError
        When the folder can't be written to.
    """

    def __init__(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        self.folder = Path(folder)
        self.overwrite = overwrite
        self._names: dict[str, str] = {}
        self._described: dict[str, Any] = {}
        self._last = -1

    def __repr__(self) -> str:
        return f"NpyLog({str(self.folder)!r})"

    def __deepcopy__(self, memo: Any) -> NpyLog:
        """Return another one for the same folder, which has not begun."""
        return type(self)(self.folder, overwrite=self.overwrite)

    def open(self, about: About) -> None:
        """Begin a recording, or go on with the one that this object began."""
        described = to_json(about)
        if described == self._described:
            return
        if self._described and not goes_on(described, self._described):
            raise self._shared(f"a recording of '{about.model}' comes behind '{self._described['model']}'")
        with told_of(str(self.folder)):
            if not self._described:
                self._begin(about)
            whole = self.folder / f"{_ABOUT}.new"
            whole.write_text(json.dumps(described, indent=1), encoding="utf-8")
            whole.replace(self.folder / _ABOUT)
        self._described = described

    def write(self, record: Record) -> None:
        """Write a record's arrays, then its line.

        Raises
        ------
        InputError
            If a later step is there already, as where two recorders share this object.
        """
        if record.step <= self._last:
            raise self._shared(f"step {record.step} comes behind step {self._last}")
        self._last = record.step
        with told_of(str(self.folder)):
            self._write(record)

    def _shared(self, received: str) -> InputError:
        return InputError(
            f"A NpyLog keeps one recording. Received: {received}, which '{self.folder}' holds already. "
            "Expected: a NpyLog, and a folder, for each recorder."
        )

    def _write(self, record: Record) -> None:
        step = f"step-{record.step:08d}"
        (self.folder / step).mkdir(exist_ok=True)
        _save(self.folder / step / "output.npy", record.output)
        files: dict[str, dict[str, str]] = {"activations": {}, "gradients": {}}
        for kind, arrays, ending in (
            ("activations", record.activations, ".npy"),
            ("gradients", record.gradients, ".gradient.npy"),
        ):
            for address, array in arrays.items():
                files[kind][address] = f"{step}/{self._names[address]}{ending}"
                _save(self.folder / files[kind][address], array)
        line = {
            "step": record.step,
            "epoch": record.epoch,
            "seconds": record.seconds,
            "time": datetime.fromtimestamp(record.time, timezone.utc).isoformat(),
            "logs": {name: _number(value) for name, value in record.logs.items()},
            "output": f"{step}/output.npy",
            **files,
            "summaries": {
                address: {name: _number(value) for name, value in summary._asdict().items()}
                for address, summary in record.summaries.items()
            },
        }
        _append(self.folder / _INDEX, json.dumps(line) + "\n")

    def close(self) -> None:
        """End the recording; every record is on the disk already."""

    @property
    def recording(self) -> NpyRecording:
        """What is there so far."""
        return NpyRecording(self.folder)

    def _begin(self, about: About) -> None:
        """Write all but what says that there is a recording."""
        self._make_room()
        (self.folder / "inputs").mkdir(parents=True, exist_ok=True)
        for index, array in enumerate(about.inputs.values()):
            _save(self.folder / "inputs" / f"{index}.npy", array)
        (self.folder / _INDEX).touch()
        self._names = _file_names(about.taps)

    def _make_room(self) -> None:
        if not (self.folder / _ABOUT).exists():
            return
        if not self.overwrite:
            raise InputError(
                f"There is a recording already. Received: folder '{self.folder}'. "
                "Expected: another folder, or overwrite=True."
            )
        for path in [*self.folder.glob("step-*"), self.folder / "inputs"]:
            shutil.rmtree(path, ignore_errors=True)
        for name in (_ABOUT, _INDEX):
            (self.folder / name).unlink(missing_ok=True)


class NpyRecording:
    """Reads what a `NpyLog` wrote, also while it goes on.

    Parameters
    ----------
    folder : str or path
        The folder.

    Raises
    ------
    InputError
        If there is no recording.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        try:
            described = json.loads((self.folder / _ABOUT).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InputError(
                f"There is no recording. Received: folder '{self.folder}'. "
                f"Expected: one that NpyLog wrote, with '{_ABOUT}' in it."
            ) from error
        self._described = described
        # Where each record's line lies in the index, and how far that was read.
        self._places: dict[int, tuple[int, int]] = {}
        self._end = 0
        self._looking = threading.Lock()

    def __repr__(self) -> str:
        steps = self.steps
        span = f", {steps[0]} to {steps[-1]}" if steps else ""
        return f"Recording of '{self._described['model']}' in '{self.folder}': {len(steps)} steps{span}"

    @property
    def about(self) -> About:
        """What holds for all records."""
        names = self._described["inputs"]
        arrays = (_load(self.folder / "inputs" / f"{i}.npy") for i in range(len(names)))
        return from_json(self._described, dict(zip(names, arrays, strict=True)))

    @property
    def steps(self) -> Sequence[int]:
        """The steps that are there, ascending."""
        return sorted(self._look())

    def read(self, step: int) -> Record:
        """Return the record of a step; its arrays are read when they are looked up."""
        place = self._look().get(step)
        if place is None:
            raise no_step(step, self.steps)
        with (self.folder / _INDEX).open("rb") as index:
            index.seek(place[0])
            line = json.loads(index.read(place[1]))
        summaries = line["summaries"].items()
        return Record(
            step=step,
            epoch=line["epoch"],
            seconds=line["seconds"],
            logs={name: float(value) for name, value in line["logs"].items()},
            output=_load(self.folder / line["output"]),
            activations=_Files(self.folder, line["activations"]),
            gradients=_Files(self.folder, line["gradients"]),
            time=datetime.fromisoformat(line["time"]).timestamp(),
            summaries={a: Summary(**{k: _back(k, v) for k, v in s.items()}) for a, s in summaries},
        )

    def _look(self) -> dict[int, tuple[int, int]]:
        """Return where the lines of the index lie; only what was added since is read."""
        with self._looking, (self.folder / _INDEX).open("rb") as index:
            if index.seek(0, os.SEEK_END) < self._end:  # another recording took its place
                self._places, self._end = {}, 0
            index.seek(self._end)
            for line in index:
                # What has no end yet is being written, or was when the training was killed.
                if line.endswith(b"\n"):
                    self._places[json.loads(line)["step"]] = self._end, len(line)
                    self._end += len(line)
            return dict(self._places)


def is_npy_recording(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is one that a `NpyLog` wrote."""
    return (Path(folder) / _ABOUT).is_file()


class _Files(Mapping[str, np.ndarray]):
    """Arrays that are read from their files when they are looked up."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self._folder = folder
        self._files = files

    def __getitem__(self, address: str) -> np.ndarray:
        return _load(self._folder / self._files[address])

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def _save(path: Path, array: np.ndarray) -> None:
    # Words are objects in memory; as fixed-width text they need no pickle.
    kept = array.astype(str) if array.dtype == object else array
    # By way of memory: NumPy itself can't tell why a disk refuses what it writes.
    whole = io.BytesIO()
    np.save(whole, kept, allow_pickle=False)
    path.write_bytes(whole.getbuffer())


def _load(path: Path) -> np.ndarray:
    array = np.load(path, allow_pickle=False)
    array.flags.writeable = False
    return array


def _append(path: Path, line: str) -> None:
    """Append a whole line, or nothing."""
    with path.open("ab", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        data = line.encode()
        written = 0
        try:
            written = file.write(data) or 0
        finally:
            if written < len(data):
                file.truncate(end)
        if written < len(data):
            raise OSError(f"No space for a line of the index '{path}'.")


def _file_names(addresses: Iterable[str]) -> dict[str, str]:
    """Return a file name for each layer: its number and what of its address any file system takes."""
    return {a: f"{i:03d}-{re.sub(r'[^A-Za-z0-9_.#-]+', '.', a)[-80:]}" for i, a in enumerate(addresses)}


def _number(value: float | None) -> float | str | None:
    """Return a number as JSON has it: what is not finite as a string."""
    return value if value is None or isfinite(value) else str(value)


def _back(name: str, value: Any) -> Any:
    return value if value is None or name in ("nan", "infinite") else float(value)
