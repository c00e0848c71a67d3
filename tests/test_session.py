"""What a session counts, keeps and forgets, and that its numbers stay right."""

from __future__ import annotations

import collections

import keras
import numpy as np
import pytest
from keras import layers

import act_widgets as aw

from .some import some
from .zoo import ZOO, arrays_of, batch, build, digits


@pytest.fixture
def session():
    model, images, labels = digits()
    return aw.Session(model, images, labels=labels)


def small_model():
    x = keras.Input((6, 6, 1), name="image")
    y = layers.GlobalAveragePooling2D(name="gap")(layers.Conv2D(2, 3, name="conv")(x))
    return keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y))


# --- one pass for everything ---


def test_the_model_runs_once_whatever_is_looked_at(session):
    assert session.stats()["forward_passes"] == 1
    for layer in session.layers:
        session.selection.layer = layer
        session.activation(layer)
        for sample in range(session.batch_size):
            session.selection.sample = sample
            session.reader.sample_activation(layer, sample)
            session.predictions(sample)
            session.top_class(sample)
        session.selection.channel = session.tap(layer).channels - 1
    session.outputs()
    for target in (None, 0, 9):
        session.selection.target = target
    assert session.graph.nodes
    assert session.stats()["forward_passes"] == 1
    assert session.stats()["backward_passes"] == 0


def test_one_backward_pass_serves_all_layers_of_a_sample_and_class(session):
    spatial = [layer for layer in session.layers if session.tap(layer).spatial]
    assert len(spatial) > 10
    for layer in spatial:
        session.attribution(layer=layer, target=3, sample=1)
    assert session.stats()["backward_passes"] == 1
    for layer in spatial:
        session.attribution(layer=layer, target=4, sample=1)
        session.attribution(layer=layer, target=3, sample=2)
        session.attribution(layer=layer, target=3, sample=1)
    assert session.stats()["backward_passes"] == 3
    assert session.stats()["forward_passes"] == 1


def test_a_layer_that_the_score_does_not_depend_on_is_remembered_too():
    x = keras.Input((6, 6, 1), name="image")
    aside = layers.Conv2D(2, 3, name="aside")(x)
    y = layers.GlobalAveragePooling2D(name="gap")(layers.Conv2D(2, 3, name="conv")(x))
    model = keras.Model(x, [layers.Dense(3, name="out")(y), aside])
    session = aw.Session(model, batch(2, 6, 6, 1))
    for _ in range(2):
        assert not session.attribution(layer="aside", target=0, sample=0).connected
        assert session.attribution(layer="conv", target=0, sample=0).connected
    assert session.stats()["backward_passes"] == 1


def test_stats_count_bytes_looked_up_and_missed(session):
    before = session.stats()
    kept = sum(session.activation(layer).nbytes for layer in session.layers)
    kept += session.outputs().nbytes
    assert before["cache_bytes"] == kept
    after = session.stats()
    assert after["hits"] - before["hits"] == len(session.layers) + 1
    assert after["misses"] == before["misses"]
    assert after["evictions"] == 0
    session.attribution(sample=0)
    assert session.stats()["cache_bytes"] > kept


# --- a budget smaller than the batch ---


@pytest.mark.parametrize("budget", [1, 120_000])
def test_a_small_budget_costs_passes_but_no_correctness(session, budget):
    model, images, _ = digits()
    small = aw.Session(model, images, cache_bytes=budget)
    for layer in session.layers:
        np.testing.assert_allclose(
            small.activation(layer), session.activation(layer), rtol=1e-4, atol=1e-5, err_msg=layer
        )
        np.testing.assert_allclose(
            small.reader.sample_activation(layer, 4), session.activation(layer)[4], rtol=1e-4, atol=1e-5
        )
        assert small.stats()["cache_bytes"] <= budget
    np.testing.assert_allclose(small.outputs(), session.outputs(), rtol=1e-4, atol=1e-6)
    for sample in (None, 0, 4):
        ours, theirs = (s.attribution(layer="block2_add", target=3, sample=sample) for s in (small, session))
        np.testing.assert_allclose(ours.maps, theirs.maps, rtol=1e-3, atol=1e-5)
        assert small.stats()["cache_bytes"] <= budget
    assert small.stats()["forward_passes"] > session.stats()["forward_passes"] == 1


