"""Recordings as Zarr arrays: one for each layer, with the steps along its first axis.

::

    address/
        step, epoch, seconds, time  (steps,)
        output                      (steps, batch, ..., units)
        summaries                   (steps, layers, numbers), named by `layer` and `summary`
        recorded                    (steps, columns): whether an array has something of a step
        activations/conv1           (steps, batch, ...), a chunk for each step
        gradients/conv1             the same
        logs/loss                   (steps,)
        inputs/image                (batch, ...)

A step is finished when the consolidated metadata counts it: what a killed training leaves behind is whole for
everything that opens the recording at its root. Names are such that any disk takes them; the attribute
``name`` has the address, ``column`` the column of `recorded`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .about_json import FORMAT, from_json, goes_on, to_json
from .memory_log import no_step
from .record import About, Record, Summary
from .unwritable import told_of
from .zarr_place import ATTRIBUTES, METADATA, ZarrPlace
from .zarr_tables import ZarrTables

_GROUPS = ("activations", "gradients", "inputs", "logs")
# What stands for "none" among counts and norms, which are never negative.
_NONE = -1.0


class ZarrLog:
    """Writes activations, gradients and summaries of each record as Zarr arrays.

    ``zarr.open_consolidated(address)`` and ``xarray.open_zarr(address, group="activations")`` read what it
    wrote, also while it goes on. Needs the extra ``zarr``.

    Parameters
    ----------
    address : str or path
        A folder, which is made if it is not there, or any address of fsspec such as ``s3://bucket/run``.
    storage_options : dict, optional
        What fsspec's file system takes.
    overwrite : bool
        Whether a recording that is there is replaced.

    Raises
    ------
    ImportError
        If zarr or fsspec is not installed.
    InputError
        When the training begins, if there is another recording, or anything else.
    OSError
        When it can't be written.
    """

    def __init__(
        self,
        address: str | os.PathLike[str],
        *,
        storage_options: dict[str, Any] | None = None,
        overwrite: bool = False,
    ) -> None:
        self._place = ZarrPlace(address, storage_options)
        self.overwrite = overwrite
        self._tables: ZarrTables | None = None
        self._described: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"ZarrLog({self._place.address!r})"

    def __deepcopy__(self, memo: Any) -> ZarrLog:
        """Return another one for the same place, which has not begun."""
        options = self._place.options
        return type(self)(self._place.address, storage_options=options, overwrite=self.overwrite)

    @property
    def recording(self) -> ZarrRecording:
        """What is there so far."""
        return ZarrRecording(self._place.address, storage_options=self._place.options)

    def open(self, about: About) -> None:
        """Begin a recording, or go on with the one that this object began."""
        described = to_json(about)
        if self._tables is not None:
            self._go_on(self._tables, described)
            return
        with told_of(self._place.address):
            self._make_room()
            samples = next((len(array) for array in about.inputs.values()), 0)
            tables = ZarrTables(self._place, _GROUPS, described, samples)
            tables.keep("", "layer", np.array(list(about.taps)), ["layer"])
            tables.keep("", "summary", np.array(Summary._fields), ["summary"])
            for address, array in about.inputs.items():
                tables.keep("inputs", address, array)
            tables.publish()
        self._tables, self._described = tables, described

    def write(self, record: Record) -> None:
        """Write a record's arrays, then count its step."""
        tables = self._tables
        assert tables is not None
        with told_of(self._place.address):
            for name in ("step", "epoch", "seconds"):
                tables.add("", name, getattr(record, name))
            tables.add("", "time", record.time, units="seconds since 1970-01-01")
            tables.add("", "output", record.output)
            for group in ("logs", "activations", "gradients"):
                for name, value in getattr(record, group).items():
                    tables.add(group, name, value)
            layers = [tap["address"] for tap in self._described["taps"]]
            tables.add("", "summaries", _table(record.summaries, layers), ["layer", "summary"])
            tables.finish()

    def close(self) -> None:
        """End the recording; every record is written already."""
        if self._tables is not None:
            with told_of(self._place.address):
                self._tables.trim()

    def _go_on(self, tables: ZarrTables, described: dict[str, Any]) -> None:
        """Check that the recording is the same, and write down what is new of it."""
        if not goes_on(described, self._described):
            raise InputError(
                "A ZarrLog keeps one recording, with the same layers throughout. Received: model "
                f"'{described['model']}' after '{self._described['model']}'. Expected: a ZarrLog for each."
            )
        if described != self._described:
            with told_of(self._place.address):
                tables.describe(described)
            self._described = described

    def _make_room(self) -> None:
        names = self._place.names()
        if not names:
            return
        if json.loads(self._place.get(ATTRIBUTES) or b"{}").get("format") != FORMAT:
            raise InputError(
                f"A recording takes a place of its own. Received: '{self._place.address}', where there is "
                f"'{sorted(names)[0]}'. Expected: a folder or address that is new or empty."
            )
        if not self.overwrite:
            raise InputError(
                f"There is a recording already. Received: '{self._place.address}'. "
                "Expected: another folder or address, or overwrite=True."
            )
        # What says that it is a recording goes last, what says that it is whole goes first.
        for name in sorted(names, key=lambda name: (name == ATTRIBUTES) - (name == METADATA)):
            self._place.remove(name)


