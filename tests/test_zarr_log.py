"""Recordings as Zarr arrays."""

from __future__ import annotations

import dataclasses
import json
import re

import fsspec
import numpy as np
import pytest
import zarr
from fsspec.implementations.memory import MemoryFileSystem

import act_widgets as aw

from .fresh import run_fresh
from .records import HOSTILE, about, assert_same, record, write
from .trainings import data, network

X, Y = data()


@pytest.fixture(params=["folder", "file", "memory"])
def address(request, tmp_path):
    places = {
        "folder": str(tmp_path / "run"),
        "file": f"file://{tmp_path}/deep/run",
        "memory": f"memory:/{tmp_path}",
    }
    return places[request.param]


def root_of(address):
    return zarr.open_consolidated(address.removeprefix("file://"), mode="r")


def test_what_was_recorded_is_read_value_by_value(address):
    writer = aw.ZarrLog(address)
    write(writer, 6)
    for read in (writer.recording, aw.open_recording(address)):
        assert list(read.steps) == list(range(6))
        for step in read.steps:
            assert_same(read.read(step), record(step))
        ours, theirs = about(), read.about
        assert (theirs.model, theirs.taps, theirs.explained) == (ours.model, ours.taps, ours.explained)
        assert theirs.labels == ours.labels
        assert list(theirs.taps) == list(HOSTILE)
        for name, array in ours.inputs.items():
            assert theirs.inputs[name].tolist() == array.tolist()


def test_a_training_is_the_same_as_its_recorder_kept_it(address):
    recorder = aw.Recorder(X[:5], every=1, share=None, writers=aw.ZarrLog(address), targets=Y[:5])
    network(metrics=["accuracy"]).fit(X, Y, batch_size=16, epochs=2, verbose=0, callbacks=[recorder])
    read = aw.open_recording(address)
    assert list(read.steps) == list(recorder.steps) == list(range(7))
    for step in read.steps:
        assert_same(read.read(step), recorder.read(step))


def test_zarr_alone_reads_it(address):
    writer = aw.ZarrLog(address)
    write(writer, 3, ("conv", "block/dense"))
    root = root_of(address)
    assert root["step"][:].tolist() == [0, 1, 2]
    conv = root["activations/conv"]
    assert conv.shape == (3, 2, 4, 4, 2)
    assert conv.chunks == (1, 2, 4, 4, 2)
    assert conv.attrs["_ARRAY_DIMENSIONS"] == ["step", "sample", "conv.1", "conv.2", "conv.3"]
    np.testing.assert_array_equal(conv[2], record(2, ("conv", "block/dense")).activations["conv"])
    assert root["activations/block.dense"].attrs["name"] == "block/dense"
    assert root["layer"][:].tolist() == ["conv", "block/dense"]
    where = root["summary"][:].tolist().index("largest")
    largest = [record(step, ("conv", "block/dense")).summaries["conv"].largest for step in range(3)]
    assert root["summaries"][:, 0, where].tolist() == largest
    assert root["logs/loss"][:].tolist() == [0.0, 0.5, pytest.approx(1 / 3)]
    np.testing.assert_array_equal(root["inputs/image"], about().inputs["image"])


def test_arrays_of_a_group_share_their_axes(address):
    """What xarray asks for: equal names are equal lengths, among the finished steps and at the end."""
    writer = aw.ZarrLog(address)
    write(writer, 5)
    for end in (lambda: None, writer.close):
        end()
        root = root_of(address)
        for group in (root, *(group for _, group in root.groups())):
            lengths = {}
            for _, array in group.arrays():
                names = array.attrs["_ARRAY_DIMENSIONS"]
                for name, length in zip(names, array.shape, strict=True):
                    assert lengths.setdefault(name, length) == length
            assert lengths.get("step", 5) == 5


def test_after_the_end_each_array_is_as_long_by_itself(tmp_path):
    writer = aw.ZarrLog(tmp_path / "run")
    write(writer, 5)
    writer.close()
    for path in (tmp_path / "run").rglob(".zarray"):
        known = json.loads(path.read_bytes())
        if json.loads(path.with_name(".zattrs").read_bytes())["_ARRAY_DIMENSIONS"][0] == "step":
            assert known["shape"][0] == 5, path


