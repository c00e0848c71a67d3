"""Code of a view, executed, gives its numbers and its picture."""

from __future__ import annotations

import ast

import keras
import numpy as np
import pytest

import act_widgets as aw
from act_widgets.widgets.base import View
from act_widgets.widgets.recipe import Setting
from act_widgets.widgets.worker import worker_of

from .recordings import stripes
from .screen import alert_of
from .some import some

VIEWS = sorted(
    name for name in dir(aw) if isinstance(kind := getattr(aw, name), type) and issubclass(kind, View)
)

# Settings other than the usual ones, for each view that has any.
SETTINGS = {
    "FeatureMaps": {"scale": "per layer", "colours": "magma"},
    "ChannelView": {"ground": "over the input", "opacity": 0.3},
    "Histogram": {"scope": "layer", "counts": "log"},
    "AttributionView": {"opacity": 0.2},
    "TrustPanel": {"checks": ("Curves", "Another class")},
    "Predictions": {"count": 3},
    "Projection": {
        "method": "tsne",
        "features": "averaged",
        "thumbnails": True,
        "parameters": {"perplexity": 3},
        "classes": (3, "<b>x</b>") * 7,
    },
    "GraphView": {"opened": ("tower",), "colour_by": "parameters"},
    "StepChart": {"shown": "loss"},
}


def settle(session: aw.Session) -> None:
    assert worker_of(session).wait()


@pytest.fixture(scope="module")
def digits():
    return aw.samples.digits()


def opened(digits, **options) -> aw.Session:
    model, images, labels = digits
    session = aw.Session(model, images[:14], labels=labels, **options)
    chosen = session.selection
    session.axes["block1_relu"] = "channels × height × width"
    session.axes.move("width", 3, 32)
    chosen.layer, chosen.channel, chosen.sample = "block1_relu", 5, 13
    chosen.method, chosen.scores = "smooth_grad", "probabilities"
    chosen.parameters = (("samples", np.int64(3)), ("seed", 2))
    chosen.order, chosen.hide_dead = "variance", True
    chosen.explain(4)
    chosen.value_range = (0.25, 1.5)
    return session


def run(code: str, session: aw.Session, digits, **more):
    names = {"model": digits[0], "inputs": session.inputs, "labels": digits[2], **more}
    *lines, last = ast.parse(code).body
    exec(compile(ast.Module(lines, []), "code", "exec"), names)
    return eval(compile(ast.Expression(last.value), "code", "eval"), names), names


def test_every_view_is_tested():
    assert len(VIEWS) >= 13
    settings = {
        name: {n for n, item in vars(getattr(aw, name)).items() if isinstance(item, Setting)}
        for name in VIEWS
    }
    assert {name: found for name, found in settings.items() if found} == {
        name: set(values) | ({"page", "sequences"} if name == "FeatureMaps" else set())
        for name, values in SETTINGS.items()
    }


@pytest.mark.parametrize("name", some(VIEWS, 2))
@pytest.mark.parametrize("changed", [False, True], ids=["as it begins", "changed"])
def test_code_of_a_view_gives_its_numbers_and_its_picture(digits, name, changed):
    session = opened(digits)
    view = getattr(aw, name)(session)
    if changed:
        session.silenced = ("block1_relu", (3, 7))
        for setting, value in SETTINGS.get(name, {}).items():
            setattr(view, setting, value)
    settle(session)
    array, names = run(view.code(), session, digits)
    again = names["view"]
    settle(again.session)
    assert type(again) is type(view)
    np.testing.assert_array_equal(array, view.array)
    assert again.png() == view.png()
    assert again.code() == view.code()
    for one in (view, again):
        one.close()


def test_code_draws_sequences_as_they_are_drawn():
    x = keras.Input((12, 2), name="x")
    y = keras.layers.Conv1D(5, 3, name="conv")(x)
    model = keras.Model(x, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling1D()(y)))
    inputs = np.random.default_rng(0).random((2, 12, 2), np.float32)
    view = aw.FeatureMaps(aw.Session(model, inputs))
    view.session.selection.layer = "conv"
    heat = view.png()
    view.sequences = "lines"
    settle(view.session)
    names = {"model": model, "inputs": inputs}
    exec(view.code(), names)
    settle(names["session"])
    assert names["view"].png() == view.png() != heat


def test_a_picture_changes_with_each_setting(digits):
    """Else the test before would not see that a setting is lost."""
    session = opened(digits)
    for name, values in SETTINGS.items():
        view = getattr(aw, name)(session)
        settle(session)
        for setting, value in values.items():
            if (name, setting) in {
                ("FeatureMaps", "colours"),
                ("GraphView", "opened"),
                ("StepChart", "shown"),
            }:
                continue  # this layer has values of both signs, this model no nested one and no steps
            before = view.png()
            if (name, setting) == ("ChannelView", "opacity"):
                assert view.ground == "over the input"
            setattr(view, setting, value)
            settle(session)
            assert view.png() != before, (name, setting)
        view.close()