@pytest.mark.parametrize("name", some(ZOO, 3))
def test_blocks_of_one_sample_join_to_the_whole_batch(name):
    model, x = build(name)
    whole, blocks = aw.Session(model, x), aw.Session(model, x, cache_bytes=1)
    tolerance = 3e-3 if name == "mixed_precision" else 1e-4
    expected = model(x, training=False)
    keras.tree.assert_same_structure(blocks.outputs(), expected)
    for ours, theirs in zip(keras.tree.flatten(blocks.outputs()), arrays_of(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
    for layer in whole.layers:
        found = blocks.activation(layer)
        # What is computed once for all samples comes once with each block.
        expected = np.broadcast_to(whole.activation(layer), found.shape)
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance, err_msg=layer)


def test_outputs_in_a_named_tuple_join_too():
    Pair = collections.namedtuple("Pair", "double half")

    class Pairs(keras.Model):
        def __init__(self):
            super().__init__()
            self.double = layers.Rescaling(2.0, name="double")

        def call(self, x):
            return Pair(self.double(x), x / 2)

    x = batch(3, 4)
    outputs = aw.Session(Pairs(), x, cache_bytes=1).outputs()
    np.testing.assert_allclose(outputs.double, x * 2, rtol=1e-6)
    np.testing.assert_allclose(outputs.half, x / 2, rtol=1e-6)


def test_in_a_named_tuple_outputs_have_the_names_of_its_fields():
    Both = collections.namedtuple("Both", "scores rest")

    class Layer(layers.Layer):
        def call(self, x):
            return Both({"a": (x, x * 2)}, x * 3)

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.both, self.head = Layer(name="both"), layers.Dense(2, name="head")

        def call(self, x):
            found = self.both(x)
            return Both(self.head(found.rest), [found.scores["a"][1], found.rest])

    x = batch(3, 4)
    session = aw.Session(Model(), x)
    assert session.layers == ("both:scores.a", "both:scores.a.1", "both:rest", "head")
    np.testing.assert_allclose(session.activation("both:rest"), x * 3, rtol=1e-6)
    # The slope of one number of an output: what it was multiplied by, at its own place alone.
    maps = session.attribution("saliency", target=aw.Target(1, output="rest.1")).values
    np.testing.assert_allclose(maps[..., 0], np.tile([0, 3, 0, 0], (3, 1)), rtol=1e-6)
    with pytest.raises(aw.TargetError, match=r"output='1\.1'.*'rest\.1', 'rest\.0', 'scores'"):
        session.attribution("saliency", target=aw.Target(1, output="1.1"))


# --- other inputs, other weights ---


def test_inputs_can_be_exchanged():
    model, images, _ = digits()
    session = aw.Session(model, images)
    session.selection.sample = 4
    versions = []
    session.observe(lambda change: versions.append(session.batch_size), "version")
    session.inputs = images[1:3]
    assert versions == [2]
    assert session.selection.sample == 0
    np.testing.assert_array_equal(session.inputs, images[1:3])
    np.testing.assert_allclose(session.outputs(), model(images[1:3]), rtol=1e-4, atol=1e-6)
    assert session.stats()["forward_passes"] == 1
    np.testing.assert_allclose(
        session.attribution(target=2).maps,
        aw.attribute(model, images, target=2).maps[1:3],
        rtol=1e-3,
        atol=1e-5,
    )


def test_inputs_that_do_not_fit_leave_the_session_as_it_was(session):
    kept = session.outputs()
    session.selection.sample = 3
    versions = []
    session.observe(lambda change: versions.append(change.new), "version")
    with pytest.raises(aw.InputError):
        session.inputs = batch(2, 7, 7, 1)
    assert session.batch_size == 5 and session.selection.sample == 3 and versions == []
    np.testing.assert_array_equal(session.outputs(), kept)


def test_pictures_shown_go_with_the_inputs_they_stood_for():
    model, images, _ = digits()
    session = aw.Session(model, images, display=np.full((5, 4, 4, 3), 7, np.uint8))
    assert session.photos[0].shape == (4, 4, 3)
    session.inputs = images[:2]
    assert session.photos[1].shape == (8, 8, 3)


def test_dictionaries_keep_their_structure():
    model, x = build("dict_to_dict")
    session = aw.Session(model, x)
    assert set(session.inputs) == {"image", "number"}
    np.testing.assert_array_equal(session.inputs["number"], x["number"])
    assert set(session.outputs()) == {"maps", "kind", "age"}


@pytest.mark.parametrize("traced", [False, True])
def test_refresh_after_new_weights_gives_new_numbers(traced):
    model, x = small_model(), batch(2, 6, 6, 1)
    session = aw.Session(model, x)
    if traced:
        session.attribution(sample=0)
    old = session.activation("conv")
    model.set_weights([w + 0.5 for w in model.get_weights()])
    seen = []
    session.observe(lambda change: seen.append(session.activation("conv")), "version")
    session.refresh()
    assert not np.array_equal(session.activation("conv"), old)
    np.testing.assert_allclose(session.activation("conv"), model.get_layer("conv")(x), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(seen[0], session.activation("conv"))
    np.testing.assert_allclose(session.outputs(), model(x), rtol=1e-4, atol=1e-6)
    weights = model.get_layer("out").kernel.value
    np.testing.assert_allclose(
        session.attribution(layer="conv", target=1, sample=0).values[0],
        session.activation("conv")[0] * np.asarray(weights)[:, 1] / 16,
        rtol=1e-4,
        atol=1e-6,
    )


# --- nobody writes into what is kept ---


@pytest.mark.parametrize("name", ["functional_sum", "mixed_precision", "dict_to_dict"])
def test_arrays_are_read_only(name):
    model, x = build(name)
    session = aw.Session(model, x)
    assert session.graph.nodes
    traced = aw.Session(model, x)
    blocks = aw.Session(model, x, cache_bytes=1)
    for each in (session, traced, blocks):
        given = [each.activation(layer) for layer in each.layers]
        given += [each.reader.sample_activation(layer, 1) for layer in each.layers]
        given += keras.tree.flatten(each.outputs()) + keras.tree.flatten(each.inputs)
        for array in given:
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0


def test_writing_into_the_inputs_later_changes_nothing():
    model, images, _ = digits()
    mine = images.copy()
    session = aw.Session(model, mine)
    outputs = session.outputs().copy()
    mine[:] = 0.5
    session.refresh()
    np.testing.assert_array_equal(session.inputs, images)
    np.testing.assert_allclose(session.outputs(), outputs, rtol=1e-4, atol=1e-6)


# --- what kinds of input do ---


@pytest.mark.parametrize("kind", ["float64", "float16", "tensor", "variable axis"])
def test_inputs_of_other_kinds_are_taken_as_the_model_takes_them(kind):
    model, images, _ = digits()
    images = np.round(images * 16) / 16
    given = {
        "float64": images.astype("float64"),
        "float16": images.astype("float16"),
        "tensor": keras.ops.convert_to_tensor(images),
        "variable axis": images[..., 0],
    }[kind]
    np.testing.assert_allclose(aw.Session(model, given).outputs(), model(images), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("as_path", [str, lambda path: path])
def test_a_model_file_is_read_like_the_model(tmp_path, as_path):
    model, x = build("functional_sum")
    model.save(tmp_path / "model.keras")
    session = aw.Session(as_path(tmp_path / "model.keras"), x)
    np.testing.assert_allclose(session.outputs(), model(x, training=False), rtol=1e-5, atol=1e-6)


def test_classes_have_names():
    model, images, labels = digits()
    session = aw.Session(model, images, labels=labels)
    assert [session.class_name(i) for i in (0, 9)] == ["0", "9"]
    assert aw.Session(model, images).class_name(3) == "class 3"
    unit, x = build("one_unit")
    assert [aw.Session(unit, x, labels=["cat"]).class_name(i) for i in (0, 1)] == ["against cat", "for cat"]
    assert [aw.Session(unit, x, labels=["dog", "cat"]).class_name(i) for i in (0, 1)] == ["dog", "cat"]


def test_the_first_class_is_the_one_predicted():
    model, images, _ = digits()
    session = aw.Session(model, images)
    predicted = np.asarray(model(images))
    assert [session.top_class(i) for i in range(5)] == predicted.argmax(1).tolist()
    np.testing.assert_allclose(session.predictions(2), predicted[2], rtol=1e-4, atol=1e-6)
