"""Attribution on the screen: method, parameters, scores and what is explained are chosen."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import act_widgets as aw
from act_widgets.widgets.under import photo_under

from .cards import (
    METHODS,
    Cards,
    at_cells,
    bar_of,
    caption_of,
    choose_entry,
    correlation,
    decoded,
    ends_of,
    entry_of,
    heading_of,
    label_of,
    logits_of,
    pick,
    send,
    settle,
    slope_at,
    small,
    words_model,
)
from .screen import alert_of, text_of
from .some import some
from .zoo import batch, shaken, tokens

LAYERS = keras.layers


# --- the method ---


@pytest.mark.parametrize("title", some(METHODS, 3))
def test_a_method_chosen_in_the_list_changes_map_caption_and_colour_bar(cards, digits, title):
    name, scores, signed, _ = METHODS[title]
    model, images, _ = digits
    view = cards.map
    view._opacity.value = 1.0
    cards.choose("Saliency" if title != "Saliency" else "Grad-CAM")
    before = decoded(view.png())

    cards.choose(title)
    place = "block3_relu2" if "CAM" in title else "image"
    assert cards.selection.method == name
    assert cards.alerts() == []
    assert not np.array_equal(decoded(view.png()), before)
    alone = aw.attribute(model, images[:1], name)
    np.testing.assert_allclose(view.array, alone.maps[0], rtol=2e-3, atol=1e-5 * np.abs(alone.maps).max())
    top = cards.session.top_class(0)
    number = logits_of(model, images[:1])[0, top] if scores == "logits" else model(images[:1])[0, top]
    assert caption_of(view).startswith(f"{title} at '{place}', explaining the {scores} ({number:.3g})")

    numbers, colours = bar_of(view)
    picture = at_cells(decoded(view.png()), view.array.shape)
    if signed:
        largest = np.abs(alone.maps).max()
        np.testing.assert_allclose(numbers, [-largest, 0, largest], rtol=6e-3)
        assert colours == ends_of("colorbrewer:RdBu_r")
        strong = np.abs(view.array) > largest / 4
        red = picture[..., 0] > picture[..., 2]
        np.testing.assert_array_equal(red[strong], view.array[strong] > 0)
    else:
        low = alone.maps.min() if title == "RISE" else 0
        np.testing.assert_allclose(numbers, [low, alone.maps.max()], rtol=6e-3)
        assert colours == ends_of("inferno")
        assert correlation(picture.sum(-1), view.array) > 0.9


@pytest.mark.parametrize("title", some(METHODS, 3))
def test_a_method_chosen_again_is_looked_up(cards, title):
    cards.choose(title)
    first, done = cards.map.array.copy(), cards.session.stats()
    cards.choose("LayerCAM" if title != "LayerCAM" else "Saliency")
    assert not np.array_equal(cards.map.array, first)
    cards.choose(title)
    np.testing.assert_array_equal(cards.map.array, first)
    after = cards.session.stats()
    for count in ("forward_passes", "backward_passes", "varied_samples"):
        assert after[count] == done[count], count


def test_the_controls_are_those_of_the_method_with_its_defaults(digits):
    session = aw.Session(digits[0], digits[1][:1])
    picker = aw.MethodPicker(session)
    for title, (name, *_, parameters) in METHODS.items():
        pick(picker._list, title)
        assert session.selection.method == name
        controls = picker._by_name
        shown = {n: None if control.value == "" else control.value for n, control in controls.items()}
        assert shown == parameters
        assert [type(v) for v in shown.values()] == [type(v) for v in parameters.values()]
    bounds = {n: (c.min, c.max) for n, c in controls.items()}
    assert bounds["masks"] == (10, 20000)
    assert bounds["keep"] == (0.05, 0.95)
    session.selection.method = "occlusion"
    assert label_of(picker._list) == "Occlusion"
    session.selection.parameters = (("patch", 3), ("fill", 0.25))
    assert [c.value for c in picker._by_name.values()] == [3, 0, "0.25"]


def test_each_parameter_is_explained_below_its_control(digits):
    session = aw.Session(digits[0], digits[1][:1])
    picker = aw.MethodPicker(session)
    for title, (*_, parameters) in METHODS.items():
        pick(picker._list, title)
        controls, lines = picker._controls.children[::2], picker._controls.children[1::2]
        assert [control.description for control in controls] == list(parameters)
        for control, line in zip(controls, lines, strict=True):
            assert len(text_of(line.value).split()) > 3, control.description
    assert text_of(lines[2].value) == "the probability that a cell is kept"
    assert 'title="a number from 0.05 to 0.95"' in lines[2].value


CHANGES: dict[str, dict[str, Any]] = {
    "Grad-CAM": {"signed": True},
    "Grad-CAM++": {"signed": True},
    "LayerCAM": {},  # its values are positive: `signed` changes nothing
    "Score-CAM": {"signed": True},
    "SmoothGrad": {"samples": 20, "noise": 0.4, "seed": 1},
    "Integrated gradients": {"bound": 0.001, "steps": 9, "baseline": 1.0},
    "Occlusion": {"patch": 3, "stride": 2, "fill": "0.5"},
    "RISE": {"masks": 100, "cells": 3, "keep": 0.2, "fill": 1.0, "seed": 1},
}


@pytest.mark.parametrize("title", [title for title, changes in CHANGES.items() if changes])
def test_each_parameter_changes_the_map(cards, digits, title):
    model, images, _ = digits
    if "CAM" in title:
        # At the last layer every channel is positive and so is every map.
        cards.selection.layer = "block2_bn2"
    cards.choose(title)
    given: dict[str, Any] = {}
    for name, value in CHANGES[title].items():
        before = cards.map.array.copy()
        send(cards.picker._by_name[name], value)
        cards.settle()
        assert not np.array_equal(cards.map.array, before), name
        given[name] = float(value) if isinstance(value, str) else value
        layer = cards.selection.layer if "CAM" in title else None
        alone = aw.attribute(model, images[:1], METHODS[title][0], layer=layer, **given).maps[0]
        np.testing.assert_allclose(cards.map.array, alone, rtol=2e-3, atol=1e-5 * np.abs(alone).max())
    assert cards.alerts() == []


def test_a_map_with_its_sign_has_a_bar_of_both_signs(cards):
    cards.selection.layer = "block2_bn2"
    cards.choose("Grad-CAM")
    numbers, colours = bar_of(cards.map)
    assert (len(numbers), numbers[0], colours) == (2, 0, ends_of("inferno"))
    send(cards.picker._by_name["signed"], True)
    numbers, colours = bar_of(cards.map)
    assert numbers[0] == -numbers[2] < 0
    assert cards.map.array.min() < 0 < cards.map.array.max()
    assert colours == ends_of("colorbrewer:RdBu_r")


def test_a_signed_map_lies_on_a_grey_picture_and_any_other_on_the_picture_as_it_is():
    model, images, _ = aw.samples.shapes()
    cards = Cards(model, images[:1])
    cards.map._opacity.value = 0.0
    photo = decoded(cards.map.png())
    assert np.ptp(photo.astype(int), axis=-1).max() > 50
    cards.choose("Integrated gradients")
    under = decoded(cards.map.png())
    assert np.ptp(under, axis=-1).max() == 0
    assert correlation(under[..., 0], photo @ [0.299, 0.587, 0.114]) > 0.999
    cards.map._opacity.value = 0.55
    assert np.ptp(decoded(cards.map.png()).astype(int), axis=-1).max() > 50
    cards.close()


def test_a_bad_entry_shows_in_its_card_and_the_next_good_one_recovers(cards):
    cards.choose("Occlusion")
    fill, before = cards.picker._by_name["fill"], cards.map.array.copy()
    for bad, received in (("ink", "'ink'"), ("1e9", "1000000000.0"), ("nan", "nan")):
        send(fill, bad)
        cards.settle()
        said = alert_of(cards.picker)
        assert f"The parameter 'fill' is what covered cells hold. Received: fill={received}. " in said
        assert "None (an empty field) for the mean of each channel" in said
        assert alert_of(cards.map) == ""
        np.testing.assert_array_equal(cards.map.array, before)
    send(fill, "1")
    cards.settle()
    assert cards.alerts() == []
    assert dict(cards.selection.parameters)["fill"] == 1.0
    assert not np.array_equal(cards.map.array, before)


def test_a_bad_entry_taken_back_leaves_no_error(cards):
    cards.choose("Occlusion", fill="0.5")
    fill, before = cards.picker._by_name["fill"], cards.map.array.copy()
    send(fill, "ink")
    assert "Received: fill='ink'" in alert_of(cards.picker)
    send(fill, "0.5")
    cards.settle()
    assert cards.alerts() == []
    np.testing.assert_array_equal(cards.map.array, before)


def test_a_number_out_of_bounds_is_brought_to_the_bound_that_the_control_shows(cards):
    cards.choose("RISE", masks=3)
    assert cards.picker._by_name["masks"].value == 10
    assert dict(cards.selection.parameters)["masks"] == 10
    assert cards.alerts() == []


# --- what is explained ---


def test_the_scores_that_are_explained_can_be_chosen_and_are_said(cards, digits):
    model, images, _ = digits
    top = cards.session.top_class(0)
    logit, share = float(logits_of(model, images[:1])[0, top]), float(model(images[:1])[0, top])
    cards.choose("Saliency")
    before = cards.map.array.copy()
    assert label_of(cards.picker._scores) == "usual: logits"
    assert f"explaining the logits ({logit:.3g})" in caption_of(cards.map)
    pick(cards.picker._scores, "probabilities")
    cards.settle()
    assert f"explaining the probabilities ({share:.3g})" in caption_of(cards.map)
    # d p_k = p_k (d z_k - sum_j p_j d z_j): another map, much fainter where p is nearly 1.
    x = keras.ops.convert_to_tensor(images[:1])
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = model(x)[0, top]
    slope = np.abs(np.asarray(tape.gradient(value, x)))[0, ..., 0]
    np.testing.assert_allclose(cards.map.array, slope, rtol=1e-3, atol=1e-4 * slope.max())
    assert cards.map.array.max() < before.max() / 5
    pick(cards.picker._scores, "logits")
    cards.settle()
    np.testing.assert_array_equal(cards.map.array, before)
    cards.choose("Occlusion")
    assert f"explaining the logits ({logit:.3g})" in caption_of(cards.map)
    assert label_of(cards.picker._scores) == "logits"
    pick(cards.picker._scores, "usual")
    cards.settle()
    assert label_of(cards.picker._scores) == "usual: probabilities"
    assert f"explaining the probabilities ({share:.3g})" in caption_of(cards.map)


def test_the_channel_shown_is_explained_while_other_layers_are_looked_at(cards, digits):
    model, images, _ = digits
    selection = cards.selection
    selection.layer, selection.channel = "block2_relu2", 11
    cards.choose("Saliency")
    of_class = cards.map.array.copy()
    cards.classes._unit.click()
    cards.settle()

    tensor = model.get_layer("block2_relu2").output
    x = tf.constant(images[:1])
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_mean(keras.Model(model.input, tensor)(x)[..., 11])
    slope = np.abs(np.asarray(tape.gradient(value, x)))[0, ..., 0]
    np.testing.assert_allclose(cards.map.array, slope, rtol=1e-3, atol=1e-5)
    assert not np.allclose(slope, of_class, rtol=0.1)
    assert "channel 11 of 'block2_relu2'" in heading_of(cards.map)
    assert f"explaining the activations ({float(value):.3g})" in caption_of(cards.map)
    assert entry_of(cards.classes._list) == "channel 11 of block2_relu2"

    for layer in ("stem_relu", "block1_relu", "predictions"):
        selection.layer = layer
        selection.channel = 2
        cards.settle()
        np.testing.assert_allclose(cards.map.array, slope, rtol=1e-3, atol=1e-5)
    cards.choose("Grad-CAM")
    assert selection.layer == "predictions"
    selection.layer = "block1_relu"
    cards.settle()
    assert "channel 11 of 'block2_relu2'" in heading_of(cards.map)
    assert "Grad-CAM at 'block1_relu', explaining the activations" in caption_of(cards.map)
    assert np.ptp(cards.map.array) > 0
    selection.layer = "block3_relu2"
    cards.settle()
    assert "does not depend on 'block3_relu2'" in caption_of(cards.map)

    cards.choose("Saliency")
    choose_entry(cards.classes._list, "as predicted")
    cards.settle()
    assert (selection.target, selection.target_layer) == (None, "")
    np.testing.assert_array_equal(cards.map.array, of_class)
    assert not entry_of(cards.classes._list).startswith("channel")
    assert cards.alerts() == []


def test_a_class_chosen_after_a_channel_of_the_same_number_is_explained(cards, digits):
    model, images, labels = digits
    cards.choose("Saliency")
    cards.selection.layer, cards.selection.channel = "block1_relu", 4
    cards.classes._unit.click()
    cards.settle()
    of_channel = cards.map.array.copy()
    choose_entry(cards.classes._list, f"{labels[4]} ")
    cards.settle()
    alone = aw.attribute(model, images[:1], "saliency", target=4).maps[0]
    np.testing.assert_allclose(cards.map.array, alone, rtol=1e-3, atol=1e-5)
    assert not np.allclose(of_channel, alone, rtol=0.1)
    assert cards.selection.target_layer == ""


def test_a_channel_explained_sets_off_no_class_and_has_no_choice_of_scores(digits):
    model, images, labels = digits
    explorer = aw.explore(model, images[:2], labels=labels, layer="block2_relu2")
    views, selection = explorer.views, explorer.selection
    settle(explorer.session)
    assert views.predictions._rows.value.count("aw-row-chosen") == 3  # a class has three cells
    pick(views.method_picker._scores, "probabilities")
    for channel in (3, 20):  # there is a class 3, but no class 20
        selection.channel = channel
        views.class_selector._unit.click()
        settle(explorer.session)
        assert [alert_of(view) for view in views if alert_of(view)] == []
        assert "aw-row-chosen" not in views.predictions._rows.value
        assert views.method_picker._scores.face.layout.display == "none"
        assert explorer.png().startswith(b"\x89PNG")
    send(views.trust._wishes["Curves"], True)
    settle(explorer.session)
    heights = np.concatenate([line.y for line in views.trust._lines.values()])
    assert views.trust._axes[1].scale.max == pytest.approx(heights.max())
    choose_entry(views.class_selector._list, f"{labels[7]} ")
    settle(explorer.session)
    assert views.predictions._rows.value.count("aw-row-chosen") == 3
    assert views.method_picker._scores.face.layout.display == ""
    assert label_of(views.method_picker._scores) == "probabilities"
    assert views.trust._axes[1].scale.max == 1
    explorer.close()


def test_an_array_as_parameter_is_left_to_the_session(cards):
    cards.choose("Integrated gradients")
    before = cards.selection.parameters
    with pytest.raises(aw.InputError, match=r"array of shape \(8, 8, 1\).*session\.attribution"):
        cards.selection.parameters = (("baseline", np.full((8, 8, 1), 0.5)),)
    assert cards.selection.parameters == before
    cards.selection.parameters = (("baseline", np.float32(0.5)), ("steps", np.int64(9)))
    cards.settle()
    assert cards.alerts() == []
    assert [c.value for c in cards.picker._by_name.values()] == [0.5, 0.05, 9]


def test_where_there_is_nothing_to_draw_the_checks_say_so_too():
    given = keras.Input((5,), name="numbers")
    head = LAYERS.Dense(3, activation="softmax", name="out")(LAYERS.Dense(4, name="hidden")(given))
    cards = Cards(shaken(keras.Model(given, head)), batch(2, 5))
    assert "no map to draw" in caption_of(cards.map)
    cards.check("Curves")
    assert "no map to draw" in text_of(cards.trust._under.value)
    cards.choose("Gradient × input")
    assert cards.map.array.shape == (1, 5)
    assert "Area under the deletion curve" in text_of(cards.trust._under.value)
    assert cards.alerts() == []
    cards.close()


def test_a_head_of_one_unit_is_explained_for_and_against():
    model, x = small(1, "sigmoid"), batch(2, 6, 6, 2) / 8
    cards = Cards(model, x, labels=["cat"])
    logit, share = float(logits_of(model, x)[0, 0]), float(model(x)[0, 0])
    assert 0.02 < share < 0.98
    cards.choose("Gradient × input")
    maps = {}
    for name, sign, chance in (("for cat", 1, share), ("against cat", -1, 1 - share)):
        choose_entry(cards.classes._list, name)
        cards.settle()
        maps[name] = cards.map.array.copy()
        assert heading_of(cards.map).endswith(name)
        assert f"explaining the logits ({sign * logit:.3g})" in caption_of(cards.map)
        pick(cards.picker._scores, "probabilities")
        cards.settle()
        np.testing.assert_allclose(cards.map.array, maps[name] * share * (1 - share), rtol=1e-3, atol=1e-7)
        assert f"explaining the probabilities ({chance:.3g})" in caption_of(cards.map)
        pick(cards.picker._scores, "logits")
    slope = slope_at(model.input, model, x[:1], 0)
    np.testing.assert_allclose(maps["for cat"], (slope * x[:1]).sum(-1)[0], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(maps["against cat"], -maps["for cat"], rtol=1e-5)
    cards.check("Another class")
    assert "for cat" in text_of(cards.trust._names.value)
    said = text_of(cards.trust._under.value)
    assert said.startswith("Correlation with the map of “for cat”: -1.00")
    assert cards.alerts() == []
    cards.close()


def test_an_input_without_a_name_is_called_the_input():
    layers = [keras.Input((6, 6, 2)), LAYERS.Conv2D(3, 3, activation="relu"), LAYERS.Flatten()]
    model = shaken(keras.Sequential([*layers, LAYERS.Dense(4, "softmax")]))
    cards = Cards(model, batch(2, 6, 6, 2))
    cards.choose("Saliency")
    assert caption_of(cards.map).startswith("Saliency at the input, explaining the logits")
    cards.choose("Gradient × input")
    cards.session.inputs = np.zeros((1, 6, 6, 2), np.float32)
    cards.settle()
    assert "Every activation of the input is 0" in caption_of(cards.map)
    cards.close()

    single = aw.Session(
        keras.Sequential([keras.Input((6,), dtype="int32"), LAYERS.Embedding(9, 3)]), tokens(1, 6)
    )
    with pytest.raises(aw.LayerKindError, match="Received: the input, int32"):
        single.attribution("saliency", layer="~input:0")


@pytest.mark.parametrize("units", [1, 3], ids=["one number", "three numbers"])
def test_a_regression_is_explained_by_its_output_values(units):
    model, x = small(units, None), batch(2, 6, 6, 2)
    cards = Cards(model, x)
    assert cards.picker._scores.face.layout.display == "none"
    value = float(model(x)[0, units - 1])
    for title, (name, *_) in METHODS.items():
        cards.choose(title, **({"masks": 50} if title == "RISE" else {}))
        choose_entry(cards.classes._list, "class 2" if units == 3 else "for")
        cards.settle()
        assert f"explaining the model's output values ({value:.3g})" in caption_of(cards.map), name
        assert cards.map.array.shape == ((2, 2) if "CAM" in title else (6, 6))
    cards.choose("Integrated gradients", bound=0.001)
    assert cards.map.array.sum() == pytest.approx(
        value - float(model(np.zeros_like(x))[0, units - 1]), rel=2e-3
    )
    cards.check("Curves", "Shuffled weights", "Another class", "Completeness")
    assert len(cards.trust._under.value.split("aw-caption")) == 5
    np.testing.assert_allclose(cards.trust._lines["deletion"].y[0], value, rtol=1e-4)
    assert cards.alerts() == []
    cards.close()


def test_a_model_of_words_is_explained_at_the_layer_on_the_screen():
    model, x = words_model(), tokens(2, 7)
    cards = Cards(model, x)
    cards.choose("Saliency")
    top = cards.session.top_class(0)
    for layer in ("vectors", "conv"):
        cards.selection.layer = layer
        cards.settle()
        assert f"Saliency at '{layer}'" in caption_of(cards.map)
        slope = slope_at(model.get_layer(layer).output, model, x[:1], top)
        np.testing.assert_allclose(cards.map.array, np.abs(slope).max(-1), rtol=1e-4, atol=1e-6)
        assert cards.map.array.shape == (1, 7)
    for title in METHODS:
        cards.choose(title, **({"masks": 40} if title == "RISE" else {}))
        if title != "Score-CAM":
            assert cards.alerts() == [], title
            assert cards.map.array.shape == (1, 7), title
    cards.close()


def test_what_cannot_be_explained_shows_an_error_and_the_next_choice_recovers():
    cards = Cards(words_model(), tokens(2, 7))
    cards.selection.layer = "conv"
    cards.choose("Score-CAM")
    assert "no input has as many" in alert_of(cards.map)
    assert cards.map._busy.value == ""
    cards.choose("Saliency")
    assert cards.alerts() == []
    cards.selection.layer = "words"
    cards.settle()
    assert "'words', int32, which has no gradient" in alert_of(cards.map)
    cards.selection.layer = "vectors"
    cards.settle()
    assert cards.alerts() == []
    assert "Saliency at 'vectors'" in caption_of(cards.map)
    cards.close()


# --- work that is not done twice ---


def test_classes_and_layers_take_no_forward_pass_and_a_class_takes_one_backward_pass(digits):
    model, images, labels = digits
    explorer = aw.explore(model, images[:4], labels=labels)
    settle(explorer.session)
    done = explorer.session.stats()
    assert done["forward_passes"] == 1
    others = [c for c in range(10) if c != explorer.session.top_class(0)]
    for number, target in enumerate(others[:4], start=1):
        explorer.selection.target = target
        settle(explorer.session)
        for layer in explorer.session.layers:
            explorer.selection.layer = layer
            settle(explorer.session)
        for method in ("grad_cam_pp", "layer_cam", "saliency", "gradient_x_input", "grad_cam"):
            explorer.selection.method = method
            settle(explorer.session)
        now = explorer.session.stats()
        assert now["backward_passes"] == done["backward_passes"] + number
    assert (now["forward_passes"], now["varied_samples"]) == (1, 0)
    explorer.selection.target = others[0]
    settle(explorer.session)
    assert explorer.session.stats()["backward_passes"] == now["backward_passes"]
    explorer.close()


def test_guided_backprop_and_the_deconvnet_take_one_backward_pass_of_their_own(cards):
    before = cards.session.stats()["backward_passes"]
    for number, title in enumerate(("Guided backprop", "Deconvnet"), start=1):
        cards.choose(title)
        assert cards.session.stats()["backward_passes"] == before + number
        cards.choose("Grad-CAM")
        cards.choose(title)
        assert cards.session.stats()["backward_passes"] == before + number


def test_a_sequence_lies_under_its_map_with_its_time_across():
    x = keras.Input((40, 2), name="signal")
    y = keras.layers.Conv1D(3, 3, padding="same", name="conv")(x)
    y = keras.layers.GlobalMaxPooling1D(name="pool")(y)
    signal = np.zeros((2, 40, 2), "float32")
    signal[:, 30:] = 1
    session = aw.Session(keras.Model(x, keras.layers.Dense(2, name="out")(y)), signal)
    picture = aw.AttributionView(session).still()
    height, width, _ = picture.shape
    assert height < width
    under = photo_under(session, 0)
    assert under.shape[0] < under.shape[1] == 40
    assert (under[:, :30] == under[0, 0]).all()
    assert (under[:, 30:] != under[0, 0]).any(-1).all()


def test_a_spectrogram_stays_upright_under_the_maps_of_its_convolutions():
    x = keras.Input((12, 10), name="spectrogram")
    y = keras.layers.Conv2D(3, 3, name="conv")(keras.ops.expand_dims(x, -1))
    y = keras.layers.GlobalAveragePooling2D(name="gap")(y)
    session = aw.Session(keras.Model(x, keras.layers.Dense(2, name="out")(y)), batch(2, 12, 10))
    assert photo_under(session, 0).shape == (12, 10, 3)