def test_names_are_such_that_any_disk_takes_them(tmp_path):
    write(aw.ZarrLog(tmp_path / "run"), 1)
    names = sorted(path.name for path in (tmp_path / "run" / "activations").iterdir() if path.is_dir())
    assert len({name.lower() for name in names}) == len(names) == len(HOSTILE)
    assert all(re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}", name) for name in names)
    assert "con" not in names
    assert {"conv", "Conv-2", "block.conv", "block.conv-2"} <= set(names)


def test_a_second_training_goes_on(address):
    writer = aw.ZarrLog(address)
    write(writer, 2)
    writer.close()
    writer.open(about())
    writer.write(record(7))
    writer.close()
    assert list(writer.recording.steps) == [0, 1, 7]
    for step in (0, 1, 7):
        assert_same(writer.recording.read(step), record(step))
    with pytest.raises(aw.InputError, match="a ZarrLog for each"):
        writer.open(about(("other",)))


def test_shapes_that_change_and_layers_that_are_left_out(address):
    writer = aw.ZarrLog(address)
    writer.open(about(("kept",)))
    made = []
    for step, shape in enumerate([(2, 3), (5, 3), None, (0, 3), (2, 3)]):
        arrays = {} if shape is None else {"kept": np.full(shape, step, "int32")}
        made.append(dataclasses.replace(record(step, ("kept",)), activations=arrays, gradients={}))
        writer.write(made[-1])
    for wrote in made:
        assert_same(writer.recording.read(wrote.step), wrote)


def test_more_arrays_than_at_first(address):
    many = tuple(f"layer{index}" for index in range(70))
    writer = aw.ZarrLog(address)
    writer.open(about(many))
    writer.write(record(0, many[:3]))
    writer.write(record(1, many))
    for step, layers in ((0, many[:3]), (1, many)):
        assert_same(writer.recording.read(step), record(step, layers))


def test_another_recording_is_not_written_over(address):
    write(aw.ZarrLog(address), 3)
    with pytest.raises(aw.InputError, match=r"There is a recording already.*overwrite=True"):
        aw.ZarrLog(address).open(about())
    assert list(aw.open_recording(address).steps) == [0, 1, 2]
    write(aw.ZarrLog(address, overwrite=True), 1, ("conv",))
    assert list(aw.open_recording(address).steps) == [0]
    assert list(aw.open_recording(address).about.taps) == ["conv"]


def test_other_files_are_never_removed(tmp_path):
    (tmp_path / "thesis.tex").write_text("years")
    with pytest.raises(aw.InputError, match=r"thesis\.tex.*new or empty"):
        aw.ZarrLog(tmp_path, overwrite=True).open(about())
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_places_without_a_recording(address, tmp_path):
    with pytest.raises(aw.InputError, match="no recording"):
        aw.open_recording(address)
    zarr.open_group(tmp_path / "theirs", mode="w")
    with pytest.raises(aw.InputError, match="no recording"):
        aw.open_recording(tmp_path / "theirs")
    write(aw.ZarrLog(address), 2)
    with pytest.raises(aw.InputError, match="Nearest: 1, 0"):
        aw.open_recording(address).read(9)


def test_a_recording_is_read_while_it_goes_on(address):
    writer = aw.ZarrLog(address)
    writer.open(about())
    read = aw.open_recording(address)
    assert list(read.steps) == []
    for step in range(3):
        writer.write(record(step))
        assert list(read.steps) == list(range(step + 1))
        assert_same(read.read(step), record(step))


class Locked(MemoryFileSystem):
    """A store that wants a key."""

    protocol = "locked"

    def __init__(self, *args, key="", **given):
        super().__init__(*args, **given)
        if key != "sesame":
            raise PermissionError("no key")


def test_options_are_those_of_the_file_system():
    fsspec.register_implementation("locked", Locked, clobber=True)
    writer = aw.ZarrLog("locked://run", storage_options={"key": "sesame"})
    write(writer, 2)
    assert_same(writer.recording.read(1), record(1))
    with pytest.raises(PermissionError, match="no key"):
        aw.open_recording("locked://run")


def test_without_zarr_the_error_names_the_command():
    done = run_fresh("import sys; sys.modules['zarr'] = None\nimport act_widgets as aw\naw.ZarrLog('x')")
    assert 'pip install "act-widgets[zarr]"' in done.stderr.splitlines()[-1]
