"""Attribution that takes long: it is drawn as it comes to be, estimated, started, stopped and dropped."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import ipywidgets
import numpy as np
import pytest

import act_widgets as aw
from act_widgets.attribution.question import Pace
from act_widgets.widgets.asked import Asked
from act_widgets.widgets.base import View
from act_widgets.widgets.stage import Stage

from .cards import MASKS, Work, bars_of, caption_of, correlation, decoded, masks_in, settle, slow_model, small
from .screen import text_of
from .zoo import batch, functional_sum

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def work() -> Iterator[Work]:
    made = Work()
    yield made
    made.view.close()


def test_a_slow_map_is_drawn_finer_and_finer_and_says_how_far_it_is(work):
    work.begin()
    work.settle()
    assert len(work.told.maps) >= 3
    np.testing.assert_allclose(work.told.maps[-1], work.whole, rtol=1e-4)
    errors = [1 - correlation(chart, work.whole) for chart in work.told.maps]
    assert errors[0] > errors[-2] > errors[-1]  # how many lie between depends on the machine
    bars = bars_of(work.told.rows)
    shares = [share for share, _ in bars]
    assert len(bars) >= 2
    assert shares == sorted(shares)
    for share, words in bars[1:]:
        assert abs(share - 100 * masks_in(words) / MASKS) <= 0.5
        assert re.search(r"about \d+ (s|min) left", words)
    assert {button for *_, button in work.told.rows[:-1]} == {"Stop"}
    assert (work.view._busy.value, work.view._stop.layout.display) == ("", "none")
    assert "RISE at 'image'" in caption_of(work.view)


def test_stop_keeps_the_partial_picture_and_ends_the_work_and_go_on_ends_it_as_if_uninterrupted(work):
    work.begin()
    work.told.wait(2)
    before = work.runs
    work.toggle()
    work.settle()
    assert work.runs - before <= 2 * work.batch  # one under way, and one begun while we asked
    runs, (share, words) = work.runs, bars_of(work.told.rows)[-1]
    assert 0 < share < 100
    assert 0 < masks_in(words) < MASKS
    assert work.view._stop.description == "Go on"
    partial = work.view.array.copy()
    np.testing.assert_array_equal(partial, work.told.maps[-1])
    assert 0.3 < correlation(partial, work.whole) < 0.9999
    assert not np.array_equal(decoded(work.view.png())[..., 0], decoded(work.view.png())[..., 2])
    work.settle()
    assert work.runs == runs
    work.toggle()
    assert work.view._stop.description == "Stop"
    work.settle()
    np.testing.assert_allclose(work.view.array, work.whole, rtol=1e-4)
    assert work.runs - runs == MASKS - masks_in(words)
    assert work.view._stop.layout.display == "none"


def test_what_takes_long_says_so_and_begins_only_when_it_is_started(work):
    work.choose_rise(20000)
    work.settle()
    assert "20,000 passes of the model" in text_of(work.view._busy.value)
    assert re.search(r"about \d+ (s|min)", text_of(work.view._busy.value))
    assert (work.view._stop.description, work.view._stop.layout.display) == ("Start", "")
    assert work.told.maps == []
    timed = work.runs
    assert timed <= 16  # a few, to know how long one takes
    work.view.png()
    assert work.view.array.size == 0
    work.settle()
    assert work.runs == timed
    work.toggle()
    work.told.wait(2)
    assert work.view._stop.description == "Stop"
    work.toggle()
    work.settle()
    assert timed < work.runs < 2000
    assert "of 20000 masks" in text_of(work.view._busy.value)


def test_the_estimate_is_of_the_right_size(work):
    work.choose_rise(20000)
    work.settle()
    number, unit = re.search(r"about (\d+) (s|min)", text_of(work.view._busy.value)).groups()
    estimate = int(number) * (60 if unit == "min" else 1)
    work.toggle()
    work.told.wait(2)
    start, runs = time.perf_counter(), work.runs
    work.told.wait(6)
    taken = (time.perf_counter() - start) / (work.runs - runs) * 20000
    work.toggle()
    work.settle()
    assert taken / 10 < estimate < taken * 10


def test_another_opacity_neither_starts_nor_goes_on_with_what_waits(work):
    work.choose_rise(20000)
    work.settle()
    runs = work.runs
    work.view._opacity.value = 0.2
    work.settle()
    assert work.view._stop.description == "Start"
    assert work.runs == runs


def test_another_opacity_leaves_stopped_work_stopped_and_shows_its_picture(work):
    work.begin()
    work.told.wait(2)
    work.toggle()
    work.settle()
    runs, before = work.runs, decoded(work.view.png())
    work.view._opacity.value = 0.9
    work.settle()
    assert work.runs == runs
    assert work.view._stop.description == "Go on"
    assert f"of {MASKS} masks" in text_of(work.view._busy.value)
    assert not np.array_equal(decoded(work.view.png()), before)


@pytest.mark.parametrize("budget", [None, 1 << 21], ids=["looked up", "computed anew"])
def test_another_view_answers_while_a_slow_map_is_made(budget):
    model, x, _ = slow_model()
    work = Work(cache_bytes=budget)
    grid = aw.FeatureMaps(work.session)
    work.settle()
    answered = threading.Event()
    work.begin()
    work.told.wait(2)
    grid.on_drawn(answered.set)
    work.selection.layer = "wide"
    assert answered.wait(60)
    runs = work.runs
    assert "progressbar" in work.view._busy.value
    expected = aw.capture(model, x[:1], "wide")["wide"][0]
    np.testing.assert_allclose(
        grid.array, np.moveaxis(expected, -1, 0)[: len(grid.array)], rtol=1e-4, atol=1e-5
    )
    work.settle()
    assert work.runs > runs
    np.testing.assert_allclose(work.view.array, work.whole, rtol=1e-4)
    for view in (grid, work.view):
        view.close()


def test_another_method_drops_the_work_under_way(work):
    work.begin(2000)
    work.told.wait(2)
    work.selection.method = "grad_cam"
    work.settle()
    runs = work.runs
    assert runs < 2000
    np.testing.assert_array_equal(work.view.array, work.quick)
    assert caption_of(work.view).startswith("Grad-CAM at 'last'")
    assert (work.view._busy.value, work.view._stop.layout.display) == ("", "none")
    assert work.view._stop.value is False
    work.settle()
    assert work.runs == runs


def test_stopped_work_is_dropped_too_and_the_next_one_runs_by_itself(work):
    work.begin()
    work.told.wait(2)
    work.toggle()
    work.settle()
    work.choose_rise(20)
    work.settle()
    alone = aw.attribute(work.session.source.model, work.session.inputs[:1], "rise", masks=20)
    np.testing.assert_allclose(work.view.array, alone.maps[0], rtol=1e-4)
    assert (work.view._busy.value, work.view._stop.layout.display) == ("", "none")


def test_a_card_closed_at_work_ends_it_with_the_batch_under_way():
    work = Work()
    work.begin(2000)
    work.told.wait(2)
    before = work.runs
    work.view.close()
    work.settle()
    assert work.runs - before <= 2 * work.batch  # one under way, and one begun while we asked
    runs = work.runs
    work.settle()
    assert work.runs == runs < 2000


class Staged(View):
    """Draws two stages for each class; the first of class 3 is on its way until it is told to go on."""

    title, watches = "Staged", ("target",)

    def build(self):
        self.began, self.go_on, self.out = threading.Event(), threading.Event(), ipywidgets.HTML()
        return [self.out]

    def key(self):
        return self.session.selection.target

    def is_ready(self, key):
        return False

    def stages(self, key):
        while key == 3 and not self.began.is_set():  # not every stage is drawn
            yield Stage(f"{key}: half", 0.5, "half")
        yield Stage(f"{key}: whole")

    def draw(self, result):
        if result == "3: half":
            self.began.set()
            assert self.go_on.wait(60)
        self.out.value = result


def test_what_is_chosen_while_a_stage_is_drawn_is_not_lost():
    session = aw.Session(*functional_sum())
    view = Staged(session)
    settle(session)
    session.selection.target = 3
    assert view.began.wait(60)
    session.selection.target = 1
    view.go_on.set()
    settle(session)
    assert view.out.value == "1: whole"
    assert (view._busy.value, view._stop.layout.display) == ("", "none")
    view.close()


@pytest.mark.parametrize(("most", "sizes"), [(64, [4, 4, 8, 16, 32]), (8, [4, 4, 8])])
def test_what_a_variant_takes_is_told_of_batches_as_large_as_those_to_come(most, sizes):
    # A batch takes 4 ms, and 0.6 ms for each variant: 1.6 ms for one of 4, 0.725 ms for one of 32.
    pace, timed = Pace(most), []
    while not pace.is_telling:
        timed.append(pace.size)
        pace.note(pace.size, 0.004 + 0.0006 * pace.size)
    # The first batch, which holds the making of its function, tells nothing.
    assert timed == sizes
    assert pace.each == pytest.approx(0.004 / sizes[-1] + 0.0006)


def test_few_variants_are_timed_by_few():
    session = aw.Session(small(3, "softmax"), batch(1, 6, 6, 2))
    session.selection.method = "score_cam"
    assert Asked.of(session).estimate(session).runs == 3
    assert session.stats()["varied_samples"] == 8


MANY_CHANNELS = """
import os, threading
import keras, numpy as np, psutil
import act_widgets as aw
from act_widgets.widgets.worker import worker_of

