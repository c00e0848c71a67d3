"""Faults of reading and showing numbers that were found by use, each kept from coming back."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import act_widgets as aw
from act_widgets.rendering.bins import binned
from act_widgets.widgets.worker import worker_of

from .fresh import run_fresh, two_at_a_time
from .screen import alert_of, text_of
from .zoo import arrays_of, batch, build, shaken, tokens

CLOSE = {"rtol": 1e-4, "atol": 1e-5}


# --- inputs by name ---


def listed_inputs(shape: tuple[int, ...] = (4,)) -> keras.Model:
    """A model that takes a list, its inputs in another order than that of their names."""
    numbers = keras.Input(shape, name="z_float")
    words = keras.Input((4,), name="a_int", dtype="int32")
    seen = layers.Flatten(name="flat")(layers.Embedding(9, 2, name="embed")(words))
    both = layers.Concatenate(name="both")([layers.Flatten(name="row")(numbers), seen])
    return shaken(keras.Model([numbers, words], layers.Dense(3, activation="softmax", name="out")(both)))


@pytest.mark.parametrize("shape", [(4,), (3, 2)], ids=["same shape", "another shape"])
@pytest.mark.parametrize("traced", [False, True], ids=["eager", "traced"])
def test_a_model_that_takes_a_list_reads_a_dict_by_name(shape, traced):
    model = listed_inputs(shape)
    given = {"a_int": tokens(3, 4), "z_float": batch(3, *shape)}
    if traced:
        aw.graph(model, given)
    session = aw.Session(model, given)
    np.testing.assert_allclose(session.outputs(), model(given), **CLOSE)
    np.testing.assert_allclose(session.outputs(), model([given["z_float"], given["a_int"]]), **CLOSE)
    captured = aw.capture(model, given)
    for name, array in given.items():
        np.testing.assert_array_equal(captured[name], array)
        assert captured[name].dtype == array.dtype
    np.testing.assert_allclose(captured["embed"], model.get_layer("embed")(given["a_int"]), **CLOSE)


def test_the_order_of_the_dict_does_not_matter():
    model = listed_inputs()
    numbers, words = batch(3, 4), tokens(3, 4)
    one = aw.capture(model, {"a_int": words, "z_float": numbers})
    other = aw.capture(model, {"z_float": numbers, "a_int": words})
    assert list(one) == list(other)
    for layer in one:
        np.testing.assert_array_equal(one[layer], other[layer])


@pytest.mark.parametrize("missing", ["z_float", "a_int"])
@pytest.mark.parametrize("ask", [aw.Session, aw.capture, aw.attribute])
def test_an_input_missing_by_name_is_named(ask, missing):
    given = {"a_int": tokens(3, 4), "z_float": batch(3, 4)}
    given["other"] = given.pop(missing)
    with pytest.raises(aw.InputError) as raised:
        ask(listed_inputs(), given)
    assert f"'{missing}'" in str(raised.value)
    assert "'other'" in str(raised.value)


# --- values that are not finite ---

SAME_NANS = """
import sys
import keras
import numpy as np
import act_widgets as aw
keras.utils.set_random_seed(0)
given = keras.Input((9, 9, 3), name="image")
y = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="conv")(given)
y = keras.layers.Conv2D(8, 3, activation="relu", name="deep")(y)
y = keras.layers.GlobalAveragePooling2D(name="gap")(y)
model = keras.Model(given, keras.layers.Dense(4, activation="softmax", name="out")(y))
x = np.random.default_rng(0).normal(size=(2, 9, 9, 3)).astype("float32")
x[0, 4, 4, 1] = np.nan
eager = aw.capture(model, x)
aw.attribute(model, x, layer="conv", target=1)
traced = aw.capture(model, x)
for name in eager:
    np.testing.assert_array_equal(np.isnan(traced[name]), np.isnan(eager[name]), err_msg=name)
    np.testing.assert_allclose(traced[name], eager[name], rtol=1e-4, atol=1e-5, err_msg=name)
