"""Where a Zarr recording lies: a local folder, or any address of fsspec."""

from __future__ import annotations

import os
import uuid
from typing import Any

METADATA = ".zmetadata"
ATTRIBUTES = ".zattrs"


class ZarrPlace:
    """A folder or address, and the library that reads and writes arrays there.

    Parameters
    ----------
    address : str or path
        A local folder, ``file://...``, or what fsspec knows, such as ``s3://bucket/run``.
    options : dict, optional
        What fsspec's file system takes.

    Attributes
    ----------
    address : str
        As it is told to the user.
    options : dict or None
        As given.

    Raises
    ------
    ImportError
        If zarr or fsspec is not installed.
    """

    def __init__(self, address: str | os.PathLike[str], options: dict[str, Any] | None = None) -> None:
        try:
            import fsspec
            import zarr
            from fsspec.implementations.local import LocalFileSystem
        except ModuleNotFoundError as error:
            raise ImportError(
                f"ZarrLog needs zarr and fsspec, which can't be imported ({error}). Install them with: "
                'pip install "act-widgets[zarr]". NpyLog works without them.'
            ) from error
        self.address, self.options = os.fspath(address), options
        self._fs, self._root = fsspec.core.url_to_fs(os.path.expanduser(self.address), **options or {})  # noqa: PTH111
        self._is_local = isinstance(self._fs, LocalFileSystem)
        # zarr replaces local files as a whole, fsspec does not: an address such as file:// is a folder too.
        self._where = {"store": self._root} if self._is_local else _remote(self.address, options)
        self._zarr: Any = zarr
        # Format 2 on every version of the library: what is told at the root counts for all arrays there.
        is_old = int(zarr.__version__.partition(".")[0]) < 3
        self._format = {"zarr_version": 2} if is_old else {"zarr_format": 2}
        # Compressing takes three times as long as writing, and gains little on numbers such as these.
        self._plain = {"compressor": None} if is_old else {"compressors": None}

    def begin(self) -> Any:
        """Return a new ``zarr.Group``, to be written to."""
        return self._zarr.open_group(**self._where, mode="a", **self._format)

    def create(self, group: Any, path: str, **properties: Any) -> Any:
        """Return a new array in a group."""
        return group.create(path, **properties, **self._plain)

    def read(self) -> Any:
        """Return the ``zarr.Group`` with all that is finished."""
        return self._zarr.open_consolidated(**self._where, mode="r")

    def names(self) -> list[str]:
        """Return what lies there, by name."""
        if not self._fs.exists(self._root):
            return []
        if not self._fs.isdir(self._root):
            raise NotADirectoryError("it is a file, not a folder")
        self._fs.invalidate_cache(self._root)
        return [path.rstrip("/").rpartition("/")[2] for path in self._fs.ls(self._root, detail=False)]

    def remove(self, name: str) -> None:
        """Remove a file or folder."""
        self._fs.rm(f"{self._root}/{name}", recursive=True)

    def get(self, name: str) -> bytes | None:
        """Return the bytes of a file, None if there is none."""
        try:
            return bytes(self._fs.cat_file(f"{self._root}/{name}"))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def put(self, name: str, data: bytes) -> None:
        """Write a file: whoever reads it finds all of it, or all of the one before."""
        path = f"{self._root}/{name}"
        if not self._is_local:  # object stores show a file once it is whole
            self._fs.pipe_file(path, data)
            return
        whole = f"{path}.{uuid.uuid4().hex}.partial"
        self._fs.pipe_file(whole, data)
        os.replace(whole, path)  # noqa: PTH105


def _remote(address: str, options: dict[str, Any] | None) -> dict[str, Any]:
    return {"store": address, "storage_options": options or {}}
