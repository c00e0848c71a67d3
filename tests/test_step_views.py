"""The slider over steps and the chart below it, as a user leads them and as a reader sees them."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

import act_widgets as aw

from .cards import decoded, heading_of, send, settle
from .recordings import InMemory, spoiled, stripes, without
from .screen import alert_of, text_of
from .trainings import data, network


@pytest.fixture
def recording():
    return stripes().recording()


@pytest.fixture
def explorer(recording) -> Iterator[aw.Explorer]:
    opened = aw.explore(recording, layer="conv")
    settle(opened.session)
    yield opened
    opened.close()


def move(explorer: aw.Explorer, place: int) -> None:
    """Move the slider as the page does."""
    send(explorer.views.step_slider._slider, place)
    settle(explorer.session)


def alerts(explorer: aw.Explorer) -> dict[str, str]:
    return {name: alert_of(view) for name, view in explorer.views.named.items() if alert_of(view)}


def answer_of(chart: aw.StepChart) -> str:
    return text_of(chart._answer.value)


# --- moving through steps ---


def test_the_slider_moves_every_view_to_the_numbers_of_the_model_then(explorer):
    views, before = explorer.views, {}
    explorer.selection.channel, explorer.selection.sample = 1, 2
    for place, step in ((0, 0), (3, 30), (5, 50), (1, 10)):
        move(explorer, place)
        model = stripes().at(step)
        truth = aw.capture(model, stripes().probe)["conv"][2]
        answer = np.asarray(model(stripes().probe))[2]
        np.testing.assert_allclose(views.feature_maps.array, np.moveaxis(truth, -1, 0), atol=1e-6)
        np.testing.assert_allclose(views.channel_view.array, truth[..., 1], atol=1e-6)
        np.testing.assert_allclose(views.predictions.array, answer, atol=1e-6)
        counts, _ = np.histogram(truth[..., 1], bins=len(views.histogram.array))
        np.testing.assert_array_equal(views.histogram.array, counts)
        best = views.class_selector._list.options[1]
        assert best.name == ("two", "three", "four")[answer.argmax()]
        assert heading_of(views.step_slider).startswith(f"Step step {step} · epoch {step // 20} · loss ")
        assert f"step {step} · epoch" in text_of(explorer._head.value)
        for name in ("feature_maps", "channel_view", "histogram", "predictions", "step_chart", "step_slider"):
            picture = views.named[name].png()
            assert picture != before.get(name), name
            before[name] = picture
        assert set(alerts(explorer)) == {"graph", "attribution"}


def test_what_takes_the_model_is_told_in_its_card_alone(explorer):
    assert "Asked for: the tensors between its calls" in alerts(explorer)["graph"]
    assert "Asked for: gradients" in alerts(explorer)["attribution"]
    blank = {name for name, view in explorer.views.named.items() if "aw-blank" in view._dom_classes}
    assert blank == {"graph", "attribution"}
    explorer.session.silenced = ("conv", (1,))
    settle(explorer.session)
    assert "its answer after an edit" in alerts(explorer)["predictions"]
    explorer.session.silenced = ()
    settle(explorer.session)
    assert set(alerts(explorer)) == {"graph", "attribution"}


def test_recorded_gradients_draw_the_map_of_the_first_class():
    model, (x, y) = network(), data()
    recorder = aw.Recorder(x[:4], every=2, share=None)
    model.fit(x, y, epochs=1, batch_size=8, callbacks=[recorder], verbose=0)
    explorer = aw.explore(recorder)
    settle(explorer.session)
    maps = []
    for step in recorder.steps:
        explorer.session.step = step
        settle(explorer.session)
        assert not alert_of(explorer.views.attribution)
        maps.append(explorer.views.attribution.array.copy())
    assert "explaining the logits (not recorded)" in text_of(explorer.views.attribution._under.value)
    assert not np.array_equal(maps[0], maps[-1])
    explorer.selection.target = (explorer.session.top_class(0) + 1) % 3
    settle(explorer.session)
    assert "Its gradients are those of the score of the class" in alert_of(explorer.views.attribution)
    explorer.close()


def test_buttons_go_one_step_and_play_goes_on(explorer):
    slider = explorer.views.step_slider
    assert (slider._back.disabled, slider._on.disabled) == (False, True)
    slider._back.click()
    settle(explorer.session)
    assert (explorer.session.step, slider._slider.value, slider._play.value) == (40, 4, 4)
    slider._on.click()
    settle(explorer.session)
    assert explorer.session.step == 50
    move(explorer, 0)
    assert (slider._back.disabled, slider._on.disabled) == (True, False)
    for place in (1, 2, 3):
        send(slider._play, place)
        settle(explorer.session)
    assert (explorer.session.step, slider._slider.value) == (30, 3)


def test_python_moves_every_slider_of_the_session(explorer):
    other = aw.StepSlider(explorer.session)
    explorer.session.step = 20
    settle(explorer.session)
    for slider in (explorer.views.step_slider, other):
        assert (slider._slider.value, slider._slider.max) == (2, 5)
        np.testing.assert_array_equal(slider.array, (0, 10, 20, 30, 40, 50))
    other.close()
    move(explorer, 1)
    assert explorer.session.step == 10


def test_a_fast_drag_shows_the_newest_and_leaves_the_slider_where_it_is(recording):
    session = aw.Session(recording)
    slider, worker_may_go = aw.StepSlider(session), threading.Event()
    session.timeline.kept.clear()
    seen: list[int] = []
    main = threading.current_thread()

    def wait(step: int) -> None:
        if threading.current_thread() is not main:
            seen.append(step)
            assert worker_may_go.wait(60)

    recording.on_read = wait
    for place in (0, 1, 2, 3):
        send(slider._slider, place)
    assert session.step == 50
    assert slider._slider.value == 3
    assert "reading step 30" in text_of(slider._busy.value)
    worker_may_go.set()
    settle(session)
    recording.on_read = lambda step: None
    assert (session.step, slider._slider.value) == (30, 3)
    assert not {10, 20} & set(seen)
    assert text_of(slider._busy.value) == ""
    slider.close()


def test_a_step_that_is_read_behind_moves_all_views_at_once(explorer):
    views = [explorer.views.feature_maps, explorer.views.channel_view, explorer.views.histogram]
    explorer.session.timeline.kept.clear()
    said: list[str] = []
    for view in (*views, explorer.views.step_slider):
        view._busy.observe(lambda change, view=view: said.append(type(view).__name__), names=["value"])
    move(explorer, 1)
    assert explorer.session.step == 10
    assert set(said) == {"StepSlider"}


def test_a_step_that_can_not_be_read_is_told_and_not_shown(recording):
    session = aw.Session(recording)
    slider = aw.StepSlider(session)
    session.timeline.kept.clear()

    def broken(step: int) -> None:
        if step == 10:
            raise OSError("the disk is gone")

    recording.on_read = broken
    send(slider._slider, 1)
    settle(session)
    assert "the disk is gone" in alert_of(slider)
    assert (session.step, slider._slider.value) == (50, 5)
    send(slider._slider, 2)
    settle(session)
    assert (session.step, alert_of(slider)) == (20, "")
    slider.close()


def test_steps_that_come_and_go_are_followed(explorer, recording):
    slider = explorer.views.step_slider
    move(explorer, 1)
    last = recording.records[50]
    recording.records[60] = replace(last, step=60)
    del recording.records[10]  # as a recorder does that runs out of room
    explorer.session.step = 20
    settle(explorer.session)
    assert slider._slider.max == 5
    assert slider._slider.value == 1
    assert explorer.views.step_chart.array.shape == (6, 2)


def test_a_training_that_goes_on_lengthens_the_slider_with_the_next_choice(explorer, recording):
    recording.records[60] = replace(recording.records[50], step=60)
    assert explorer.session.stale
    explorer.selection.channel = 4
    settle(explorer.session)
    assert not explorer.session.stale
    assert (explorer.views.step_slider._slider.max, explorer.session.step) == (6, 50)
    assert explorer.views.step_chart.array.shape == (7, 2)


def test_of_a_model_there_is_nothing_to_go_through(digits):
    explorer = aw.explore(*digits[:2])
    assert not {"step_slider", "step_chart"} & set(explorer.views.named)
    slider, chart = aw.StepSlider(explorer.session), aw.StepChart(explorer.session)
    settle(explorer.session)
    for view in (slider, chart):
        assert "no recording" in heading_of(view)
        assert not alert_of(view)
        assert view.array.size == 0
    assert slider._slider.disabled and slider._play.disabled and slider._back.disabled and slider._on.disabled
    assert chart._ask.disabled
    for one in (slider, chart, explorer):
        one.close()


# --- the chart ---


def test_the_chart_holds_mean_and_largest_of_the_channel_at_every_step(explorer):
    chart = explorer.views.step_chart
    explorer.selection.channel = 2
    settle(explorer.session)
    truth = []
    for step in explorer.session.steps:
        values = aw.capture(stripes().at(step), stripes().probe)["conv"][..., 2]
        truth.append((values.mean(dtype=float), values.max()))
    np.testing.assert_allclose(chart.array, truth, atol=1e-6)
    np.testing.assert_allclose(chart._lines._lines[1].y, np.array(truth)[:, 1], atol=1e-6)
    np.testing.assert_array_equal(chart._lines._lines[0].x, explorer.session.steps)


def test_the_step_that_is_shown_is_marked_in_place(explorer):
    chart = explorer.views.step_chart
    line, figure = chart._lines._now, chart._lines.figure
    for step in (0, 40):
        explorer.session.step = step
        settle(explorer.session)
        assert set(line.x) == {step}
    assert chart._lines.figure is figure


@pytest.mark.parametrize(("shown", "fields"), [("layer", ("mean", "deviation")), ("dead", ("dead", "zeros"))])
def test_a_layer_is_drawn_by_its_summaries(explorer, recording, shown, fields):
    chart = explorer.views.step_chart
    chart.shown = shown
    settle(explorer.session)
    truth = [[getattr(recording.records[s].summaries["conv"], f) for f in fields] for s in recording.steps]
    np.testing.assert_allclose(chart.array, truth)
    chart.shown = "loss"
    settle(explorer.session)
    np.testing.assert_allclose(
        chart.array[:, 0], [recording.records[s].logs["loss"] for s in recording.steps]
    )
    chart.shown = "gradient"
    settle(explorer.session)
    assert np.isnan(chart.array).all()


def test_where_only_summaries_are_kept_the_layer_is_drawn(recording):
    session = aw.Session(without(recording, *recording.steps))
    chart = aw.StepChart(session)
    session.selection.layer = "conv"
    settle(session)
    assert "whole layer · only summaries were recorded" in heading_of(chart)
    truth = [recording.records[s].summaries["conv"].mean for s in recording.steps]
    np.testing.assert_allclose(chart.array[:, 0], truth)
    chart._ask.click()
    settle(session)
    assert "no step holds its activations" in alert_of(chart)
    chart.close()


def test_a_gap_and_a_nan_are_told_apart(recording):
    session = aw.Session(without(spoiled(recording, 30, "conv"), 10, layers=["conv"]))
    chart = aw.StepChart(session)
    session.selection.channel = 0
    settle(session)
    assert np.isnan(chart.array[1]).all()
    assert np.isfinite(chart.array[[0, 2, 3, 4, 5]]).all()  # of the finite values at 30
    assert chart._lines._bad.visible
    assert set(chart._lines._bad.x[np.isfinite(chart._lines._bad.x)]) == {30, 40, 50}
    assert "NaN or infinite" in text_of(chart._legend.value)
    pixels = decoded(chart.png()).reshape(-1, 3)
    assert (pixels == (0xCC, 0x79, 0xA7)).all(1).any()
    chart.close()


def test_the_pointer_reads_values(explorer):
    chart = explorer.views.step_chart
    chart._point(21.4)
    mean, largest = chart.array[2]
    assert text_of(chart._under.value) == f"step 20 · mean {mean:.3g} · largest {largest:.3g}"
    chart._leave()
    assert "Point at the chart" in text_of(chart._under.value)


def test_a_long_recording_is_read_in_stages_and_only_once(recording):
    many = InMemory(
        recording.about, [replace(recording.records[50], step=step) for step in range(0, 3000, 10)]
    )
    session = aw.Session(many)
    chart = aw.StepChart(session)
    settle(session)
    assert chart.array.shape == (300, 2)
    session.selection.channel = 3
    settle(session)
    session.step = 100
    settle(session)
    assert set(many.read_layers.values()) == {1}
    chart.close()


# --- when did this channel die? ---


@pytest.mark.parametrize(
    ("channel", "step", "words"),
    [
        (2, 30, "Channel 2 died at step 30 (between 20 and 30)."),
        (5, 0, "Channel 5 was never alive: it is 0 at every step from 0 on."),
        (0, 50, "Channel 0 is alive at step 50: it was never 0 everywhere."),
        (
            3,
            50,
            "Channel 3 died at step 20 (between 10 and 20), and came back at 40. It is alive at step 50.",
        ),
    ],
)
def test_the_question_is_answered_and_leads_to_the_step(explorer, channel, step, words):
    chart = explorer.views.step_chart
    explorer.selection.channel = channel
    settle(explorer.session)
    chart._ask.click()
    settle(explorer.session)
    assert answer_of(chart) == words
    assert explorer.session.step == step
    assert explorer.views.step_slider._slider.value == step // 10
    shown = explorer.views.channel_view.array
    assert bool(shown.any()) == (explorer.session.died("conv", channel) is None)
    before = chart.still()
    explorer.selection.channel = 1
    settle(explorer.session)
    assert answer_of(chart) == ""
    assert chart.still().shape[0] < before.shape[0]


def test_a_question_that_has_no_answer_is_told(explorer):
    chart = explorer.views.step_chart
    explorer.session.axes["conv"] = "height × width × depth"
    settle(explorer.session)
    chart._ask.click()
    settle(explorer.session)
    assert "has no channels" in alert_of(chart)


# --- what was not recorded ---


def test_a_layer_in_numbers_alone_is_told_in_every_card_that_needs_it(recording):
    explorer = aw.explore(without(recording, 50, layers=["conv"]), layer="conv")
    settle(explorer.session)
    told = alerts(explorer)
    for name in ("feature_maps", "channel_view", "histogram"):
        assert "'conv' was recorded in numbers alone at step 50" in told[name]
        assert "Expected: step 40" in told[name]
    mean = recording.records[50].summaries["conv"].mean
    assert f"mean {mean:.3g}" in told["histogram"]
    assert not told.keys() & {"predictions", "step_slider", "step_chart", "sample_picker", "class_selector"}
    move(explorer, 4)
    assert set(alerts(explorer)) == {"graph", "attribution"}
    explorer.close()


def test_a_step_with_nan_is_opened_and_drawn(recording):
    explorer = aw.explore(spoiled(recording, 20, "conv"))
    settle(explorer.session)
    assert (explorer.session.step, explorer.selection.layer) == (20, "conv")
    assert set(alerts(explorer)) == {"graph", "attribution"}
    assert np.isnan(explorer.views.channel_view.array).all()
    assert "loss nan" in heading_of(explorer.views.step_slider)
    assert explorer.png().startswith(b"\x89PNG")
    explorer.close()


def test_names_are_text(recording):
    bad = '<img src=x onerror="alert(1)">'
    about = recording.about
    renamed = {f"{bad}{a}": replace(t, address=f"{bad}{a}", call=f"{bad}{a}") for a, t in about.taps.items()}

    def again(values):
        return {f"{bad}{address}": value for address, value in values.items()}

    records = [
        replace(
            record,
            logs={"loss": 1.0, f"{bad}loss": 2.0},
            activations=again(record.activations),
            summaries=again(record.summaries),
        )
        for record in recording.records.values()
    ]
    inputs = again(about.inputs)
    hostile = replace(about, model=bad, taps=renamed, inputs=inputs, labels=[bad, "b", "c"])
    explorer = aw.explore(InMemory(hostile, records))
    explorer.views.step_chart.shown = "loss"
    settle(explorer.session)
    for view in (explorer, *explorer.views):
        pages = [one.value for one in view.children if hasattr(one, "value") and isinstance(one.value, str)]
        assert not any("<img" in page for page in pages), type(view).__name__
    assert "<img" not in explorer.views.step_chart._legend.value
    assert "loss" in text_of(explorer.views.step_chart._legend.value)
    explorer.close()


# --- what is left behind ---


def test_a_page_is_of_the_step_that_is_shown_and_says_so(explorer, tmp_path):
    move(explorer, 3)
    made = explorer.export_html(tmp_path / "page.html")
    page = made.path.read_text("utf-8")
    loss = explorer.session.moment.logs["loss"]
    assert f"step 30 · epoch 1 · loss {loss:.3g}" in page
    assert made.layers == explorer.session.layers
    assert made.samples == (0, 1, 2, 3)
    assert explorer.session.step == 30
    move(explorer, 0)
    other = explorer.export_html(tmp_path / "other.html").path.read_text("utf-8")
    assert "step 0 · epoch 0" in other
    assert "step 30" not in other


def test_a_closed_explorer_of_a_recording_is_freed():
    recording = stripes().recording()
    explorer = aw.explore(recording, layer="conv")
    settle(explorer.session)
    explorer.views.step_slider._back.click()
    explorer.views.step_chart._ask.click()
    settle(explorer.session)
    kept = explorer.session.timeline.kept
    refs = [weakref.ref(one) for one in (recording, explorer, explorer.session, *explorer.views)]
    explorer.close()
    assert kept.bytes == 0
    del explorer, recording
    gc.collect()
    assert [ref() for ref in refs if ref() is not None] == []