class ZarrRecording:
    """Reads what a `ZarrLog` wrote, also while it goes on.

    Parameters
    ----------
    address : str or path
        The folder, or the address of fsspec.
    storage_options : dict, optional
        What fsspec's file system takes.

    Raises
    ------
    ImportError
        If zarr or fsspec is not installed.
    InputError
        If there is no recording.
    """

    def __init__(
        self, address: str | os.PathLike[str], *, storage_options: dict[str, Any] | None = None
    ) -> None:
        self._place = ZarrPlace(address, storage_options)
        known = json.loads(self._place.get(METADATA) or b"{}").get("metadata", {})
        if known.get(ATTRIBUTES, {}).get("format") != FORMAT:
            raise InputError(
                f"There is no recording. Received: '{self._place.address}'. "
                "Expected: a folder or address that ZarrLog wrote."
            )

    def __repr__(self) -> str:
        root = self._place.read()
        steps = self.steps
        span = f", {steps[0]} to {steps[-1]}" if steps else ""
        return f"Recording of '{root.attrs['model']}' in '{self._place.address}': {len(steps)} steps{span}"

    @property
    def about(self) -> About:
        """What holds for all records."""
        root = self._place.read()
        arrays = {array.attrs["name"]: array[...] for _, array in root["inputs"].arrays()}
        return from_json(root.attrs, {address: arrays[address] for address in root.attrs["inputs"]})

    @property
    def steps(self) -> Sequence[int]:
        """The steps that are there, ascending."""
        root = self._place.read()
        return sorted(root["step"][...].tolist()) if "step" in root else []

    def read(self, step: int) -> Record:
        """Return the record of a step; its arrays are read when they are looked up."""
        root = self._place.read()
        steps = root["step"][...].tolist() if "step" in root else []
        if step not in steps:
            raise no_step(step, steps)
        index = steps.index(step)
        logs = _Rows(root, "logs", index)
        layers = [tap["address"] for tap in root.attrs["taps"]]
        return Record(
            step=step,
            epoch=int(root["epoch"][index]),
            seconds=float(root["seconds"][index]),
            time=float(root["time"][index]),
            logs={name: float(value) for name, value in logs.items()},
            output=_Rows(root, "", index)["output"],
            activations=_Rows(root, "activations", index),
            gradients=_Rows(root, "gradients", index),
            summaries=_summaries(root["summaries"][index], layers),
        )


def is_zarr_recording(address: str | os.PathLike[str]) -> bool:
    """Whether a place is one that a `ZarrLog` may have written; of an address that is no folder, yes."""
    return "://" in os.fspath(address) or (Path(address) / METADATA).is_file()


class _Rows(Mapping[str, np.ndarray]):
    """What the arrays of a group have of one step, read when it is looked up."""

    def __init__(self, root: Any, group: str, index: int) -> None:
        there = root["recorded"][index]
        arrays = [array for _, array in (root[group] if group else root).arrays()]
        arrays = [array for array in arrays if "column" in array.attrs]
        arrays.sort(key=lambda array: array.attrs["column"])
        self._index = index
        self._arrays = {a.attrs["name"]: a for a in arrays if there[a.attrs["column"]]}

    def __getitem__(self, name: str) -> np.ndarray:
        values = np.asarray(self._arrays[name][self._index])
        values.flags.writeable = False
        return values

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)


def _table(summaries: Mapping[str, Summary], layers: Sequence[str]) -> np.ndarray:
    """Return summaries as numbers, ``(layers, fields)``; a layer without one has less than 0 NaN."""
    nothing = (_NONE,) * len(Summary._fields)
    known = dict(summaries)  # by whole addresses alone
    rows = [known.get(address, nothing) for address in layers]
    table = np.array([[_NONE if value is None else value for value in row] for row in rows], np.float64)
    return table.reshape(len(layers), len(nothing))


def _summaries(table: np.ndarray, layers: Sequence[str]) -> dict[str, Summary]:
    found = {}
    for address, row in zip(layers, table.tolist(), strict=True):
        summary = Summary(*row)
        if summary.nan != _NONE:
            found[address] = summary._replace(
                nan=int(summary.nan),
                infinite=int(summary.infinite),
                gradient_norm=None if summary.gradient_norm == _NONE else summary.gradient_norm,
                weight_norm=None if summary.weight_norm == _NONE else summary.weight_norm,
            )
    return found
