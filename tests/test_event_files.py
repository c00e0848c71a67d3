"""Recordings as TensorBoard event files, read by TensorBoard and TensorFlow."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import subprocess
import sys
import urllib.parse
import urllib.request

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

import act_widgets as aw

from .fresh import ROOT, run_fresh
from .records import about, record, write
from .trainings import data, network

X, Y = data()
ALL = dict.fromkeys(("scalars", "tensors", "histograms", "images"), 0)
# Tags are text that has bytes.
ADDRESSES = ("conv", "block/conv", "é 😀\n\"'\\", "x" * 300)


def accumulated(folder):
    return EventAccumulator(str(folder), size_guidance=ALL).Reload()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The same records in both formats, and what TensorBoard reads of them."""
    folder = tmp_path_factory.mktemp("runs")
    for name in ("tf1", "tf2"):
        writer = aw.EventFiles(folder / name, format=name)
        write(writer, 3, ADDRESSES)
        writer.close()
    return folder


def scalars(folder):
    """Every scalar that TensorBoard finds: tag to step to float32."""
    acc = accumulated(folder)
    found = {tag: {e.step: np.float32(e.value) for e in acc.Scalars(tag)} for tag in acc.Tags()["scalars"]}
    for tag in acc.Tags()["tensors"]:
        if acc.SummaryMetadata(tag).plugin_data.plugin_name == "scalars":
            found[tag] = {e.step: make_ndarray(e.tensor_proto)[()] for e in acc.Tensors(tag)}
    return found


def expected_scalars():
    expected = {}
    for made in (record(step, ADDRESSES) for step in range(3)):
        numbers = {f"logs/{name}": value for name, value in made.logs.items()}
        for address, summary in made.summaries.items():
            for name in ("mean", "deviation", "zeros", "dead", "gradient_norm", "weight_norm"):
                numbers[f"{name}/{address}"] = getattr(summary, name)
        for tag, value in numbers.items():
            if value is not None:
                expected.setdefault(tag, {})[made.step] = np.float32(value)
    return expected


@pytest.mark.parametrize("name", ["tf1", "tf2"])
def test_scalars_are_those_recorded(written, name):
    np.testing.assert_equal(scalars(written / name), expected_scalars())


def check_histogram(low, high, buckets, values):
    """Compare the buckets that a reader shows with counts by NumPy."""
    values = values[np.isfinite(values)].astype(np.float64)
    lefts, rights, counts = np.array(buckets, float).T
    assert counts.sum() == values.size
    np.testing.assert_allclose([low, high], [values.min(), values.max()], rtol=1e-6)
    np.testing.assert_allclose(rights[:-1], lefts[1:], rtol=1e-6)
    # By the left ends, but for values within rounding of an end.
    inner = np.searchsorted(values[np.argsort(values)], lefts[1:])
    np.testing.assert_allclose(np.cumsum(counts)[:-1], inner, atol=1)


@pytest.mark.parametrize("group", ["activations", "gradients"])
def test_histograms_of_today_count_what_was_recorded(written, group):
    acc = accumulated(written / "tf2")
    for step in range(3):
        for address, values in getattr(record(step, ADDRESSES), group).items():
            events = {e.step: make_ndarray(e.tensor_proto) for e in acc.Tensors(f"{group}/{address}")}
            buckets = events[step]
            check_histogram(buckets[0, 0], buckets[-1, 1], buckets, values)


@pytest.mark.parametrize("group", ["activations", "gradients"])
def test_histograms_of_tensorflow_1_count_what_was_recorded(written, group):
    acc = accumulated(written / "tf1")
    for step in range(3):
        for address, values in getattr(record(step, ADDRESSES), group).items():
            histo = {e.step: e.histogram_value for e in acc.Histograms(f"{group}/{address}")}[step]
            finite = values[np.isfinite(values)].astype(np.float64)
            assert (histo.min, histo.max, histo.num) == (finite.min(), finite.max(), finite.size)
            np.testing.assert_allclose([histo.sum, histo.sum_squares], [finite.sum(), (finite**2).sum()])
            lefts = [histo.min, *histo.bucket_limit[:-1]]
            rows = list(zip(lefts, histo.bucket_limit, histo.bucket, strict=True))
            check_histogram(histo.min, histo.bucket_limit[-1], rows, values)


