"""Each mistake gives one error that says what was received and what is expected."""

from __future__ import annotations

import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import act_widgets as aw
from act_widgets.keys import resolve

from .zoo import batch, build, digits

IMAGES = batch(2, 8, 8, 1)


def assert_refuses(error, words, ask, *args, **kwargs):
    with pytest.raises(aw.ActWidgetsError) as raised:
        ask(*args, **kwargs)
    assert type(raised.value) is error
    message = str(raised.value)
    assert [word for word in words if word not in message] == [], message
    assert len(message) < 900


# --- inputs ---


@pytest.mark.parametrize("ask", [aw.Session, aw.capture, aw.attribute])
@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (None, ["no inputs", "(batch, 8, 8, 1) float32", "image"]),
        (np.zeros((2, 9, 8, 1)), ["(2, 9, 8, 1)", "(batch, 8, 8, 1)", "'image'"]),
        (np.zeros((2, 8, 8, 3)), ["(2, 8, 8, 3)", "(batch, 8, 8, 1)"]),
        (np.zeros((8, 8, 1)), ["(8, 8, 1)", "(batch, 8, 8, 1)", "inputs[None]"]),
        (np.zeros((0, 8, 8, 1)), ["empty", "(0, 8, 8, 1)", "at least one"]),
        (np.zeros(()), ["batch axis", "single number"]),
        (np.full((2, 8, 8, 1), "ink"), ["<U3", "(2, 8, 8, 1)", "numbers"]),
        (np.zeros((2, 8, 8, 1), complex), ["complex128", "float32"]),
        ([np.zeros((8, 8, 1))] * 3, ["3", "one input's samples", "numpy.stack"]),
        ({}, ["0", "(batch, 8, 8, 1)"]),
        ("digits", ["'digits'", "str", "arrays"]),
        (3, ["3", "int", "arrays"]),
        (tf.data.Dataset.from_tensor_slices(IMAGES), ["Dataset", "next(iter(dataset))"]),
    ],
)
def test_inputs_that_do_not_fit(ask, inputs, words):
    assert_refuses(aw.InputError, words, ask, digits()[0], inputs)


def test_several_inputs_that_do_not_fit():
    model, (a, b) = build("shared_layer")
    assert_refuses(aw.InputError, ["Received: 1", "'first'", "'second'"], aw.capture, model, a)
    assert_refuses(aw.InputError, ["[2, 3]", "one size"], aw.capture, model, [a, b[:2]])
    assert_refuses(aw.InputError, ["(3, 6, 6, 2)", "'second'"], aw.capture, model, [a, batch(3, 6, 6, 2)])
    assert_refuses(aw.InputError, ["None", "NoneType"], aw.capture, model, [a, None])
    model, x = build("dict_to_dict")
    del x["number"]
    assert_refuses(aw.InputError, ["Received: 1", "'image'", "'number'"], aw.capture, model, x)


def test_inputs_that_only_the_call_can_refuse():
    model, x = build("subclassed")
    model(x)
    words = ["'own'", "(2, 6, 6, 5) float32", "model(inputs, training=False)", "conv"]
    assert_refuses(aw.InputError, words, aw.capture, model, batch(2, 6, 6, 5))
    assert len(aw.capture(model, x)) == 12


def test_inputs_that_the_call_refuses_are_told_in_the_same_words_once_there_is_a_trace():
    model, words = build("tokens_with_mask")
    expected = ["(3, 5) int32", "model(inputs, training=False)", "is not in [0, 9)"]
    assert_refuses(aw.InputError, expected, aw.capture, model, words + 100)
    aw.attribute(model, words, "occlusion")
    assert_refuses(aw.InputError, expected, aw.capture, model, words + 100)
    session = aw.Session(model, words)
    assert_refuses(aw.InputError, expected[2:], session.edit, "words", replace=words + 100)


def test_what_keras_says_has_no_codes_for_colours():
    model, _ = build("subclassed")
    with pytest.raises(aw.InputError) as raised:
        aw.capture(model, batch(2, 6))
    assert "It said: " in str(raised.value)
    assert "\x1b" not in str(raised.value)


def test_a_graph_of_a_model_that_states_no_inputs():
    model, x = build("subclassed")
    assert_refuses(aw.InputError, ["no inputs", "act_widgets.graph(model, images)"], aw.graph, model)
    assert aw.graph(model, x).nodes


