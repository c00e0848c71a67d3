"""Zarr arrays that grow with the steps, all at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .safe_names import safe_name
from .zarr_place import METADATA, ZarrPlace

# Numbers share chunks of so many steps, or bytes: each step writes its chunk anew.
_STEPS_A_CHUNK, _BYTES_A_CHUNK = 512, 1 << 16
_COLUMNS = 64
# Steps that there is room for ahead; Zarr looks for each that is not needed in the end.
_AHEAD = 16


class _Table(NamedTuple):
    """An array along steps.

    Attributes
    ----------
    path : str
        Where it is.
    array : zarr.Array
        With room for steps to come.
    column : int
        Which column of `recorded` says whether it has something of a step.
    """

    path: str
    array: Any
    column: int


class ZarrTables:
    """The arrays of a recording while it is written.

    Arrays are longer than what they hold. How many steps count stands in the consolidated metadata alone, one
    small file that is replaced as a whole by `finish`.

    Parameters
    ----------
    place : ZarrPlace
        Where they are written to; empty.
    groups : sequence of str
        What groups of arrays there are.
    attributes : dict
        What is kept at the root.
    samples : int
        Length of the axis that is called ``sample``.
    """

    def __init__(
        self, place: ZarrPlace, groups: Sequence[str], attributes: Mapping[str, Any], samples: int
    ) -> None:
        self._place = place
        self._samples = samples
        self._count = 0
        self._tables: dict[tuple[Any, ...], _Table] = {}
        self._paths: set[str] = set()
        self._marked: set[int] = set()
        self._metadata: dict[str, Any] = {}
        self._root = place.begin()
        self._root.attrs.put(attributes)
        for name in groups:
            self._root.create_group(name)
        for path in ("", *(f"{name}/" for name in groups)):
            self._learn(f"{path}.zgroup", f"{path}.zattrs")
        self._recorded = self._grown("recorded", np.zeros(_COLUMNS, bool), ["column"], _STEPS_A_CHUNK)

    def describe(self, attributes: Mapping[str, Any]) -> None:
        """Put other attributes at the root, and show them."""
        self._root.attrs.put(attributes)
        self._learn(".zattrs")
        self.publish()

    def keep(self, group: str, name: str, array: np.ndarray, axes: Sequence[str] = ()) -> None:
        """Write an array that has no steps."""
        array = _storable(array)
        path = self._new_path(group, name)
        chunk = array.shape
        self._make(path, array, array.shape, chunk, axes or self._axes(path, array), name=name)[...] = array

    def add(self, group: str, name: str, value: Any, axes: Sequence[str] = (), **attributes: Any) -> None:
        """Write the values of the step that comes; those of another shape go to an array of their own."""
        value = _storable(np.asarray(value))
        key = (group, name, value.shape, value.dtype.str)
        if key not in self._tables:
            path = self._new_path(group, name)
            is_one_by_one = value.ndim and not axes
            chunk = 1 if is_one_by_one else min(_STEPS_A_CHUNK, _BYTES_A_CHUNK // max(value.nbytes, 1) or 1)
            column = len(self._tables)
            axes = axes or self._axes(path, value)
            array = self._grown(path, value, axes, chunk, name=name, column=column, **attributes)
            self._tables[key] = _Table(path, array, column)
        table = self._tables[key]
        self._fill(table.array, value)
        self._marked.add(table.column)

    def finish(self) -> None:
        """Count the step whose values were added."""
        if len(self._tables) > self._recorded.shape[1]:
            columns = -(-len(self._tables) // _COLUMNS) * _COLUMNS
            self._recorded.resize((self._recorded.shape[0], columns))
        self._fill(self._recorded, np.isin(np.arange(self._recorded.shape[1]), list(self._marked)))
        self._marked.clear()
        self._count += 1
        self.publish()

    def publish(self) -> None:
        """Show whoever reads as many steps as are finished."""
        for path, array in self._growing():
            self._metadata[f"{path}/.zarray"]["shape"] = [self._count, *array.shape[1:]]
        known = {"zarr_consolidated_format": 1, "metadata": self._metadata}
        # Sorted: zarr 3.1 loses arrays of a group that do not stand together.
        self._place.put(METADATA, json.dumps(known, sort_keys=True).encode())

    def trim(self) -> None:
        """Make each array as long as what it holds."""
        for _, array in self._growing():
            if array.shape[0] != self._count:
                array.resize((self._count, *array.shape[1:]))

    def _growing(self) -> list[tuple[str, Any]]:
        return [("recorded", self._recorded), *((table.path, table.array) for table in self._tables.values())]

    def _fill(self, array: Any, value: np.ndarray) -> None:
        if self._count >= array.shape[0]:
            array.resize((self._count + _AHEAD, *array.shape[1:]))
        array[self._count] = value

    def _grown(self, path: str, like: np.ndarray, axes: Sequence[str], chunk: int, **attributes: Any) -> Any:
        chunks = (chunk, *like.shape)
        return self._make(path, like, (self._count, *like.shape), chunks, ["step", *axes], **attributes)

    def _make(
        self,
        path: str,
        like: np.ndarray,
        shape: tuple[int, ...],
        chunks: tuple[int, ...],
        axes: Sequence[str],
        **attributes: Any,
    ) -> Any:
        # Any other value that stands for "missing" would be taken for it wherever it occurs.
        missing = np.nan if like.dtype.kind in "fc" else None
        chunks = tuple(max(n, 1) for n in chunks)
        made = self._place.create(
            self._root, path, shape=shape, chunks=chunks, dtype=like.dtype, fill_value=missing
        )
        made.attrs.put({"_ARRAY_DIMENSIONS": list(axes), **attributes})
        self._learn(f"{path}/.zarray", f"{path}/.zattrs")
        return made

    def _learn(self, *names: str) -> None:
        for name in names:
            data = self._place.get(name)
            if data is not None:
                self._metadata[name] = json.loads(data)

    def _new_path(self, group: str, name: str) -> str:
        taken = [path.rpartition("/")[2] for path in self._paths if path.rpartition("/")[0] == group]
        path = f"{group}/{safe_name(name, taken)}".lstrip("/")
        self._paths.add(path)
        return path

    def _axes(self, path: str, value: np.ndarray) -> list[str]:
        """Return names of axes that no other array of the group has at another length."""
        own = path.rpartition("/")[2]
        names = [f"{own}.{i}" for i in range(value.ndim)]
        return ["sample", *names[1:]] if value.ndim and len(value) == self._samples else names


def _storable(array: np.ndarray) -> np.ndarray:
    """Return an array of a dtype that Zarr has: words as text, small floats of other libraries as float32."""
    if array.dtype.kind == "O":
        return array.astype(str)
    return array.astype(np.float32) if array.dtype.kind == "V" else array