def test_only_what_is_not_usual_is_written(digits):
    model, images, _ = digits
    view = aw.Predictions(aw.Session(model, images[:2]))
    assert view.code().splitlines() == [
        "import act_widgets as aw",
        "",
        "# model, inputs: what the session was opened with",
        "session = aw.Session(model, inputs)",
        "view = aw.Predictions(session)",
        "view.array",
    ]


def test_a_page_that_was_turned_to_is_kept(digits):
    given = keras.Input((4, 4, 1))
    model = keras.Model(given, keras.layers.Conv2D(150, 1, name="wide")(given))
    session = aw.Session(model, np.ones((1, 4, 4, 1)))
    session.selection.layer, session.selection.channel = "wide", 149
    view = aw.FeatureMaps(session)
    view.page = 2
    array, names = run(view.code(), session, (model, None, None))
    assert names["view"].page == 2
    np.testing.assert_array_equal(array, view.array)


def test_open_groups_are_kept():
    given = keras.Input((6, 6, 1))
    inner = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Conv2D(2, 3, name="conv")], name="tower")
    model = keras.Model(given, keras.layers.Flatten()(inner(given)))
    session = aw.Session(model, np.ones((1, 6, 6, 1)))
    view = aw.GraphView(session)
    settle(session)
    closed = view.png()
    view._canvas._receive(None, {"type": "toggle", "address": "tower", "opened": True}, [])
    assert view.opened == ("tower",)
    assert view.png() != closed
    _, names = run(view.code(), session, (model, None, None))
    assert names["view"].png() == view.png()


def test_a_channel_that_is_explained_and_a_display_are_kept(digits):
    display = np.random.default_rng(0).integers(0, 255, (14, 20, 20, 3)).astype(np.uint8)
    session = opened(digits, display=display, training=True)
    session.selection.explain(5, "block2_relu2")
    view = aw.AttributionView(session)
    settle(session)
    assert "training=True" in view.code()
    array, names = run(view.code(), session, digits, display=display)
    assert names["session"].selection.target_layer == "block2_relu2"
    np.testing.assert_allclose(array, view.array, rtol=1e-5)
    picker = aw.SamplePicker(session)
    array, _ = run(picker.code(), session, digits, display=display)
    np.testing.assert_array_equal(array, picker.array)


def test_code_of_the_explorer_opens_it_as_it_is(digits):
    model, images, labels = digits
    explorer = aw.explore(model, images[:14], labels=labels, layer="block1_relu")
    explorer.selection.channel = 5
    explorer.session.silenced = ("block1_relu", (5,))
    explorer.views.histogram.scope = "layer"
    settle(explorer.session)
    again, _ = run(explorer.code(), explorer.session, digits)
    settle(again.session)
    assert again.png() == explorer.png()
    assert again.code() == explorer.code()
    for one in (explorer, again):
        one.close()


@pytest.mark.parametrize("name", some(VIEWS, 2))
def test_code_of_a_view_of_a_recording_shows_its_step(name):
    recording = stripes().recording()
    session = aw.Session(recording)
    session.step, session.selection.layer, session.selection.channel = 30, "conv", 2
    view = getattr(aw, name)(session)
    settle(session)
    if alert_of(view):
        assert "holds what 'stripes' computed, not the model" in alert_of(view)
        assert name in {"GraphView", "AttributionView"}
        return
    array, names = run(view.code(), session, (None, None, None), recording=recording)
    again = names["view"]
    settle(again.session)
    assert again.session.step == 30
    np.testing.assert_array_equal(array, view.array)
    assert again.png() == view.png()
    for one in (view, again):
        one.close()


def test_code_of_a_chart_of_steps_keeps_its_lines():
    recording = stripes().recording()
    view = aw.StepChart(aw.Session(recording, labels=["x", "y", "z"]))
    pictures = set()
    for shown in ("channel", "layer", "dead", "loss"):
        view.shown = shown
        settle(view.session)
        pictures.add(view.png())
        array, names = run(view.code(), view.session, (None, None, ["x", "y", "z"]), recording=recording)
        assert names["view"].shown == shown
        assert names["session"].labels == ("x", "y", "z")
        np.testing.assert_array_equal(array, view.array)
    assert len(pictures) == 4


def test_code_of_an_explorer_of_a_recording_opens_it_as_it_is():
    recording = stripes().recording()
    explorer = aw.explore(recording, layer="conv")
    explorer.session.step = 20
    explorer.views.step_chart.shown = "loss"
    settle(explorer.session)
    again, _ = run(explorer.code(), explorer.session, (None, None, None), recording=recording)
    settle(again.session)
    assert again.png() == explorer.png()
    assert again.code() == explorer.code()
    for one in (explorer, again):
        one.close()


def test_a_view_knows_its_selection(digits):
    session = opened(digits)
    assert aw.Histogram(session).selection is session.selection


def test_the_button_answers_when_it_is_asked(digits):
    session = opened(digits)
    view = aw.FeatureMaps(session)
    assert view._code.code == ""
    view._code.set_state({"asked": 1})
    assert (view._code.answered, view._code.code) == (1, view.code())
    session.selection.channel = 2
    assert "channel = 5" in view._code.code
    view._code.set_state({"asked": 2})
    assert "channel = 2" in view._code.code