# --- models ---


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (keras.Model, ["the class", "keras.Model or keras.Layer object"]),
        (object(), ["object", ".keras or .h5"]),
        (None, ["None", "NoneType", "must return it", "recording"]),
        (lambda x: x, ["function"]),
        (np.zeros(3), ["ndarray"]),
        ("nowhere/model.keras", ["nowhere/model.keras", ".keras or .h5"]),
        ("nowhere/model.h5", ["nowhere/model.h5", "does not exist"]),
        ("nowhere/folder", ["nowhere/folder", "does not exist", "recording"]),
    ],
)
def test_what_is_no_model(model, words):
    for ask in (aw.Session, aw.capture, aw.attribute, aw.graph):
        assert_refuses(aw.ModelError, words, ask, model, IMAGES)


def test_files_that_hold_no_model(tmp_path):
    for name in ("text.keras", "text.h5"):
        (tmp_path / name).write_text("no model")
        assert_refuses(aw.ModelError, [name, ".keras or .h5"], aw.capture, tmp_path / name, IMAGES)
    with zipfile.ZipFile(tmp_path / "empty.keras", "w") as archive:
        archive.writestr("readme", "no model")
    assert_refuses(aw.ModelError, ["empty.keras"], aw.capture, tmp_path / "empty.keras", IMAGES)


def test_a_path_with_a_slip_is_told_with_what_is_there(tmp_path):
    (tmp_path / "run_log").mkdir()
    words = ["run_lgo", "does not exist", "a recording", "In that folder: 'run_log'"]
    assert_refuses(aw.ModelError, words, aw.explore, str(tmp_path / "run_lgo"))


def test_a_file_whose_custom_class_is_unknown(tmp_path):
    model, x = build("subclassed")
    model(x)
    model.save(tmp_path / "own.keras")
    words = ["own.keras", "custom classes", "Subclassed"]
    with pytest.raises(aw.ModelError) as raised:
        aw.capture(tmp_path / "own.keras", x)
    assert all(word in str(raised.value) for word in words)


def test_a_model_with_nothing_inside():
    class Nothing(keras.Model):
        def call(self, x):
            return x

    assert_refuses(
        aw.ModelError, ["nothing inside", "at least one layer"], aw.Session, Nothing(), batch(2, 3)
    )


@pytest.mark.parametrize("name", ["étage 1", '<b>"x" & y', "_first", "🐈" * 40, "a" * 300, "עברית"])
def test_layer_names_that_tensorflow_does_not_allow(name):
    x = keras.Input((6, 6, 1), name="image")
    y = layers.Flatten(name="flat")(layers.Conv2D(2, 3, name=name)(x))
    model = keras.Model(x, layers.Dense(2, name="out")(y), name="modèle 1")
    data = batch(2, 6, 6, 1)
    convolved = aw.capture(model, data)[name]
    np.testing.assert_allclose(convolved, model.get_layer(name)(data), rtol=1e-4, atol=1e-6)
    assert [node.address for node in aw.graph(model, data).nodes] == ["image", name, "flat", "out"]
    assert aw.attribute(model, data, layer=name, target=1).maps.shape == (2, 4, 4)


def test_models_that_fix_their_batch_size():
    x = keras.Input(batch_shape=(3, 5, 2), name="steps")
    y = layers.LSTM(4, stateful=True, return_sequences=True, name="lstm")(x)
    model = keras.Model(x, layers.Dense(2, name="out")(layers.Flatten(name="flat")(y)))
    assert_refuses(aw.InputError, ["(2, 5, 2)", "Expected batch size: 3"], aw.capture, model, batch(2, 5, 2))
    assert aw.capture(model, batch(3, 5, 2))["lstm"].shape == (3, 5, 4)


# --- layers ---


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("stem_cnv", ["'stem_cnv'", "Nearest: 'stem_conv'", "Session.layers"]),
        ("STEM_CONV", ["'STEM_CONV'", "'stem_conv'"]),
        ("", ["''"]),
        (3, ["3", "int", "'image'"]),
        (None, ["None"]),
    ],
)
def test_layers_that_the_model_does_not_have(layer, words):
    model, images, _ = digits()
    session = aw.Session(model, images)
    assert_refuses(aw.UnknownLayerError, words, session.activation, layer)
    assert_refuses(aw.UnknownLayerError, words, session.tap, layer)
    assert_refuses(aw.UnknownLayerError, words, aw.capture, model, images, [layer])
    if layer is not None:
        assert_refuses(aw.UnknownLayerError, words, aw.capture, model, images, layer)
        assert_refuses(aw.UnknownLayerError, words, session.attribution, layer=layer)