keras.utils.set_random_seed(0)
given = keras.Input((32, 32, 3), name="image")
y = keras.layers.Conv2D(8, 8, strides=8, activation="relu", name="few")(given)
y = keras.layers.Conv2D(2048, 1, activation="relu", name="many")(y)
head = keras.layers.Dense(5, activation="softmax")(keras.layers.GlobalAveragePooling2D()(y))
session = aw.Session(keras.Model(given, head), np.random.default_rng(0).random((1, 32, 32, 3), "float32"))
view = aw.AttributionView(session)
assert worker_of(session).wait()
assert session.tap("many").shape[1:] == (4, 4, 2048), session.tap("many").shape
session.selection.layer = "few"
session.selection.method = "score_cam"  # the same functions, on few channels
assert worker_of(session).wait()
process, done = psutil.Process(), threading.Event()
before = peak = process.memory_info().rss

def watch():
    global peak
    while not done.wait(0.005):
        peak = max(peak, process.memory_info().rss)

watching = threading.Thread(target=watch)
watching.start()
session.selection.layer = "many"
assert worker_of(session).wait(300)
if view._stop.description == "Start":
    view._stop.set_state({"value": False})
    assert worker_of(session).wait(300)
done.set()
watching.join()
assert view._alert.value == "", view._alert.value
assert session.stats()["varied_samples"] > 500
print("growth", (peak - before) / 1e6, "runs", session.stats()["varied_samples"])
"""


def test_score_cam_of_two_thousand_channels_takes_little_memory():
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", MANY_CHANNELS],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[1]) < 100
