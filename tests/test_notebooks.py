"""Every notebook runs from top to bottom, and is committed without outputs."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import nbformat
import pytest

from .fresh import two_at_a_time

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(path for path in FOLDER.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
CELL_SECONDS = 300

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)

# In a process of its own: the notebook's client starts an event loop, and its kernel may crash.
EXECUTE = f"""
import sys
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout={CELL_SECONDS}, kernel_name="python3").execute(cwd=sys.argv[2])
"""


@pytest.mark.parametrize("name", ["quickstart", "attribution_gallery", "find_a_shortcut", "graph"])
def test_there_is(name):
    assert FOLDER / f"{name}.ipynb" in NOTEBOOKS


def run(path, folder):
    environment = {
        **os.environ,
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    return subprocess.run(
        [sys.executable, "-c", EXECUTE, str(path), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=4 * CELL_SECONDS,
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folders = {path.stem: tmp_path_factory.mktemp(path.stem) for path in NOTEBOOKS}
    with two_at_a_time({path.stem: partial(run, path, folders[path.stem]) for path in NOTEBOOKS}) as running:
        yield running


@each_notebook
def test_notebook_runs(path, runs):
    done = runs[path.stem].result()
    assert done.returncode == 0, done.stderr


@each_notebook
def test_notebook_is_stripped(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    bad = [
        number
        for number, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and (cell.outputs or cell.execution_count is not None)
    ]
    assert not bad, f"cells {bad} carry outputs or counts; run `make format`"
    assert "widgets" not in notebook.metadata, "widget state is saved in the notebook; run `make format`"