class TwoInputs(keras.Model):
    """Adds what two layers make of its two inputs, which it does not name."""

    def __init__(self):
        super().__init__(name="two")
        self.a, self.b = layers.Dense(3, name="a"), layers.Dense(3, name="b")

    def call(self, x):
        return self.a(x[0]) + 2 * self.b(x[1])


def test_inputs_without_a_name_are_called_as_the_graph_shows_them():
    model, x = TwoInputs(), [batch(2, 4), batch(2, 4, seed=1)]
    shown = [node.address for node in aw.graph(model, x).nodes if node.kind == "Input"]
    assert shown == ["input:0", "input:1"]
    for name, layer, factor in (("input:0", model.a, 1), ("input:1", model.b, 2)):
        found = aw.attribute(model, x, "saliency", layer=name, target=2)
        slope = factor * np.abs(layer.kernel.numpy()[:, 2])
        np.testing.assert_allclose(found.maps, [slope, slope], rtol=1e-5)
    words = ["'inptu:1'", "Nearest: 'input:1'", "All 4 addresses"]
    assert_refuses(aw.UnknownLayerError, words, aw.attribute, model, x, "saliency", layer="inptu:1")


def test_the_only_input_without_a_name_is_called_input():
    model, x = build("sequential_never_built")
    assert aw.graph(model, x).nodes[0].address == "input"
    maps = aw.attribute(model, x, "saliency", layer="input", target=1).maps
    np.testing.assert_array_equal(maps, aw.attribute(model, x, "saliency", target=1).maps)


def test_a_name_that_fits_several_layers_lists_them():
    towers = [
        keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(2, 2, name="conv")], name=n) for n in "ab"
    ]
    x = keras.Input((4, 4, 1), name="image")
    model = keras.Model(x, layers.Add(name="sum")([tower(x) for tower in towers]))
    words = ["'conv'", "2 layers", "'a/conv'", "'b/conv'", "whole address"]
    assert_refuses(aw.UnknownLayerError, words, aw.capture, model, batch(1, 4, 4, 1), "conv")
    assert list(aw.capture(model, batch(1, 4, 4, 1), "b/conv")) == ["b/conv"]


def test_a_layer_that_returns_a_dictionary_stands_for_its_first_output_if_it_is_the_only_one():
    assert resolve("head", ["a/head:age", "a/head:kind", "b/other"]) == "a/head:age"
    with pytest.raises(aw.UnknownLayerError, match=r"'head' names 2 layers: 'a/head:age', 'b/head:age'"):
        resolve("head", ["a/head:age", "a/head:kind", "b/head:age"])


@pytest.mark.parametrize(("layer", "words"), [("gap", ["'gap'", "spatial", "'block3_relu2'"])])
def test_layers_without_places_have_no_map(layer, words):
    model, images, _ = digits()
    assert_refuses(aw.LayerKindError, words, aw.attribute, model, images, layer=layer)
    assert_refuses(aw.LayerKindError, words, aw.Session(model, images).attribution, layer=layer, sample=0)


def test_models_without_places_have_no_map():
    x = keras.Input((4,), name="features")
    model = keras.Model(x, layers.Dense(2, name="out")(x))
    assert_refuses(aw.LayerKindError, ["No layer", "spatial axes"], aw.attribute, model, batch(2, 4))
    assert aw.Session(model, batch(2, 4)).selection.layer == "out"


def test_whole_numbers_have_no_gradient():
    model, words = build("tokens_with_mask")
    session = aw.Session(model, words)
    assert_refuses(
        aw.LayerKindError, ["'words'", "int32", "gradient"], session.attribution, "saliency", layer="words"
    )


# --- classes, samples, methods ---


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (10, ["target=10", "10 units", "0 to 9"]),
        (-1, ["target=-1", "0 to 9"]),
        ("7", ["target='7'", "integer", "0 to 9"]),
        (1.0, ["target=1.0", "integer"]),
        (True, ["target=True", "integer"]),
        ([1, 2], ["target=[1, 2]", "integer"]),
    ],
)
def test_classes_that_the_output_does_not_have(target, words):
    model, images, _ = digits()
    assert_refuses(aw.TargetError, words, aw.attribute, model, images, target=target)
    assert_refuses(aw.TargetError, words, aw.Session(model, images).attribution, target=target, sample=1)