assert np.isnan(eager["conv"][0]).any(-1).sum() == 9
assert np.isnan(eager["deep"][0]).any(-1).sum() == 25
assert not np.isnan(eager["out"][1]).any()
print("the same")
"""


ONEDNN = {"default": {}, "0": {"TF_ENABLE_ONEDNN_OPTS": "0"}, "1": {"TF_ENABLE_ONEDNN_OPTS": "1"}}


@pytest.fixture(scope="module")
def same_nans():
    runs = {name: partial(run_fresh, SAME_NANS, **settings) for name, settings in ONEDNN.items()}
    with two_at_a_time(runs) as running:
        yield running


@pytest.mark.parametrize("onednn", ONEDNN)
def test_nan_stays_nan_when_the_model_was_traced(onednn, same_nans):
    done = same_nans[onednn].result()
    assert done.returncode == 0, done.stderr
    assert done.stdout == "the same\n"


def test_nan_is_the_same_in_every_layer_eagerly_and_traced():
    model, x = build("functional_sum")
    x[1, 2, 3, 0] = np.nan
    eager = aw.capture(model, x)
    assert np.isnan(eager["left"][1]).any()
    aw.attribute(model, x, layer="left", target=1)
    traced = aw.capture(model, x)
    assert list(traced) == list(eager)
    for layer in eager:
        np.testing.assert_array_equal(np.isnan(traced[layer]), np.isnan(eager[layer]), err_msg=layer)
        np.testing.assert_allclose(traced[layer], eager[layer], err_msg=layer, equal_nan=True, **CLOSE)


def slope(units: int, activation: str) -> keras.Model:
    model = keras.Sequential([keras.Input((1,)), layers.Dense(units, activation, name="out")])
    model.set_weights([np.linspace(1, -1, units)[None], np.zeros(units)])
    return model


def test_one_sample_of_nan_changes_no_other_sample_of_one_unit():
    x = np.array([[-2.0], [np.nan], [-0.5], [3.0]])
    session = aw.Session(slope(1, "sigmoid"), x)
    assert session.head.probabilities
    assert [session.top_class(sample) for sample in (0, 2, 3)] == [0, 0, 1]
    assert np.isnan(session.predictions(1)).all()
    assert session.attribution("saliency").scores == "logits"


def test_one_sample_of_nan_changes_no_other_sample_of_several_units():
    x = np.array([[np.nan], [-2.0], [3.0]])
    session = aw.Session(slope(3, "softmax"), x)
    assert session.head.probabilities
    assert [session.top_class(sample) for sample in (1, 2)] == [2, 0]
    assert session.attribution("saliency").scores == "logits"


# --- channels first ---


@pytest.mark.parametrize("traced", [False, True], ids=["eager", "traced"])
def test_channels_first_lasts_until_the_axes_are_permuted(traced):
    given = keras.Input((2, 5, 6), name="image")
    y = layers.ZeroPadding2D(1, data_format="channels_first", name="pad")(given)
    y = layers.Activation("relu", name="before")(y)
    y = layers.Permute((2, 3, 1), name="turn")(y)
    y = layers.Activation("tanh", name="after")(y)
    model = keras.Model(given, layers.Dense(2, name="out")(layers.Flatten(name="flat")(y)))
    x = batch(2, 2, 5, 6)
    if traced:
        aw.graph(model, x)
    session = aw.Session(model, x)
    axes = {name: session.tap(name).channel_axis for name in ("pad", "before", "turn", "after", "flat")}
    assert axes == {"pad": 1, "before": 1, "turn": -1, "after": -1, "flat": -1}
    grid = aw.FeatureMaps(session)
    for name in ("pad", "before", "turn", "after"):
        session.selection.layer = name
        assert alert_of(grid) == ""
        assert grid.array.shape == (2, 7, 8), name
        values = session.activation(name)[0]
        expected = values if axes[name] == 1 else np.moveaxis(values, -1, 0)
        np.testing.assert_array_equal(grid.array, expected)
    grid.close()


# --- the default layer of an attribution ---


def softmax_at_every_place() -> tuple[Any, Any]:
    given = keras.Input((6, 6, 1), name="image")
    y = layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(given)
    y = layers.Conv2D(3, 1, name="scores")(y)
    return shaken(keras.Model(given, layers.Softmax(name="classes")(y))), batch(2, 6, 6, 1)


def softmax_over_places() -> tuple[Any, Any]:
    given = keras.Input((6, 6, 1), name="image")
    y = layers.Conv2D(3, 3, padding="same", name="conv")(given)
    return shaken(keras.Model(given, layers.Softmax(axis=(1, 2), name="where")(y))), batch(2, 6, 6, 1)


def scores_of_attention() -> tuple[Any, Any]:
    given = keras.Input((5, 4), name="steps")
    heads = layers.MultiHeadAttention(2, 3, name="heads")
    seen, _ = heads(given, given, return_attention_scores=True)
    y = layers.GlobalAveragePooling1D(name="pool")(seen)
    return shaken(keras.Model(given, layers.Dense(3, activation="softmax", name="out")(y))), batch(2, 5, 4)


def two_heads() -> tuple[Any, Any]:
    given = keras.Input((6, 6, 1), name="image")
    y = layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(given)
    kind = layers.Dense(3, activation="softmax", name="kind")(layers.GlobalAveragePooling2D(name="gap")(y))
    picture = layers.Conv2D(2, 3, padding="same", activation="relu", name="side")(y)
    again = layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="again")(picture)
    return shaken(keras.Model(given, [kind, again])), batch(2, 6, 6, 1)


@pytest.mark.parametrize(
    ("make", "layer"),
    [
        (softmax_at_every_place, "scores"),
        (softmax_over_places, "conv"),
        (scores_of_attention, "heads"),
        (two_heads, "conv"),
    ],
    ids=lambda case: getattr(case, "__name__", None),
)
def test_the_layer_explained_by_default_is_one_that_the_score_depends_on(make, layer):
    model, x = make()
    result = aw.attribute(model, x, target=1)
    assert result.connected
    assert result.layer == layer
    assert result.values.any()


@pytest.mark.parametrize("make", [softmax_at_every_place, scores_of_attention])
def test_the_explorer_opens_on_a_layer_that_the_score_depends_on(make):
    model, x = make()
    session = aw.Session(model, x)
    result = session.attribution(layer=session.selection.layer, target=1)
    assert result.connected


# --- why a map is blank ---


def test_a_layer_that_is_off_is_said_to_be_zero():
    given = keras.Input((6, 6, 1), name="image")
    y = layers.Conv2D(3, 3, activation="relu", name="conv")(given)
    y = layers.GlobalAveragePooling2D(name="gap")(y)
    model = shaken(keras.Model(given, layers.Dense(3, activation="softmax", name="out")(y)))
    model.get_layer("conv").bias.assign([-99.0] * 3)
    result = aw.attribute(model, batch(2, 6, 6, 1), layer="conv", target=1)
    assert not aw.capture(model, batch(2, 6, 6, 1), "conv")["conv"].any()
    for sample in range(2):
        reason = result.blank_reason(sample)
        assert "activation of 'conv'" in reason
        assert "is 0" in reason
        assert "gradient" not in reason


@pytest.mark.parametrize("sample", [2, 99, -1])
def test_the_reason_of_a_map_that_does_not_exist(sample):
    model, x = softmax_at_every_place()
    result = aw.attribute(model, x, target=1)
    with pytest.raises(aw.InputError, match=rf"sample={sample}\. Expected: 0 to 1"):
        result.blank_reason(sample)


# --- numbers that are hard to draw ---


def shown(values: np.ndarray) -> keras.Model:
    """A model that hands its input on as it is, and whose answer overflows nowhere."""
    given = keras.Input(values.shape[1:], name="given")
    kept = layers.Activation("linear", name="kept")(given)
    return keras.Model(given, layers.GlobalMaxPooling2D(name="out")(kept))


STEPS = np.arange(2 * 4 * 4 * 2, dtype="float32").reshape(2, 4, 4, 2)
HARD = {
    "one large negative value": np.full((2, 4, 4, 2), -1e9, "float32"),
    "one of the largest": np.full((2, 4, 4, 2), -3e38, "float32"),
    "close together": 1000 + 1e-4 * STEPS,
    "the largest": np.where(STEPS % 3 == 0, -3e38, 3e38).astype("float32"),
    "the least": np.where(STEPS % 3 == 0, -1e-42, 1e-42).astype("float32"),
    "zero": np.zeros((2, 4, 4, 2), "float32"),
    "not finite": np.where(STEPS % 3 == 0, np.nan, np.where(STEPS % 5 == 0, -np.inf, STEPS)),
    "only NaN": np.full((2, 4, 4, 2), np.nan, "float32"),
}


@pytest.mark.parametrize("case", HARD)
def test_hard_numbers_are_counted_and_drawn(case):
    values = HARD[case].astype("float32")
    session = aw.Session(shown(values), values, display=np.zeros((2, 4, 4), "uint8"))
    chart, grid = aw.Histogram(session), aw.FeatureMaps(session)
    for layer, sample, channel in (("kept", 0, 0), ("kept", 1, 1), ("given", 1, 0)):
        session.selection.layer, session.selection.sample, session.selection.channel = layer, sample, channel
        maps = np.moveaxis(values[sample], -1, 0)
        for scope, counted in (("channel", maps[channel]), ("layer", maps)):
            chart._scope.value = scope
            assert chart.array.sum() == np.isfinite(counted).sum()
        for log in ("log", "linear"):
            chart._counts.value = log
        for scale in ("per layer", "per map"):
            grid._scale.value = scale
        np.testing.assert_array_equal(grid.array, maps)
        for view in (chart, grid):
            assert alert_of(view) == ""
            assert view.png().startswith(b"\x89PNG")
            assert alert_of(view) == ""
    for view in (chart, grid):
        view.close()


def test_values_close_together_fall_in_several_bins():
    values = HARD["close together"].astype("float32")
    session = aw.Session(shown(values), values)
    session.selection.layer = "kept"
    chart = aw.Histogram(session)
    assert np.count_nonzero(chart.array) > 3
    chart.close()


def test_a_dead_channel_has_a_readable_axis():
    counts, edges = binned(np.zeros((4, 4)))
    assert (edges[0], edges[-1]) == (-0.5, 0.5)
    assert counts.sum() == counts.max() == 16


def test_booleans_are_counted_and_drawn():
    given = keras.Input((4, 4, 2), name="given")
    above = layers.Lambda(lambda t: t > 0, name="above")(given)
    y = layers.GlobalAveragePooling2D(name="gap")(
        layers.Lambda(lambda t: tf.cast(t, tf.float32), name="n")(above)
    )
    model = keras.Model(given, layers.Dense(2, name="out")(y))
    x = batch(2, 4, 4, 2)
    session = aw.Session(model, x)
    chart, grid, single = aw.Histogram(session), aw.FeatureMaps(session), aw.ChannelView(session)
    session.selection.layer = "above"
    for view in (chart, grid, single):
        assert alert_of(view) == ""
        assert view.png().startswith(b"\x89PNG")
    np.testing.assert_array_equal(grid.array, np.moveaxis(x[0] > 0, -1, 0))
    assert chart.array.sum() == 16
    assert (chart.array[0], chart.array[-1]) == ((x[0, ..., 0] <= 0).sum(), (x[0, ..., 0] > 0).sum())
    for view in (chart, grid, single):
        view.close()


def test_a_layer_of_nothing_is_told_plainly():
    given = keras.Input((4, 4, 2), name="given")
    none = layers.Lambda(lambda t: t[:, :0], name="none")(given)
    y = layers.Concatenate(axis=1, name="both")([given, none])
    model = keras.Model(given, layers.GlobalMaxPooling2D(name="out")(y))
    session = aw.Session(model, batch(2, 4, 4, 2))
    views = [aw.Histogram(session), aw.FeatureMaps(session), aw.ChannelView(session)]
    session.selection.layer = "none"
    for view in views:
        assert "'none' holds nothing, which can't be drawn" in alert_of(view)
        assert "LayerKindError" in alert_of(view)
        with pytest.raises(aw.LayerKindError, match="holds nothing"):
            view.png()
    session.selection.layer = "both"
    for view in views:
        assert alert_of(view) == ""
        view.close()


@pytest.mark.parametrize("shape", [(2000, 1, 1), (1, 2000, 1)], ids=["tall", "wide"])
def test_long_maps_fit_the_screen(shape):
    given = keras.Input(shape, name="given")
    y = layers.Conv2D(8, 3, padding="same", name="conv")(given)
    model = keras.Model(given, layers.Dense(2, name="out")(layers.GlobalAveragePooling2D(name="gap")(y)))
    session = aw.Session(model, batch(1, *shape))
    session.selection.layer = "conv"
    grid = aw.FeatureMaps(session)
    assert alert_of(grid) == ""
    assert grid.array.shape == (8, *shape[:2])
    width, height = grid._surface.size
    assert max(width, height) <= 1200
    for channel in (0, 7):
        box = grid._grid.box(channel)
        assert 0 <= box.x < box.x + box.width <= width + 1
        assert 0 <= box.y < box.y + box.height <= height + 1
    grid.close()


# --- names that look like addresses ---


@pytest.mark.parametrize("first", [True, False], ids=["before the calls", "behind the calls"])
def test_names_that_look_like_addresses_lose_no_call(first):
    given = keras.Input((6, 6, 1), name="image")
    twice, named = layers.Conv2D(1, 3, padding="same", name="c"), layers.Conv2D(1, 1, name="c#2")
    y = layers.ReLU(name="x:1")(given)
    y = twice(twice(named(y))) if first else named(twice(twice(y)))
    y = layers.GlobalAveragePooling2D(name="gap:mean#3")(y)
    model = shaken(keras.Model(given, layers.Dense(2, name="out")(y)))
    x = batch(2, 6, 6, 1)
    graph = aw.graph(model, x)
    addresses = [node.address for node in graph.nodes]
    assert len(set(addresses)) == len(addresses) == 7
    assert len(graph.edges) == 6
    assert [node.kind for node in graph.nodes].count("Conv2D") == 3
    captured = aw.capture(model, x)
    assert len(captured) == 7
    relu = np.maximum(x, 0)
    steps = [named, twice, twice] if first else [twice, twice, named]
    convolved = [relu]
    for layer in steps:
        convolved.append(layer(convolved[-1]))
    for address, expected in zip(list(captured)[1:5], convolved, strict=True):
        np.testing.assert_allclose(captured[address], expected, err_msg=address, **CLOSE)
    explorer = aw.explore(model, x)
    for address in explorer.session.layers:
        explorer.selection.layer = address
        assert worker_of(explorer.session).wait()
        assert alert_of(explorer.views.graph) == ""
        assert explorer.views.graph._canvas.selected == explorer.session.tap(address).call
    assert explorer.views.graph.array.shape == (6, 2)
    explorer.close()


# --- raw outputs ---


class OwnOutputs(keras.Model):
    """Returns what `give` makes of its scores."""

    def __init__(self, give: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense = layers.Dense(3, name="dense")
        self.give = give

    def call(self, x: Any) -> Any:
        return self.give(self.dense(x))


@pytest.mark.parametrize("traced", [False, True], ids=["eager", "traced"])
@pytest.mark.parametrize(
    "give",
    [lambda y: (y, None), lambda y: (None, y), lambda y: {"y": y, "loss": None}, lambda y: [(None, y), None]],
    ids=["tuple", "first", "dict", "nested"],
)
def test_outputs_that_are_none_stay_none(give, traced):
    model, x = OwnOutputs(give), batch(2, 4)
    model(x)
    session = aw.Session(model, x)
    if traced:
        assert session.graph.nodes
        session = aw.Session(model, x)
    expected, found = model(x), session.outputs()
    keras.tree.assert_same_structure(found, expected)
    is_none = lambda leaf: leaf is None  # noqa: E731
    assert keras.tree.map_structure(is_none, found) == keras.tree.map_structure(is_none, expected)
    leaf = next(leaf for leaf in keras.tree.flatten(found) if leaf is not None)
    np.testing.assert_allclose(leaf, model.dense(x), **CLOSE)
    np.testing.assert_allclose(session.reader.output(), model.dense(x), **CLOSE)
    edited = session.edit("dense", 1)
    keras.tree.assert_same_structure(edited, expected)


def test_a_scalar_output_is_refused_plainly_and_can_be_captured():
    model, x = OwnOutputs(tf.reduce_sum), batch(2, 4)
    with pytest.raises(aw.ModelError, match=r"one output for each sample.*shape \(\) for 2 samples"):
        aw.Session(model, x)
    captured = aw.capture(model, x)
    np.testing.assert_allclose(captured["dense"], arrays_of(model.dense(x))[0], **CLOSE)


# --- what was chosen is on the screen ---


def many_classes() -> aw.Session:
    given = keras.Input((4, 4, 1), name="image")
    y = layers.GlobalAveragePooling2D(name="gap")(layers.Conv2D(3, 3, name="conv")(given))
    model = shaken(keras.Model(given, layers.Dense(20, activation="softmax", name="out")(y)))
    return aw.Session(model, batch(2, 4, 4, 1), labels=[f"kind-{i:02}" for i in range(20)])


def test_the_chosen_class_is_shown_also_when_it_is_not_among_the_best():
    session = many_classes()
    view = aw.Predictions(session)
    order = np.argsort(-session.predictions(0)).tolist()
    assert sum(f"kind-{c:02}" in text_of(view._rows.value) for c in range(20)) == 8
    for chosen in (order[-1], order[12], order[0]):
        session.selection.target = chosen
        rows = view._rows.value.split('role="listitem"')[1:]
        marked = [row for row in view._rows.value.split("<div") if "aw-row-name aw-row-chosen" in row]
        assert len(rows) == (8 if chosen == order[0] else 9)
        assert len(marked) == 1
        assert f"kind-{chosen:02}" in marked[0]
        for best in order[:8]:
            assert f"kind-{best:02}" in text_of(view._rows.value)
        assert view.png().startswith(b"\x89PNG")
    assert alert_of(view) == ""
    view.close()
