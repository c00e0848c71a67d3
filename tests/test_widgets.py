"""Controls and views without a browser: events are fed by hand, numbers and traits are read back."""

from __future__ import annotations

import io
import threading
from typing import Any

import ipywidgets
import keras
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from PIL import Image

import act_widgets as aw
from act_widgets.widgets.base import View
from act_widgets.widgets.worker import Worker, worker_of

from .cards import label_of, pick
from .screen import alert_of, text_of

LAYERS = keras.layers


@pytest.fixture
def explorer(digits):
    model, images, labels = digits
    opened = aw.explore(model, images[:14], labels=labels, layer="block1_relu")
    settle(opened)
    yield opened
    opened.close()


def settle(owner) -> None:
    assert worker_of(owner.session).wait()


def decoded(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def mouse(surface, event: str, x: float, y: float) -> None:
    surface._hear(surface, {"event": event, "at": [x, y]}, [])


def test_every_view_shows_the_numbers_of_the_selection(explorer, digits):
    model, images, _ = digits
    explorer.selection.layer = "block2_relu2"
    explorer.selection.channel = 11
    explorer.selection.sample = 6
    explorer.selection.target = 3
    settle(explorer)
    views = explorer.views
    layer = aw.capture(model, images[6:7], "block2_relu2")["block2_relu2"][0]
    np.testing.assert_allclose(views.feature_maps.array, np.moveaxis(layer, -1, 0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(views.channel_view.array, layer[..., 11], rtol=1e-5, atol=1e-6)
    assert views.histogram.array.sum() == 64
    assert views.histogram.array[0] >= (layer[..., 11] == 0).sum()
    np.testing.assert_allclose(views.predictions.array, model(images[6:7])[0], rtol=1e-4, atol=1e-6)
    alone = aw.attribute(model, images[6:7], layer="block2_relu2", target=3)
    np.testing.assert_allclose(views.attribution.array, alone.maps[0], rtol=1e-3, atol=1e-6)
    assert views.sample_picker.array.shape == (12, 72, 72, 3)


def test_every_view_gives_a_picture(explorer):
    for view in explorer.views:
        picture = decoded(view.png())
        assert picture.min() < picture.max(), type(view).__name__
    whole = decoded(explorer.png())
    assert whole.shape[0] > 600
    assert whole.shape[1] > 1800


def test_controls_write_the_selection(explorer):
    views, selection = explorer.views, explorer.selection
    views.layer_picker._list.chosen = "block3_relu2"
    assert selection.layer == "block3_relu2"
    views.channel_slider._slider.value = 40
    assert selection.channel == 40
    views.sample_picker._slider.value = 13
    assert selection.sample == 13
    classes = views.class_selector._list
    best_first = [option.key for option in classes.options[1:]]
    assert best_first[0] == str(explorer.session.top_class(13))
    classes.chosen = best_first[2]
    assert selection.target == int(best_first[2])
    classes.chosen = classes.options[0].key
    assert selection.target is None


def test_the_selection_moves_the_controls(explorer):
    views, selection = explorer.views, explorer.selection
    selection.layer = "block3_relu2"
    selection.channel = 47
    selection.sample = 13
    selection.target = 7
    assert views.layer_picker._list.chosen == "block3_relu2"
    assert (views.channel_slider._slider.value, views.channel_slider._slider.max) == (47, 47)
    assert views.sample_picker._slider.value == 13
    assert views.class_selector._list.chosen == "7"
    selection.layer = "stem_relu"
    assert selection.channel == 0
    assert (views.channel_slider._slider.value, views.channel_slider._slider.max) == (0, 15)


def test_inner_layers_lie_in_the_one_that_holds_them():
    inner = keras.Sequential([keras.Input((4,)), LAYERS.Dense(3, name="dense")], name="inner")
    heads = LAYERS.MultiHeadAttention(1, 2, name="heads")
    x = keras.Input((5, 4), name="x")
    model = keras.Model(x, heads(*[LAYERS.TimeDistributed(inner, name="each")(x)] * 2))
    offered = aw.LayerPicker(aw.Session(model, np.ones((1, 5, 4))))._list.options
    assert [(option.depth, option.key, option.name) for option in offered][:4] == [
        (0, "x", "x"),
        (0, "each", "each"),
        (1, "each/inner", "inner"),
        (2, "each/inner/dense", "dense"),
    ]
    assert ("heads/query", "query", 1) in [(option.key, option.name, option.depth) for option in offered]


def test_a_layer_that_is_gone_is_not_chosen_and_the_list_goes_back(explorer):
    picker = explorer.views.layer_picker
    picker._list.set_state({"chosen": "layer of another model"})
    assert "layer of another model" in alert_of(picker)
    assert picker._list.chosen == explorer.selection.layer == "block1_relu"


def test_a_click_in_the_grid_chooses_the_map_under_it(explorer):
    grid = explorer.views.feature_maps
    for channel in (0, 17, 31):
        box = grid._grid.box(channel)
        mouse(grid._surface, "click", box.x + box.width / 2, box.y + box.height / 2)
        assert explorer.selection.channel == channel
    mouse(grid._surface, "click", 559, 559)  # behind the last map
    assert explorer.selection.channel == 31


def test_the_pointer_reads_the_value_under_it(explorer):
    grid = explorer.views.feature_maps
    values = explorer.session.activation("block1_relu")[0, ..., 9]
    row, column = np.unravel_index(values.argmax(), values.shape)
    box = grid._grid.box(9)
    mouse(
        grid._surface,
        "point",
        box.x + (column + 0.5) / 8 * box.width,
        box.y + (row + 0.5) / 8 * box.height,
    )
    assert f"channel 9 · row {row}, column {column} · {values.max():.3g}" in text_of(grid._under.value)


def test_a_click_on_a_thumbnail_chooses_the_sample(explorer):
    picker = explorer.views.sample_picker
    mouse(picker._surface, "click", 76 * 3 + 20, 76 + 20)
    assert explorer.selection.sample == 9


def test_a_click_in_the_graph_chooses_the_layer(explorer):
    graph = explorer.views.graph
    graph._canvas._receive(None, {"type": "select", "address": "block2_conv1"}, [])
    assert explorer.selection.layer == "block2_conv1"
    explorer.selection.layer = "block3_add"
    assert graph._canvas.selected == "block3_add"


def test_maps_of_one_scale_share_their_colours(explorer):
    grid = explorer.views.feature_maps
    own = decoded(grid.png())
    grid._scale.value = "per layer"
    shared = decoded(grid.png())
    assert not np.array_equal(own, shared)
    high = explorer.session.activation("block1_relu")[0].max()
    assert f"{high:.3g}" in text_of(grid._bar.value)


def test_many_channels_come_in_pages_and_a_chosen_channel_turns_to_its_page():
    inputs = keras.Input((4, 4, 1))
    model = keras.Model(inputs, LAYERS.Conv2D(150, 1, name="wide")(inputs))
    session = aw.Session(model, np.ones((1, 4, 4, 1)))
    session.selection.layer = "wide"
    grid = aw.FeatureMaps(session)
    assert grid.array.shape == (64, 4, 4)
    session.selection.channel = 149
    assert grid._page.value == 3
    assert grid.array.shape == (22, 4, 4)
    np.testing.assert_allclose(grid.array[-1], session.activation("wide")[0, ..., 149], rtol=1e-6)
    grid._page.value = 1
    assert session.selection.channel == 149
    assert grid.array.shape == (64, 4, 4)
    grid.close()


def test_choosing_what_is_kept_runs_the_model_no_more(explorer):
    before = explorer.session.stats()
    assert before["forward_passes"] == 1
    for layer in explorer.session.layers:
        explorer.selection.layer = layer
        settle(explorer)
    explorer.selection.channel = 0
    after = explorer.session.stats()
    assert (after["forward_passes"], after["backward_passes"]) == (1, before["backward_passes"])
    explorer.selection.target = 9
    settle(explorer)
    assert explorer.session.stats()["backward_passes"] == before["backward_passes"] + 1
    assert "1 forward pass ·" in text_of(explorer._head.value)


def test_a_layer_without_places_is_explained_at_the_nearest_that_has_them(explorer):
    explorer.selection.layer = "predictions"
    settle(explorer)
    said = text_of(explorer.views.attribution._under.value)
    assert "at 'block3_relu2'" in said
    assert "'predictions' has no spatial axes" in said


def test_a_failing_observer_shows_in_the_card_that_was_used_and_the_next_choice_works(explorer):
    def complain(change):
        if change["new"] == 5:
            raise RuntimeError("planted <script>fault</script>")

    explorer.selection.observe(complain, names="channel")
    slider = explorer.views.channel_slider
    slider._slider.value = 5
    assert "planted <script>fault</script>" in alert_of(slider)
    assert "RuntimeError" in alert_of(slider)
    slider._slider.value = 6
    assert alert_of(slider) == ""
    assert explorer.selection.channel == 6


def test_a_view_that_cannot_show_a_layer_says_so_and_recovers():
    words = keras.Input((3,), dtype="string", name="words")
    numbers = LAYERS.StringLookup(vocabulary=["a", "b", "c"], name="lookup")(words)
    vectors = LAYERS.Embedding(5, 4, name="vectors")(numbers)
    model = keras.Model(words, LAYERS.Dense(2)(LAYERS.GlobalAveragePooling1D()(vectors)))
    session = aw.Session(model, np.array([["a", "b", "zzz"]]))
    grid, chart = aw.FeatureMaps(session), aw.Histogram(session)
    session.selection.layer = "words"
    assert "'words' holds text" in alert_of(grid)
    assert "'words' holds text" in alert_of(chart)
    session.selection.layer = "vectors"
    assert alert_of(grid) == alert_of(chart) == ""
    assert grid.array.shape == (4, 3)


@pytest.mark.parametrize(
    ("shape", "maps"),
    [((5,), (5,)), ((7, 5), (5, 7)), ((6, 7, 5), (5, 6, 7)), ((4, 6, 7, 5), (5, 6, 7))],
    ids=["vector", "sequence", "image", "volume"],
)
def test_any_rank_is_drawn(shape, maps):
    inputs = keras.Input(shape, name="given")
    model = keras.Model(
        inputs, LAYERS.Dense(3, name="out")(LAYERS.Flatten()(LAYERS.ReLU(name="relu")(inputs)))
    )
    given = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    explorer = aw.explore(model, given, layer="relu")
    settle(explorer)
    assert explorer.views.feature_maps.array.shape == maps
    expected = np.maximum(given[0], 0)
    if len(shape) == 4:
        expected = expected[2]
    drawn = explorer.views.feature_maps.array
    np.testing.assert_array_equal(drawn.ravel(), np.moveaxis(expected, -1, 0).ravel())
    assert ("no map to draw" in text_of(explorer.views.attribution._under.value)) == (len(shape) == 1)
    assert not any(alert_of(view) for view in explorer.views)
    assert decoded(explorer.png()).shape[1] > 1800
    assert decoded(explorer.views.sample_picker.png()).any()
    explorer.close()


def test_one_unit_offers_for_and_against():
    model = keras.Sequential([keras.Input((4,)), LAYERS.Dense(1, "sigmoid")])
    session = aw.Session(model, np.ones((1, 4)), labels=["cat"])
    chooser = aw.ClassSelector(session)
    value = float(session.outputs()[0, 0])
    told = {option.key: (option.name, option.facts) for option in chooser._list.options}
    assert told["1"] == ("for cat", f"{value:.1%}")
    assert told["0"] == ("against cat", f"{1 - value:.1%}")


def ending(head: list[Any]) -> keras.Model:
    """A model that gives 0.4 before the last of its layers, nested once."""
    dense = LAYERS.Dense(1, head[0], kernel_initializer="zeros", bias_initializer="zeros")
    x = keras.Input((4,))
    inner = keras.Model(x, dense(x))
    dense.bias.assign([0.4])
    return keras.Sequential([keras.Input((4,)), inner, *head[1:]])


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ([None], ("as predicted", "for")),
        ([None], ("against", "-0.4")),
        (["sigmoid"], ("against", "40.1%")),
        # As models of mixed precision end.
        (["sigmoid", LAYERS.Activation("linear", dtype="float32")], ("against", "40.1%")),
    ],
    ids=["linear, predicted", "linear", "sigmoid", "sigmoid and cast"],
)
def test_a_number_between_0_and_1_is_a_probability_only_if_no_linear_layer_made_it(head, words):
    session = aw.Session(ending(head), np.ones((2, 4)))
    assert words in [(option.name, option.facts) for option in aw.ClassSelector(session)._list.options]


@pytest.mark.parametrize(
    ("units", "activation", "probabilities"),
    [(3, None, False), (3, "softmax", True), (3, "sigmoid", False), (1, "sigmoid", True), (1, None, False)],
)
def test_numbers_that_are_not_finite_are_no_probabilities_unless_the_model_states_it(
    units, activation, probabilities
):
    model = keras.Sequential([keras.Input((4,)), LAYERS.Dense(units, activation)])
    model.set_weights([np.full((4, units), np.nan), np.zeros(units)])
    session = aw.Session(model, np.ones((2, 4)))
    assert session.head.probabilities is probabilities
    view = aw.Predictions(session)
    assert "NaN" in text_of(view._rows.value)
    assert "%" not in text_of(view._rows.value)
    assert "aw-row-chosen" not in view._rows.value
    assert {option.facts for option in aw.ClassSelector(session)._list.options[1:]} == {"NaN"}
    session.selection.target = 0
    assert "aw-row-chosen" in view._rows.value, "what was chosen by hand is set off"


HOSTILE = ["<img src=x onerror=alert(1)>", "a" * 300, "דוגמה 🐈", '"quoted" & <b>', "plain"]


def test_hostile_labels_are_text():
    model = keras.Sequential([keras.Input((8, 8, 1)), LAYERS.Flatten(), LAYERS.Dense(5, "softmax")])
    explorer = aw.explore(model, np.ones((1, 8, 8, 1)), labels=HOSTILE)
    settle(explorer)
    html = explorer.views.predictions._rows.value + explorer.views.attribution._heading.value
    assert "<img" not in html
    assert "<b>" not in html
    for label in HOSTILE:
        assert label in text_of(explorer.views.predictions._rows.value)
    explorer.close()


def test_views_of_one_session_are_linked_and_others_are_not(digits):
    model, images, labels = digits
    first = aw.Session(model, images[:2], labels=labels)
    second = aw.Session(model, images[:2], labels=labels)
    views = [aw.ChannelView(first), aw.ChannelView(first), aw.ChannelView(second)]
    untouched = views[2].array.copy()
    first.selection.layer = "stem_relu"
    np.testing.assert_array_equal(views[0].array, views[1].array)
    np.testing.assert_array_equal(views[2].array, untouched)


def test_other_inputs_draw_every_view_anew(explorer, digits):
    _, images, _ = digits
    before = explorer.views.channel_view.array.copy()
    explorer.session.inputs = images[20:23]
    settle(explorer)
    expected = explorer.session.activation("block1_relu")[0, ..., 0]
    np.testing.assert_array_equal(explorer.views.channel_view.array, expected)
    assert not np.array_equal(before, expected)
    assert explorer.views.sample_picker.array.shape[0] == 3


def test_silenced_channels_show_the_prediction_before_and_after(explorer, digits):
    model, images, _ = digits
    editor, answer = explorer.views.channel_editor, explorer.views.predictions
    for channel in (3, 7):
        explorer.selection.channel = channel
        editor._toggle.click()
    settle(explorer)
    assert explorer.session.silenced == ("block1_relu", (3, 7))
    expected = explorer.session.edit("block1_relu", [3, 7])[0]
    np.testing.assert_allclose(answer._result(answer.key()).after, expected, rtol=1e-5)
    np.testing.assert_allclose(answer.array, model(images[:1])[0], rtol=1e-4, atol=1e-6)
    best = answer._result(answer.key()).order[0]
    assert f"after {expected[best]:.1%}" in " ".join(text_of(answer._rows.value).split())
    assert editor._toggle.description == "Restore channel 7"
    assert "3, 7" in text_of(editor._under.value)
    editor._toggle.click()
    assert explorer.session.silenced == ("block1_relu", (3,))
    editor._clear.click()
    settle(explorer)
    assert "after" not in text_of(answer._rows.value)
    assert explorer.session.stats()["forward_passes"] == 1


def test_close_stops_following_and_frees_the_widgets(digits):
    model, images, _ = digits
    before = len(_instances)
    explorer = aw.explore(model, images[:2])
    settle(explorer)
    selection, graph = explorer.selection, explorer.views.channel_view
    shown = graph._heading.value
    explorer.close()
    explorer.close()
    assert explorer.session.stats()["cache_bytes"] == 0
    selection.layer = "stem_relu"
    assert graph._heading.value == shown
    assert len(_instances) == before


def test_a_view_takes_a_session(digits):
    with pytest.raises(aw.ModelError, match=r"takes a session first.*Received: Functional"):
        aw.FeatureMaps(digits[0])


class Slow(View):
    """Shows the class as text; any class but the predicted one takes until it is told to go on."""

    title, watches = "Slow", ("target",)

    def build(self):
        self.began, self.go_on, self.out = threading.Event(), threading.Event(), ipywidgets.HTML()
        return [self.out]

    def key(self):
        return self.session.selection.target

    def is_ready(self, key):
        return key is None

    def compute(self, key):
        if key is not None:
            self.began.set()
            assert self.go_on.wait(60)
        if key == 4:
            raise ValueError("planted")
        return key

    def draw(self, result):
        self.out.value = str(result)


@pytest.mark.parametrize("target", [3, 4], ids=["a result", "an error"])
def test_what_was_given_up_while_it_was_computed_is_not_shown(digits, target):
    session = aw.Session(digits[0], digits[1][:1])
    view = Slow(session)
    session.selection.target = target
    assert view.began.wait(60)
    session.selection.target = None
    view.go_on.set()
    assert worker_of(session).wait()
    assert (view.out.value, view._busy.value, view._alert.value) == ("None", "", "")
    session.selection.target = 5
    assert worker_of(session).wait()
    assert view.out.value == "5"


def test_a_layer_without_channels_can_be_chosen_and_left():
    given = keras.Input((3, 3, 2), name="given")
    none = LAYERS.Lambda(lambda t: t[..., :0], name="none")(given)
    flat = LAYERS.Flatten()(LAYERS.Concatenate(name="both")([given, none]))
    session = aw.Session(keras.Model(given, LAYERS.Dense(2)(flat)), np.ones((1, 3, 3, 2)))
    grid = aw.FeatureMaps(session)
    session.selection.layer = "none"
    assert "holds nothing" in alert_of(grid)
    session.selection.layer = "both"
    assert alert_of(grid) == ""


def test_the_newest_wish_of_an_owner_replaces_the_waiting_one():
    worker, started, go = Worker(), threading.Event(), threading.Event()
    ran: list[str] = []

    def first():
        started.set()
        assert go.wait(30)
        ran.append("first")

    worker.submit("view", first)
    assert started.wait(30)
    for name in ("second", "third"):
        worker.submit("view", lambda name=name: ran.append(name))
    worker.submit("other", lambda: ran.append("other"))
    worker.submit("gone", lambda: ran.append("gone"))
    worker.withdraw("gone")
    go.set()
    assert worker.wait()
    assert ran == ["first", "third", "other"]


def test_a_choice_among_entries_that_are_gone_changes_nothing(explorer):
    """The page may answer with an entry of the layer that it showed before."""
    session, maps = explorer.session, explorer.views.feature_maps
    axes, told = maps._axes.list, []
    stale = next(key for key, words in axes.options if words != label_of(axes))
    explorer.selection.layer = "block2_relu2"
    before, chosen = session.axes.chosen, axes.chosen
    axes._send = lambda message, **rest: told.append(message)
    axes.set_state({"chosen": stale})
    assert (session.axes.chosen, axes.chosen) == (before, chosen)
    assert told[-1]["state"] == {"chosen": chosen}, "the page goes back to what is chosen"
    assert alert_of(maps) == ""
    pick(axes, "channels × height × width")
    assert session.axes["block2_relu2"].words == label_of(axes) == "channels × height × width"
    del session.axes["block2_relu2"]