def test_a_single_unit_is_for_or_against():
    model, x = build("one_unit")
    assert_refuses(aw.TargetError, ["target=2", "one unit", "0 to 1"], aw.attribute, model, x, target=2)


@pytest.mark.parametrize("sample", [5, 99, -1])
def test_samples_that_the_batch_does_not_have(sample):
    model, images, _ = digits()
    session = aw.Session(model, images)
    words = [f"sample={sample}", "0 to 4"]
    assert_refuses(aw.InputError, words, session.attribution, sample=sample)
    assert_refuses(aw.InputError, words, session.predictions, sample)
    assert_refuses(aw.InputError, words, session.top_class, sample)
    assert_refuses(aw.InputError, words, session.reader.sample_activation, "gap", sample)
    assert session.stats()["forward_passes"] == 1


def test_an_output_that_a_model_of_one_does_not_have():
    model, images, _ = digits()
    target = aw.Target(1, output=4)
    words = ["output=4", "Expected: 0, the only one."]
    assert_refuses(aw.TargetError, words, aw.attribute, model, images, target=target)


def test_curves_of_what_are_no_maps_of_these_samples():
    model, images, _ = digits()
    session, few = aw.Session(model, images), aw.Session(model, images[:3])
    maps = session.attribution("saliency")
    words = ["ndarray", "attribution(...)"]
    assert_refuses(aw.InputError, words, session.perturbation_curve, maps.maps, 0)
    assert_refuses(aw.InputError, ["5 maps, for 3 samples"], few.perturbation_curve, maps, 2)
    assert_refuses(aw.InputError, ["sample=5", "0 to 4"], session.perturbation_curve, maps, 5)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"steps": 0}, ["steps=0", "an integer from 1 to 1,000"]),
        ({"steps": True}, ["steps=True", "an integer from 1 to 1,000"]),
        ({"fill": "black"}, ["fill='black'", "a number from"]),
        ({"fill": np.nan}, ["fill=nan", "a number from"]),
    ],
)
def test_numbers_that_a_curve_does_not_take(given, words):
    model, images, _ = digits()
    session = aw.Session(model, images[:1])
    maps = session.attribution("saliency")
    assert_refuses(aw.InputError, words, session.perturbation_curve, maps, 0, **given)
    assert len(session.perturbation_curve(maps, 0, steps=np.int64(3)).scores) == 4


@pytest.mark.parametrize("sample", [1, -1, "first", True, 0.0])
def test_a_sample_that_has_no_reason_to_be_blank(sample):
    model, images, _ = digits()
    maps = aw.attribute(model, images[:1], "saliency")
    assert_refuses(aw.InputError, [f"sample={sample!r}", "Expected: 0 to 0"], maps.blank_reason, sample)


@pytest.mark.parametrize("shape", [0, 8, None, (8,), (8, 0), (8.0, 8.0)])
def test_sizes_that_maps_can_not_be_resized_to(shape):
    model, images, _ = digits()
    maps = aw.attribute(model, images[:1], "saliency")
    assert_refuses(aw.InputError, ["Expected: 2 positive integers", "(8, 8)"], maps.upsampled, shape)


@pytest.mark.parametrize("method", ["grad_kam", "", None, 3, ["grad_cam"]])
def test_methods_that_do_not_exist(method):
    model, images, _ = digits()
    assert_refuses(aw.InputError, [repr(method), "'grad_cam'"], aw.attribute, model, images, method)


def test_parameters_that_the_method_does_not_have():
    model, images, _ = digits()
    assert_refuses(aw.InputError, ["'grad_cam'", "'steps'"], aw.attribute, model, images, steps=3)


# --- labels, display, budget ---


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["a", "b"], ["2 labels", "10"]),
        ([], ["0 labels", "10"]),
        (list("0123456789x"), ["11 labels", "10"]),
        ("0123456789", ["labels='0123456789'", "single string", "10 strings"]),
        ({0: "a", 1: "b"}, ["2 labels", "10"]),
        ({"a": 0, "b": 1}, ["keys ['a', 'b']", "0 to 9"]),
        (dict.fromkeys(range(1, 11), "a"), ["keys [1, 2", "0 to 9"]),
        (7, ["labels=7", "int", "10"]),
    ],
)
def test_labels_that_do_not_fit(labels, words):
    model, images, _ = digits()
    assert_refuses(aw.InputError, words, aw.Session, model, images, labels=labels)


