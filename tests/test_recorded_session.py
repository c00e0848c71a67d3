"""A session on a recording: every number is that of the model with the weights of the step."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

import act_widgets as aw
from act_widgets.recording.history import Life
from act_widgets.sources import open_source

from .recordings import InMemory, about_of, record_of, spoiled, stripes, without
from .trainings import KeepsWeights, data, network


@pytest.fixture
def recording():
    return stripes().recording()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A recorder, its folder, the weights of each step, the model and its probe batch."""
    folder = tmp_path_factory.mktemp("log") / "recording"
    model, (x, y), keeps = network(), data(), KeepsWeights()
    recorder = aw.Recorder(x[:4], every=2, writers=[aw.NpyLog(folder)], share=None, labels=("a", "b", "c"))
    model.fit(x, y, epochs=2, batch_size=8, callbacks=[recorder, keeps], verbose=0)
    return recorder, folder, keeps.weights, model, x[:4]


# --- the numbers ---


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_a_step_that_is_not_finite_offers_what_the_others_do(activation):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation)])
    recorder = aw.Recorder(np.ones((2, 4), "float32"), on_nonfinite="go on")
    recorder.record(model)
    model.set_weights([np.full((4, 3), np.nan), np.zeros(3)])
    with pytest.warns(RuntimeWarning, match="Not finite"):
        recorder.record(model)
    session = aw.Session(recorder)
    assert session.step == 1
    assert session.head.probabilities is (activation == "softmax")


def test_every_step_gives_the_numbers_of_the_model_with_its_weights(recording):
    session = aw.Session(recording)
    assert session.steps == (0, 10, 20, 30, 40, 50)
    for step in (20, 0, 50):
        session.step = step
        model = stripes().at(step)
        np.testing.assert_array_equal(session.outputs(), model(stripes().probe))
        inner = keras.Model(model.input, model.get_layer("second").output)  # flat, so this is the same
        np.testing.assert_allclose(session.activation("second"), inner(stripes().probe), atol=1e-6)


@pytest.mark.parametrize("given", ["recorder", "recording", "folder", "opened", "log"])
def test_a_recorder_its_recording_and_its_folder_are_opened(trained, given):
    recorder, folder, weights, model, probe = trained
    forms = {
        "recorder": recorder,
        "recording": recorder.recording,
        "folder": str(folder),
        "opened": aw.open_recording(folder),
        "log": aw.NpyLog(folder),
    }
    session = aw.Session(forms[given])
    assert session.step == session.steps[-1] == len(weights) - 1
    assert session.labels == ("a", "b", "c")
    session.step = 4
    model.set_weights(weights[4])
    np.testing.assert_allclose(session.outputs(), model(probe), atol=1e-6)
    np.testing.assert_array_equal(session.inputs, probe)


def test_grad_cam_of_the_first_class_is_that_of_the_model_then(trained):
    recorder, _, weights, model, probe = trained
    session = aw.Session(recorder)
    for step in (0, 6):
        session.step = step
        model.set_weights(weights[step])
        for sample in range(4):
            recorded = session.attribution("grad_cam", layer="conv", sample=sample)
            truth = aw.attribute(model, probe[sample : sample + 1], "grad_cam", layer="conv")
            np.testing.assert_allclose(recorded.maps, truth.maps, atol=1e-6)
            assert truth.maps.any()


@pytest.mark.parametrize(
    ("method", "asked"),
    [
        ("grad_cam", {"target": "another"}),
        ("grad_cam", {"scores": "probabilities"}),
        ("guided_backprop", {}),
        ("occlusion", {}),
        ("integrated_gradients", {}),
        ("saliency", {}),
    ],
)
def test_gradients_of_anything_else_are_refused(trained, method, asked):
    session = aw.Session(trained[0])
    if "target" in asked:
        asked = {"target": (session.top_class(0) + 1) % 3}
    with pytest.raises(aw.ModelError, match=r"holds what 'small' computed, not the model.*explore\(model"):
        session.attribution(method, layer=None, sample=0, **asked)


def test_gradients_of_the_loss_are_no_grad_cam():
    model, (x, y) = network(), data()
    recorder = aw.Recorder(x[:4], targets=y[:4], share=None)
    model.fit(x, y, epochs=1, batch_size=16, callbacks=[recorder], verbose=0)
    session = aw.Session(recorder)
    with pytest.raises(aw.ModelError, match="Its gradients are those of the loss"):
        session.attribution("grad_cam", layer="conv", sample=0)