def pictures(folder):
    """Every picture that TensorBoard finds: tag to step to (width, height, PNG)."""
    acc = accumulated(folder)
    found = {
        tag: {e.step: (e.width, e.height, e.encoded_image_string) for e in acc.Images(tag)}
        for tag in acc.Tags()["images"]
    }
    for tag in acc.Tags()["tensors"]:
        if acc.SummaryMetadata(tag).plugin_data.plugin_name == "images":
            values = {e.step: make_ndarray(e.tensor_proto) for e in acc.Tensors(tag)}
            found[tag] = {step: (int(w), int(h), png) for step, (w, h, png) in values.items()}
    return found


@pytest.mark.parametrize("name", ["tf1", "tf2"])
def test_pictures_are_the_feature_maps(written, name):
    """Two channels of 4 × 4 with a line between them, each value a square of one colour."""
    found = pictures(written / name)
    assert set(found) == {f"feature_maps/{address}" for address in ADDRESSES}
    for tag, by_step in found.items():
        for step, (width, height, png) in by_step.items():
            rgba = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))
            assert rgba.shape == (height, width, 4)
            np.testing.assert_array_equal(tf.io.decode_png(png, channels=4), rgba)
            side = height // 9
            cells = rgba[side // 2 :: side, side // 2 :: side]
            np.testing.assert_array_equal(cells.repeat(side, 0).repeat(side, 1), rgba)
            values = record(step, ADDRESSES).activations[tag.removeprefix("feature_maps/")][0]
            check_colours(np.concatenate([cells[:4], cells[5:]], 1), values)


def check_colours(cells, values):
    """Red for what is positive, blue for what is negative, magenta for NaN, stronger for larger values."""
    flat = np.concatenate([values[..., 0], values[..., 1]], 1)
    colours = cells[..., :3].astype(int)
    np.testing.assert_array_equal((colours == (255, 0, 255)).all(-1), ~np.isfinite(flat))
    finite = np.isfinite(flat)
    order = np.argsort(flat[finite])
    warmth = (colours[..., 0] - colours[..., 2])[finite][order]
    assert (np.sign(warmth[[0, -1]]) == (-1, 1)).all()
    assert (flat[finite][order][warmth > 20] > 0).all()
    assert (flat[finite][order][warmth < -20] < 0).all()


def test_tensorflow_1_reads_its_format(written):
    (path,) = (written / "tf1").iterdir()
    first, *events = tf.compat.v1.train.summary_iterator(str(path))
    assert first.file_version == "brain.Event:2"
    assert [(event.step, event.wall_time) for event in events] == [(s, record(s).time) for s in range(3)]
    for event in events:
        made = record(event.step, ADDRESSES)
        values = {value.tag: value for value in event.summary.value}
        np.testing.assert_equal(values["logs/loss"].simple_value, np.float32(made.logs["loss"]))
        assert values["mean/conv"].simple_value == np.float32(made.summaries["conv"].mean)
        assert values["activations/conv"].histo.num == np.isfinite(made.activations["conv"]).sum()
        image = values["feature_maps/conv"].image
        decoded = tf.io.decode_png(image.encoded_image_string)
        assert decoded.shape == (image.height, image.width, image.colorspace)
        assert {value.WhichOneof("value") for value in values.values()} == {"simple_value", "histo", "image"}


def test_tensorflow_2_reads_its_format(written):
    (path,) = (written / "tf2").iterdir()
    _, *events = tf.compat.v1.train.summary_iterator(str(path))
    values = {value.tag: value for value in events[1].summary.value}
    mean = tf.make_ndarray(values["mean/conv"].tensor)
    assert (mean.dtype, mean.shape, mean) == (
        np.float32,
        (),
        np.float32(record(1, ADDRESSES).summaries["conv"].mean),
    )
    assert tf.make_ndarray(values["activations/conv"].tensor).shape[1] == 3


RANKS = {
    "single": (2,),
    "units": (2, 10),
    "many_units": (2, 3000),
    "sequence": (2, 12, 5),
    "maps": (2, 5, 7, 3),
    "large_maps": (2, 200, 300, 40),
    "volume": (2, 3, 4, 5, 6),
    "video": (2, 2, 3, 4, 5, 6),
}


@pytest.mark.parametrize("kind", ["float32", "float16", "int32", "bool"])
def test_layers_of_any_rank_and_dtype_have_pictures(tmp_path, kind):
    arrays = {name: np.random.default_rng(0).normal(size=shape).astype(kind) for name, shape in RANKS.items()}
    arrays |= {"empty": np.zeros((2, 0), kind), "words": np.array([["a"], ["b"]])}
    writer = aw.EventFiles(tmp_path)
    writer.open(about(tuple(arrays)))
    writer.write(dataclasses.replace(record(0, ("conv",)), activations=arrays, summaries={}))
    writer.close()
    found = pictures(tmp_path)
    assert set(found) == {f"feature_maps/{name}" for name in RANKS}
    assert all(100 <= max(sizes[0][:2]) <= 1100 for sizes in found.values())


def test_names_that_have_no_bytes_are_written_all_the_same(tmp_path):
    writer = aw.EventFiles(tmp_path)
    write(writer, 1, ("half \ud800 surrogate", ""))
    assert {"mean/half ? surrogate", "mean/"} <= set(scalars(tmp_path))


def test_only_what_is_asked_for_is_written(tmp_path):
    write(aw.EventFiles(tmp_path / "plain", images=False, histograms=False), 1, ADDRESSES)
    acc = accumulated(tmp_path / "plain")
    plugins = {acc.SummaryMetadata(tag).plugin_data.plugin_name for tag in acc.Tags()["tensors"]}
    assert plugins == {"scalars"}
    with pytest.raises(aw.InputError, match="'tf1', 'tf2'"):
        aw.EventFiles(tmp_path, format="tf3")


def test_each_step_is_there_as_soon_as_it_is_written(tmp_path):
    writer = aw.EventFiles(tmp_path)
    writer.open(about(ADDRESSES))
    for step in range(3):
        writer.write(record(step, ADDRESSES))
        assert [e.step for e in accumulated(tmp_path).Tensors("mean/conv")] == list(range(step + 1))


def test_a_second_training_goes_on_in_the_same_run(tmp_path):
    recorder = aw.Recorder(X[:5], every=1, share=None, writers=aw.EventFiles(tmp_path))
    model = network()
    for _ in range(2):
        model.fit(X, Y, batch_size=16, epochs=1, verbose=0, callbacks=[recorder])
    assert len(list(tmp_path.iterdir())) == 2
    means = {e.step: make_ndarray(e.tensor_proto)[()] for e in accumulated(tmp_path).Tensors("mean/conv")}
    assert means == {s: np.float32(recorder.read(s).summaries["conv"].mean) for s in recorder.steps}


@pytest.fixture(scope="module")
def board(written):
    """TensorBoard itself, on a port of this machine; the address it serves on."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(written), "--port", "0"]
    command += ["--host", "127.0.0.1", "--load_fast", "false", "--reload_interval", "1"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as started:
        said = []
        for line in started.stderr:
            said.append(line)
            address = re.search(r"http://127\.0\.0\.1:\d+", line)
            if address:
                break
        else:
            raise AssertionError("".join(said))
        try:
            yield address[0]
        finally:
            started.terminate()
            started.communicate(timeout=60)


def asked(board, route, **query):
    with urllib.request.urlopen(
        f"{board}/data/plugin/{route}?{urllib.parse.urlencode(query)}", timeout=60
    ) as answer:
        return answer.read()


def loaded(board):
    """Wait until TensorBoard has read all files: it reads them behind its first answers."""
    for _ in range(10_000):
        tags = json.loads(asked(board, "images/tags"))
        if len(tags) == 2 and all(len(run) == len(ADDRESSES) for run in tags.values()):
            return tags
    raise AssertionError(tags)


@pytest.mark.parametrize("run", ["tf1", "tf2"])
def test_tensorboard_serves_histograms_and_pictures(board, written, run):
    assert set(loaded(board)[run]) == {f"feature_maps/{address}" for address in ADDRESSES}
    for address in ADDRESSES:
        shown = json.loads(asked(board, "histograms/histograms", run=run, tag=f"activations/{address}"))
        assert [step for _, step, _ in shown] == [0, 1, 2]
        for _, step, buckets in shown:
            values = record(step, ADDRESSES).activations[address]
            check_histogram(buckets[0][0], buckets[-1][1], buckets, values)
        listed = json.loads(asked(board, "images/images", run=run, tag=f"feature_maps/{address}", sample=0))
        drawn = pictures(written / run)[f"feature_maps/{address}"]
        assert [image["step"] for image in listed] == list(drawn)
        for image in listed:
            png = asked(board, f"images/individualImage?{image['query']}")
            assert png == drawn[image["step"]][2]
    loss = json.loads(asked(board, "scalars/scalars", run=run, tag="logs/loss"))
    assert [value for _, _, value in loss] == [0.0, 0.5, pytest.approx(1 / 3)]


def test_without_tensorboard_the_error_names_the_command():
    done = run_fresh(
        "import sys; sys.modules['tensorboard'] = None\nimport act_widgets as aw\naw.EventFiles('x')"
    )
    assert 'pip install "act-widgets[tensorboard]"' in done.stderr.splitlines()[-1]
