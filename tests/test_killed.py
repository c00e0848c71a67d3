"""A process that is killed while it records leaves every finished step whole, and nothing that is not."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

import act_widgets as aw

from .fresh import ROOT
from .killed import LAYERS
from .records import assert_same, record
from .soak import TIMES
from .writers import WRITERS, events

ROUNDS, TRAININGS = 3 * TIMES, TIMES


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """The folder with what was left behind, and the last step that each process had finished, by kind."""
    folder = tmp_path_factory.mktemp("killed")
    command = [sys.executable, "-m", "tests.killed", str(folder), str(ROUNDS), str(TRAININGS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=500 * TIMES)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def wrote(step):
    return dataclasses.replace(record(step % 8, LAYERS), step=step)


def check_events(folder, finished):
    found = events(folder)
    assert list(found) == list(range(len(found)))
    assert len(found) > finished
    tags = {step: {value.tag for value in event.summary.value} for step, event in found.items()}
    for step, there in tags.items():
        made = wrote(step)
        expected = {f"{group}/{a}" for group in ("activations", "gradients") for a in getattr(made, group)}
        assert expected <= there
        assert {f"feature_maps/{address}" for address in LAYERS} <= there


def check_records(folder, finished):
    if not (folder / "about.json").exists() and not (folder / ".zmetadata").exists():
        assert finished == -1
        return
    read = aw.open_recording(folder)
    assert list(read.steps) == list(range(len(read.steps)))
    assert len(read.steps) > finished
    for step in read.steps:
        assert_same(read.read(step), wrote(step))


@pytest.mark.parametrize("kind", WRITERS)
def test_killed_while_it_writes(kind, left):
    folder, finished = left
    assert len(finished[kind]) == ROUNDS
    assert len(set(finished[kind])) > 1
    check = check_events if kind.startswith("tf") else check_records
    for number, last in enumerate(finished[kind]):
        check(folder / kind / str(number), last)


def test_killed_while_it_trains(left):
    """All writers at once: what one has of a step, the others have too."""
    assert len(left[1]["training"]) == TRAININGS
    for number, last in enumerate(left[1]["training"]):
        folder = left[0] / "training" / str(number)
        npy, zarr = aw.open_recording(folder / "npy"), aw.open_recording(folder / "zarr")
        for read in (npy, zarr):
            assert list(read.steps)[: last + 1] == list(range(last + 1))
            assert len(read.steps) <= last + 2
        both = set(npy.steps) & set(zarr.steps)
        for step in both:
            assert_same(zarr.read(step), npy.read(step))
            summary = npy.read(step).summaries["conv"]
            assert summary.mean == pytest.approx(float(npy.read(step).activations["conv"].mean()), rel=1e-5)
        for kind in ("tf1", "tf2"):
            found = events(folder / kind)
            assert set(range(last + 1)) <= set(found)
            for step, event in found.items():
                values = {value.tag: value for value in event.summary.value}
                assert {"activations/conv", "gradients/conv", "feature_maps/conv", "mean/conv"} <= set(values)
                if kind == "tf1" and step in both:
                    assert values["mean/conv"].simple_value == np.float32(
                        npy.read(step).summaries["conv"].mean
                    )