@pytest.mark.parametrize(
    "ask",
    [
        lambda session: session.graph,
        lambda session: session.edit("conv", 1),
        lambda session: session.measure("time"),
        lambda session: session.shuffled(),
        lambda session: session.attribution(sample=0),
    ],
    ids=["graph", "edit", "time", "shuffled", "gradients"],
)
def test_what_takes_the_model_is_refused_with_a_way_to_get_it(recording, ask):
    with pytest.raises(
        aw.ModelError, match=r"not the model.*load the weights of step 50.*explore\(model, inputs"
    ):
        ask(aw.Session(recording))


def test_other_inputs_are_refused_and_change_nothing(recording):
    session = aw.Session(recording)
    before = session.outputs()
    with pytest.raises(aw.InputError, match="for its probe batch alone"):
        session.inputs = np.zeros((2, 12, 12, 1))
    with pytest.raises(aw.InputError, match="for its probe batch alone"):
        aw.Session(recording, np.zeros((2, 12, 12, 1)))
    with pytest.raises(aw.InputError, match="A recording is shown as it was made"):
        aw.Session(recording, training=True)
    np.testing.assert_array_equal(session.outputs(), before)


def test_several_inputs_keep_their_order():
    one, two = keras.Input((3,), name="z"), keras.Input((3,), name="a")
    y = keras.layers.Dense(2, name="out")(keras.layers.Subtract(name="less")([one, two]))
    model = keras.Model([one, two], y)
    given = [np.ones((2, 3), "float32"), np.full((2, 3), 5, "float32")]
    source = open_source(model)
    about = replace(about_of(model, given), inputs=dict(zip(source.input_names, given, strict=True)))
    session = aw.Session(InMemory(about, [record_of(model, given, 0, 0, {})]))
    np.testing.assert_array_equal(session.inputs[1], given[1])
    np.testing.assert_array_equal(session.activation("less"), np.full((2, 3), -4))


# --- steps ---


def test_a_step_that_was_not_recorded_names_the_nearest(recording):
    session = aw.Session(recording)
    for wrong in (17, "last", None, 20.0):
        with pytest.raises(aw.InputError, match="Expected: one of 6 steps from 0 to 50"):
            session.step = wrong
    with pytest.raises(aw.InputError, match="The nearest is 20"):
        session.step = 17
    assert session.step == 50


def test_a_session_of_a_model_has_no_steps(digits):
    session = aw.Session(digits[0], digits[1][:2])
    assert (session.steps, session.step) == ((), None)
    for ask in (lambda: setattr(session, "step", 0), lambda: session.died("block1_relu", 0)):
        with pytest.raises(aw.InputError, match="A model has no steps"):
            ask()


def test_it_opens_at_the_first_step_that_is_not_finite_and_at_its_layer(recording):
    session = aw.Session(spoiled(recording, 20, "conv"))
    assert (session.step, session.selection.layer) == (20, "conv")
    assert np.isnan(session.activation("conv")[0, ..., 0]).all()
    assert aw.Session(recording).step == 50


def test_an_empty_recording_says_so():
    made = stripes()
    with pytest.raises(aw.ModelError, match="Nothing was recorded yet"):
        aw.Session(InMemory(about_of(made.model, made.probe), []))
    with pytest.raises(aw.InputError, match="Nothing is recorded yet"):
        aw.Session(aw.Recorder(made.probe))


def test_steps_that_come_later_are_found(recording):
    last = recording.records.pop(50)
    session = aw.Session(recording)
    assert session.steps[-1] == 40
    recording.records[50] = last
    session.step = 50
    assert session.steps[-1] == 50


def test_a_folder_that_is_still_written_grows(recording, tmp_path):
    log = aw.NpyLog(tmp_path / "log")
    log.open(recording.about)
    for step in (0, 10):
        log.write(recording.records[step])
    session = aw.Session(tmp_path / "log")
    assert session.steps == (0, 10)
    log.write(recording.records[20])
    index = tmp_path / "log" / "index.jsonl"
    *_, line = index.read_bytes().splitlines(keepends=True)
    whole = index.read_bytes()
    index.write_bytes(whole + line.replace(b'"step": 20', b'"step": 30')[:40])  # not yet at its end
    assert session.steps == (0, 10, 20)
    session.step = 20
    np.testing.assert_array_equal(session.activation("conv"), recording.records[20].activations["conv"])
    index.write_bytes(whole + line.replace(b'"step": 20', b'"step": 30'))
    assert session.steps == (0, 10, 20, 30)
    assert aw.Session(tmp_path / "log").steps == (0, 10, 20, 30)


# --- what is kept ---


