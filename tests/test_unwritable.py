"""Places that can't be written to: one clear error, and the training goes on unless it is told to stop."""

from __future__ import annotations

import dataclasses
import os
import resource
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import act_widgets as aw

from .records import about, assert_same, record, write
from .trainings import data, network
from .writers import WRITERS, events

pytestmark = pytest.mark.usefixtures("no_old_data")
X, Y = data()
LAYERS = ("conv", "flat", "out")
NOBODY = 65534
KINDS = pytest.mark.parametrize("kind", WRITERS)


@contextmanager
def files_no_longer_than(size):
    """Let the kernel refuse what makes a file longer: as on a full disk, in the midst of writing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def read_only_folder():
    """Make a folder that may be read alone; who may do everything does so as nobody."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o555)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            if is_root:
                os.seteuid(0)
            folder.chmod(0o755)


def check_clear(error, folder):
    assert isinstance(error, OSError | aw.ActWidgetsError)
    for words in (str(folder), "can't be written", "Expected: a place that may be written to"):
        assert words in str(error)


@KINDS
def test_a_file_where_the_folder_should_be(kind, tmp_path):
    (tmp_path / "run").write_text("mine")
    for folder in (tmp_path / "run", tmp_path / "run" / "deeper"):
        with pytest.raises((OSError, aw.ActWidgetsError)) as caught:
            WRITERS[kind](folder).open(about(LAYERS))
        assert str(folder) in str(caught.value)
        assert "Expected" in str(caught.value)
    assert (tmp_path / "run").read_text() == "mine"


@KINDS
def test_a_folder_that_is_read_only(kind, tmp_path):
    write(WRITERS[kind](tmp_path / "loads-what-it-needs"), 1, LAYERS)
    with read_only_folder() as folder:
        writer = WRITERS[kind](folder / "run")
        with pytest.raises(OSError, match="Permission denied") as caught:
            writer.open(about(LAYERS))
    check_clear(caught.value, folder)


@KINDS
def test_a_disk_that_is_full(kind, tmp_path):
    writer = WRITERS[kind](tmp_path / "run")
    write(writer, 1, LAYERS)
    noise = np.random.default_rng(0).normal(size=(2, 400, 400, 2)).astype("float32")
    with files_no_longer_than(100_000), pytest.raises(OSError, match="too large") as caught:
        writer.write(dataclasses.replace(record(1, LAYERS), activations={"conv": noise}))
    check_clear(caught.value, tmp_path / "run")
    if kind.startswith("tf"):
        assert list(events(tmp_path / "run")) == [0]
    else:
        read = aw.open_recording(tmp_path / "run")
        assert list(read.steps) == [0]
        assert_same(read.read(0), record(0, LAYERS))


@KINDS
def test_the_training_goes_on_unless_it_is_told_to_stop(kind, tmp_path):
    probe, _ = data(400)
    alone = network().fit(X, Y, batch_size=4, verbose=0).history
    with files_no_longer_than(30_000):
        recorder = aw.Recorder(probe, every=1, share=None, writers=WRITERS[kind](tmp_path / "run"))
        with pytest.warns(RuntimeWarning, match="can't be written") as warned:
            ours = network().fit(X, Y, batch_size=4, verbose=0, callbacks=[recorder]).history
        (failed,) = [w for w in warned if w.category is RuntimeWarning]
        assert str(tmp_path / "run") in str(failed.message)
        assert ours == alone
        assert len(recorder.steps) == 13
        stops = aw.Recorder(
            probe, every=1, share=None, writers=WRITERS[kind](tmp_path / "other"), on_write_error="stop"
        )
        with pytest.raises(OSError, match="can't be written"):
            network().fit(X, Y, batch_size=4, verbose=0, callbacks=[stops])