def test_labels_may_be_given_by_the_number_of_the_class():
    model, images, names = digits()
    by_number = {number: names[number] for number in reversed(range(10))}
    assert aw.Session(model, images, labels=by_number).labels == names


def test_labels_of_a_single_unit():
    model, x = build("one_unit")
    assert_refuses(aw.InputError, ["3 labels", "1 or 2"], aw.Session, model, x, labels=["a", "b", "c"])


@pytest.mark.parametrize(
    ("display", "words"),
    [
        (np.zeros((3, 4, 4, 3), np.uint8), ["3", "5", "display"]),
        (np.full((5, 4, 4, 3), 1.5), ["display", "(4, 4, 3)", "float64", "from 0 to 1"]),
        (np.full((5, 4, 4, 3), 180.0), ["values from 180 to 180", "display / 255"]),
        (np.full((5, 4, 4, 3), -0.1), ["display", "from 0 to 1", "values from -0.1 to -0.1"]),
        (np.full((5, 4, 4, 3), np.nan), ["display", "from 0 to 1"]),
        (np.zeros((5, 4, 4, 3), np.int64), ["int64", "uint8"]),
        (np.zeros((5, 4, 4, 2), np.uint8), ["(4, 4, 2)", "(height, width, 3)"]),
        (np.zeros((5, 4), np.uint8), ["(4,)", "(height, width)"]),
        (["a.png"] * 5, ["display", "<U5"]),
        (7, ["display=7", "int", "5"]),
    ],
)
def test_pictures_to_show_that_do_not_fit(display, words):
    model, images, _ = digits()
    assert_refuses(aw.InputError, words, aw.Session, model, images, display=display)


@pytest.mark.parametrize("cache_bytes", [0, -1, 1e9, "1 GiB", True])
def test_budgets_that_are_no_number_of_bytes(cache_bytes):
    model, images, _ = digits()
    words = [f"cache_bytes={cache_bytes!r}", "positive integer"]
    assert_refuses(aw.InputError, words, aw.Session, model, images, cache_bytes=cache_bytes)


def test_a_budget_may_come_from_numpy():
    model, images, _ = digits()
    session = aw.Session(model, images, cache_bytes=np.int64(2**20))
    assert 0 < session.stats()["cache_bytes"] <= 2**20


# --- what is printed, and what is set ---


def test_the_last_line_of_a_cell_prints_one_line():
    model, images, _ = digits()
    session = aw.Session(model, images)
    assert repr(session) == "Session(model='digits_cnn', layers=24, samples=5)"
    maps = session.attribution("saliency", target=3)
    text = "Attribution(method='saliency', layer='image', target=3, maps=(5, 8, 8), scores='logits')"
    assert repr(maps) == text
    many = aw.attribute(model, np.repeat(images, 4, axis=0), "saliency")
    assert "target=(0, 0, 0, 0, 1, ...)" in repr(many)
    curve = session.perturbation_curve(maps, steps=4)
    assert repr(curve) == f"Curve(kind='deletion', steps=4, area={curve.area:.4g})"


def test_a_selection_has_no_other_names():
    model, images, _ = digits()
    selection = aw.Session(model, images).selection
    with pytest.raises(AttributeError, match=r"no 'chanel'\. Nearest: 'channel'"):
        selection.chanel = 3
    selection._mine = 3
    assert (selection.channel, selection._mine) == (0, 3)


# --- afterwards ---


def test_after_every_kind_of_mistake_the_session_goes_on():
    model, images, _ = digits()
    session = aw.Session(model, images)
    expected = session.attribution(target=3, sample=1).maps
    for mistake in (
        lambda: session.activation("nope"),
        lambda: session.attribution(target=99),
        lambda: session.attribution("nope"),
        lambda: session.attribution(layer="gap"),
        lambda: session.attribution(sample=99),
        lambda: setattr(session, "inputs", None),
        lambda: setattr(session.selection, "channel", 999),
        lambda: setattr(session.selection, "layer", "nope"),
    ):
        with pytest.raises(aw.ActWidgetsError):
            mistake()
    session.selection.layer, session.selection.channel = "stem_relu", 7
    np.testing.assert_array_equal(session.attribution(target=3, sample=1).maps, expected)
    assert session.stats()["forward_passes"] == 1