def test_nothing_is_read_twice_while_there_is_room(recording):
    session = aw.Session(recording)
    for step in (*session.steps, *reversed(session.steps)):
        session.step = step
        session.activation("conv")
        session.activation("second")
    session.died("conv", 0)
    assert set(recording.read_layers.values()) == {1}
    assert set(recording.read_layers) == {(s, a) for s in session.steps for a in ("conv", "second")}
    read = recording.read_steps.copy()
    for step in session.steps:
        session.step = step
        session.activation("conv")
    assert recording.read_steps == read
    assert session.stats()["cache_bytes"] > 12 * session.activation("second").nbytes


def test_little_room_is_kept_to_and_the_numbers_stay_right(recording):
    room = 20_000
    session = aw.Session(recording, cache_bytes=room)
    for step in (*session.steps, 0, 30):
        session.step = step
        truth = aw.capture(stripes().at(step), stripes().probe)["conv"]
        np.testing.assert_array_equal(session.activation("conv"), truth)
        assert session.stats()["cache_bytes"] <= room
    assert session.died("conv", 2) == 30


def test_half_precision_is_read_as_single(recording):
    record = recording.records[50]
    small = {address: value.astype(np.float16) for address, value in record.activations.items()}
    recording.records[50] = replace(record, activations=small)
    assert aw.Session(recording).activation("conv").dtype == np.float32


# --- activations that are not there ---


def test_a_layer_in_numbers_alone_says_what_is_known_and_where_there_is_more(recording):
    session = aw.Session(without(recording, 40, 50, layers=["conv"]))
    with pytest.raises(
        aw.ModelError,
        match=r"'conv' was recorded in numbers alone at step 50.*mean 0.*zeros.*dead.*step 30, the nearest",
    ):
        session.activation("conv")
    assert session.activation("second").shape == (4, 8, 8, 6)
    session.step = 30
    assert session.activation("conv").shape == (4, 10, 10, 8)


# --- when a channel died ---


def test_died_is_the_first_step_of_zeros_to_the_end(recording):
    session = aw.Session(recording)
    truth = {}
    for step in session.steps:
        values = aw.capture(stripes().at(step), stripes().probe)["conv"]
        truth[step] = ~(values != 0).reshape(-1, 8).any(0)
    assert session.died("conv", 2) == 30
    assert [bool(truth[step][2]) for step in session.steps] == [False, False, False, True, True, True]
    assert session.died("conv", 5) == 0
    assert session.died("conv", 3) is None
    assert session.died("conv", 0) is None
    with pytest.raises(aw.InputError, match="Expected: 0 to 7"):
        session.died("conv", 8)
    with pytest.raises(aw.UnknownLayerError):
        session.died("cnv", 0)


def test_died_passes_over_steps_without_activations(recording):
    session = aw.Session(without(recording, 20, 30, layers=["conv"]))
    life = session.life("conv", 2)
    assert life.died == 40
    assert life.words == "Channel 2 died at step 40 (between 10 and 40)."
    with pytest.raises(aw.ModelError, match="no step holds its activations"):
        aw.Session(without(recording, *recording.steps)).died("conv", 0)


STEPS = (0, 100, 200, 300, 400)


@pytest.mark.parametrize(
    ("zero", "died", "words"),
    [
        ("00000", None, "Channel 7 is alive at step 400: it was never 0 everywhere."),
        ("11111", 0, "Channel 7 was never alive: it is 0 at every step from 0 on."),
        ("00111", 200, "Channel 7 died at step 200 (between 100 and 200)."),
        (
            "01101",
            400,
            "Channel 7 died at step 400 (between 300 and 400). Before, it was 0 from 100 to 300.",
        ),
        (
            "01100",
            None,
            "Channel 7 died at step 100 (between 0 and 100), and came back at 300. It is alive at step 400.",
        ),
        ("11000", None, "Channel 7 was 0 at first, from 0, and came back at 200. It is alive at step 400."),
    ],
)
def test_a_life_in_words(zero, died, words):
    is_zero = np.array([mark == "1" for mark in zero])
    life = Life(7, STEPS, is_zero, np.zeros(5, bool))
    assert (life.died, life.words) == (died, words)


def test_nan_is_not_dead():
    bad = np.array([False, False, False, True, True])
    life = Life(1, STEPS, np.zeros(5, bool), bad)
    assert life.died is None
    assert "with NaN or infinite values since step 300" in life.words


def test_words_in_place_of_numbers_have_no_life(recording):
    record = recording.records[50]
    words = {**record.activations, "conv": np.full((4, 10, 10, 8), "word")}
    recording.records[50] = replace(record, activations=words)
    with pytest.raises(aw.LayerKindError, match="no real numbers"):
        aw.Session(recording).died("conv", 0)
