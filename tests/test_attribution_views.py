"""Attribution on the screen: method, scores, parameters and target are chosen, and slow work is led.

Widgets live in the kernel, without a browser. What a page would send goes through `set_state`.
"""

from __future__ import annotations

import gc
import io
import os
import re
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cmap
import ipywidgets
import keras
import numpy as np
import pytest
import tensorflow as tf
from ipywidgets.widgets.widget import _instances
from PIL import Image

import act_widgets as aw
from act_widgets.widgets.base import Stage, View
from act_widgets.widgets.worker import worker_of

from .screen import alert_of, text_of
from .zoo import batch, shaken, tokens

LAYERS = keras.layers
ROOT = Path(__file__).resolve().parents[1]

# Title on the screen: name, what is usually explained, whether maps have both signs, parameters.
CAM = {"signed": False}
METHODS: dict[str, tuple[str, str, bool, dict[str, Any]]] = {
    "Grad-CAM": ("grad_cam", "logits", False, CAM),
    "Grad-CAM++": ("grad_cam_pp", "logits", False, CAM),
    "LayerCAM": ("layer_cam", "logits", False, CAM),
    "Score-CAM": ("score_cam", "probabilities", False, CAM),
    "Saliency": ("saliency", "logits", False, {}),
    "Gradient × input": ("gradient_x_input", "logits", True, {}),
    "SmoothGrad": ("smooth_grad", "logits", False, {"samples": 50, "noise": 0.15, "seed": 0}),
    "Integrated gradients": (
        "integrated_gradients",
        "logits",
        True,
        {"baseline": 0.0, "bound": 0.05, "steps": 256},
    ),
    "Guided backprop": ("guided_backprop", "logits", False, {}),
    "Deconvnet": ("deconvnet", "logits", False, {}),
    "Occlusion": ("occlusion", "probabilities", True, {"patch": 0, "stride": 0, "fill": None}),
    "RISE": (
        "rise",
        "probabilities",
        False,
        {"masks": 2000, "cells": 7, "keep": 0.5, "fill": 0.0, "seed": 0},
    ),
}


# --- what a user does, and what a reader sees ---


def settle(session: aw.Session) -> None:
    assert worker_of(session).wait()


def send(widget: ipywidgets.Widget, value: Any) -> None:
    """Set a value as the page does."""
    widget.set_state({"value": value})


def pick(dropdown: ipywidgets.Dropdown, label: str) -> None:
    """Choose the entry that begins with `label`, as the page does."""
    labels = [words for words, _ in dropdown.options]
    (index,) = [i for i, words in enumerate(labels) if words == label] or [
        i for i, words in enumerate(labels) if words.startswith(label)
    ]
    dropdown.set_state({"index": index})


def label_of(dropdown: ipywidgets.Dropdown) -> str:
    return dropdown.options[dropdown.index][0]


def decoded(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def caption_of(view: aw.AttributionView) -> str:
    return text_of(view._under.value)


def heading_of(view: View) -> str:
    return text_of(view._heading.value)


def bar_of(view: aw.AttributionView) -> tuple[list[float], list[tuple[int, ...]]]:
    """Return the numbers at the colour bar, left to right, and its first and last colour."""
    numbers = [float(word) for word in text_of(view._bar.value).split()]
    colours = [tuple(map(int, c)) for c in re.findall(r"rgb\((\d+),(\d+),(\d+)\)", view._bar.value)]
    return numbers, [colours[0], colours[-1]]


def ends_of(name: str) -> list[tuple[int, ...]]:
    table = (cmap.Colormap(name).lut(254)[[0, -1], :3] * 255).round().astype(int)
    return [tuple(row) for row in table.tolist()]


def at_cells(picture: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the colour in the middle of each cell of a map that fills a picture."""
    rows, columns = (
        ((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip(shape, picture.shape[:2], strict=True)
    )
    return picture[rows][:, columns].astype(float)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(np.ravel(a), np.ravel(b))[0, 1])


def check_all(panel: aw.TrustPanel) -> None:
    for wish in panel._wishes.values():
        send(wish, True)
    settle(panel.session)


class Cards:
    """The cards of the attribution, on one session."""

    def __init__(self, model: Any, inputs: Any, **options: Any) -> None:
        self.session = aw.Session(model, inputs, **options)
        self.selection = self.session.selection
        self.picker = aw.MethodPicker(self.session)
        self.classes = aw.ClassSelector(self.session)
        self.map = aw.AttributionView(self.session)
        self.trust = aw.TrustPanel(self.session)
        self.settle()

    def settle(self) -> None:
        settle(self.session)

    def choose(self, title: str, **parameters: Any) -> None:
        """Pick a method in the list, then set its parameters in their controls."""
        pick(self.picker._list, title)
        for name, value in parameters.items():
            send(self.picker._by_name[name], value)
        self.settle()

    def check(self, *names: str) -> None:
        """Switch checks on, one after the other."""
        for name in names:
            send(self.trust._wishes[name], True)
            self.settle()

    def alerts(self) -> list[str]:
        return [alert_of(v) for v in (self.picker, self.classes, self.map, self.trust) if alert_of(v)]

    def close(self) -> None:
        for view in (self.picker, self.classes, self.map, self.trust):
            view.close()


@pytest.fixture(scope="module")
def digits() -> tuple[Any, np.ndarray, tuple[str, ...]]:
    return aw.samples.digits()


@pytest.fixture
def cards(digits) -> Iterator[Cards]:
    model, images, labels = digits
    made = Cards(model, images[:3], labels=labels)
    yield made
    made.close()


def logits_of(model: Any, x: np.ndarray) -> np.ndarray:
    """Return what goes into the final activation of a model that ends in a dense layer."""
    kernel, bias = model.layers[-1].weights
    before = keras.Model(model.input, model.layers[-1].input)(x)
    return np.asarray(before @ kernel + bias)


def slope_at(tensor: Any, model: Any, x: np.ndarray, score: Any) -> np.ndarray:
    """Return the gradient of ``score(rest, value)`` at a tensor of a functional model, sample by sample."""
    value = tf.constant(keras.Model(model.input, tensor)(x))
    rest = keras.Model(tensor, model.output)
    with tf.GradientTape() as tape:
        tape.watch(value)
        scores = score(rest(value))
    return np.asarray(tape.gradient(scores, value))


# --- the method ---


@pytest.mark.parametrize("title", METHODS)
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


@pytest.mark.parametrize("title", METHODS)
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
        controls = {control.description: control for control in picker._controls.children}
        shown = {n: None if control.value == "" else control.value for n, control in controls.items()}
        assert shown == parameters
        assert [type(v) for v in shown.values()] == [type(v) for v in parameters.values()]
    bounds = {n: (c.min, c.max) for n, c in controls.items()}
    assert bounds["masks"] == (10, 20000)
    assert bounds["keep"] == (0.05, 0.95)
    session.selection.method = "occlusion"
    assert label_of(picker._list) == "Occlusion"
    session.selection.parameters = (("patch", 3), ("fill", 0.25))
    assert [c.value for c in picker._controls.children] == [3, 0, "0.25"]


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


def test_a_bad_entry_shows_in_its_card_and_the_next_good_one_recovers(cards):
    cards.choose("Occlusion")
    fill, before = cards.picker._by_name["fill"], cards.map.array.copy()
    for bad, received in (("ink", "'ink'"), ("1e9", "1000000000.0"), ("nan", "nan")):
        send(fill, bad)
        cards.settle()
        assert f"Received: {received}" in alert_of(cards.picker).replace("fill=", "")
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
    assert "Received: 'ink'" in alert_of(cards.picker)
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
    assert label_of(cards.classes._list) == "channel 11 of block2_relu2"

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
    pick(cards.classes._list, "as predicted")
    cards.settle()
    assert (selection.target, selection.target_layer) == (None, "")
    np.testing.assert_array_equal(cards.map.array, of_class)
    assert not label_of(cards.classes._list).startswith("channel")
    assert cards.alerts() == []


def test_a_class_chosen_after_a_channel_of_the_same_number_is_explained(cards, digits):
    model, images, labels = digits
    cards.choose("Saliency")
    cards.selection.layer, cards.selection.channel = "block1_relu", 4
    cards.classes._unit.click()
    cards.settle()
    of_channel = cards.map.array.copy()
    pick(cards.classes._list, f"{labels[4]}  ")
    cards.settle()
    alone = aw.attribute(model, images[:1], "saliency", target=4).maps[0]
    np.testing.assert_allclose(cards.map.array, alone, rtol=1e-3, atol=1e-5)
    assert not np.allclose(of_channel, alone, rtol=0.1)
    assert cards.selection.target_layer == ""


def small(units: int, activation: str | None) -> Any:
    given = keras.Input((6, 6, 2), name="image")
    y = LAYERS.Conv2D(4, 3, activation="relu", name="conv")(given)
    y = LAYERS.Conv2D(3, 3, name="last")(y)
    head = LAYERS.Dense(units, activation=activation, name="out")(LAYERS.Flatten(name="flat")(y))
    return shaken(keras.Model(given, head))


def test_a_head_of_one_unit_is_explained_for_and_against():
    model, x = small(1, "sigmoid"), batch(2, 6, 6, 2) / 8
    cards = Cards(model, x, labels=["cat"])
    logit, share = float(logits_of(model, x)[0, 0]), float(model(x)[0, 0])
    assert 0.02 < share < 0.98
    cards.choose("Gradient × input")
    maps = {}
    for name, sign, chance in (("for cat", 1, share), ("against cat", -1, 1 - share)):
        pick(cards.classes._list, name)
        cards.settle()
        maps[name] = cards.map.array.copy()
        assert heading_of(cards.map).endswith(name)
        assert f"explaining the logits ({sign * logit:.3g})" in caption_of(cards.map)
        pick(cards.picker._scores, "probabilities")
        cards.settle()
        np.testing.assert_allclose(cards.map.array, maps[name] * share * (1 - share), rtol=1e-3, atol=1e-7)
        assert f"explaining the probabilities ({chance:.3g})" in caption_of(cards.map)
        pick(cards.picker._scores, "logits")
    slope = slope_at(model.inputs[0], model, x[:1], lambda out: tf.math.log(out / (1 - out))[:, 0])
    np.testing.assert_allclose(maps["for cat"], (slope * x[:1]).sum(-1)[0], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(maps["against cat"], -maps["for cat"], rtol=1e-5)
    cards.check("Another class")
    assert "for cat" in text_of(cards.trust._names.value)
    said = text_of(cards.trust._under.value)
    assert said.startswith("Correlation with the map of “for cat”: -1.00")
    assert cards.alerts() == []
    cards.close()


@pytest.mark.parametrize("units", [1, 3], ids=["one number", "three numbers"])
def test_a_regression_is_explained_by_its_output_values(units):
    model, x = small(units, None), batch(2, 6, 6, 2)
    cards = Cards(model, x)
    assert cards.picker._scores.layout.display == "none"
    value = float(model(x)[0, units - 1])
    for title, (name, *_) in METHODS.items():
        cards.choose(title, **({"masks": 50} if title == "RISE" else {}))
        pick(cards.classes._list, "class 2" if units == 3 else "for")
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


def words_model() -> Any:
    given = keras.Input((7,), dtype="int32", name="words")
    y = LAYERS.Embedding(9, 5, name="vectors")(given)
    y = LAYERS.Conv1D(4, 3, padding="same", activation="relu", name="conv")(y)
    y = LAYERS.GlobalMaxPooling1D(name="best")(y)
    return shaken(keras.Model(given, LAYERS.Dense(3, activation="softmax", name="out")(y)))


def test_a_model_of_words_is_explained_at_the_layer_on_the_screen():
    model, x = words_model(), tokens(2, 7)
    cards = Cards(model, x)
    cards.choose("Saliency")
    top = cards.session.top_class(0)
    for layer in ("vectors", "conv"):
        cards.selection.layer = layer
        cards.settle()
        assert f"Saliency at '{layer}'" in caption_of(cards.map)
        slope = slope_at(
            model.get_layer(layer).output,
            model,
            x[:1],
            lambda out: tf.math.log(out)[:, top] - tf.reduce_mean(tf.math.log(out), 1),
        )
        # The logits less their mean: log-probabilities differ from them by one number for all classes.
        mean = np.mean(
            [
                slope_at(model.get_layer(layer).output, model, x[:1], lambda out, k=k: tf.math.log(out)[:, k])
                for k in range(3)
            ],
            axis=0,
        )
        assert slope.shape == mean.shape
        alone = aw.attribute(model, x[:1], "saliency", layer=layer)
        np.testing.assert_allclose(cards.map.array, alone.maps, rtol=1e-4, atol=1e-6)
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


# --- slow work ---

MASKS = 40


def slow_model() -> Any:
    """Return a model whose forward pass takes some 50 ms for each sample, by 2.4 billion additions."""
    keras.utils.set_random_seed(3)
    given = keras.Input((32, 32, 1), name="image")
    y = LAYERS.Conv2D(256, 3, padding="same", activation="relu", name="wide")(given)
    y = LAYERS.Conv2D(256, 3, padding="same", activation="relu", name="heavy")(y)
    y = LAYERS.Conv2D(256, 3, padding="same", activation="relu", name="last")(y)
    y = LAYERS.GlobalAveragePooling2D(name="pool")(y)
    return keras.Model(given, LAYERS.Dense(4, activation="softmax", name="out")(y))


class Told:
    """What an attribution view drew: one row for each time, told by the view itself."""

    def __init__(self, view: aw.AttributionView) -> None:
        self.rows: list[tuple[np.ndarray, str, str]] = []
        self._view, self._changed = view, threading.Condition()
        view.on_drawn(self._note)

    def _note(self) -> None:
        stage = self._view._latest[1]
        with self._changed:
            self.rows.append((stage.result.array, self._view._busy.value, self._view._stop.description))
            self._changed.notify_all()

    def wait(self, maps: int, rows: int = 0) -> None:
        """Wait until so many maps were drawn, and so many pictures with or without one."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.maps) >= maps and len(self.rows) >= rows, 60)

    @property
    def maps(self) -> list[np.ndarray]:
        return [array for array, *_ in self.rows if array.size]


def bars_of(rows: list[tuple[np.ndarray, str, str]]) -> list[tuple[int, str]]:
    """Return number and words of every progress bar."""
    bars = []
    for _, html, _ in rows:
        if found := re.search(r'role="progressbar"', html):
            numbers = dict(re.findall(r'aria-value(now|min|max)="(\d+)"', html))
            assert (numbers["min"], numbers["max"]) == ("0", "100"), found
            bars.append((int(numbers["now"]), text_of(html)))
    return bars


def masks_in(words: str) -> int:
    return int(re.search(rf"(\d+) of {MASKS} masks", words)[1])


@pytest.fixture(scope="module")
def slow() -> tuple[Any, np.ndarray, np.ndarray]:
    """The model, two pictures, and the map of the first by `MASKS` masks, made in one go."""
    model, x = slow_model(), np.random.default_rng(0).random((2, 32, 32, 1)).astype("float32")
    return model, x, aw.attribute(model, x[:1], "rise", masks=MASKS).maps[0]


class Work:
    """A session on the slow model with RISE, and what its view draws."""

    def __init__(self, slow: tuple[Any, np.ndarray, np.ndarray], **options: Any) -> None:
        model, x, self.whole = slow
        self.session = aw.Session(model, x, **options)
        self.selection = self.session.selection
        self.view = aw.AttributionView(self.session)
        settle(self.session)
        self.told = Told(self.view)
        self.quick = self.view.array.copy()

    def begin(self, masks: int = MASKS) -> None:
        """Ask for a map by RISE, and start it if the view waits for that."""
        self.choose_rise(masks)
        self.told.wait(0, rows=1)
        if self.view._stop.description == "Start":
            self.toggle()

    def choose_rise(self, masks: int = MASKS, **more: Any) -> None:
        with self.selection.hold_trait_notifications():
            self.selection.method = "rise"
            self.selection.parameters = (("masks", masks), *more.items())

    def toggle(self) -> None:
        """Press the one button that the card has: Stop, Go on or Start."""
        assert self.view._stop.layout.display == ""
        send(self.view._stop, not self.view._stop.value)

    def settle(self) -> None:
        settle(self.session)

    @property
    def runs(self) -> int:
        return self.session.stats()["varied_samples"]


@pytest.fixture
def work(slow) -> Iterator[Work]:
    made = Work(slow)
    yield made
    made.view.close()


def test_a_slow_map_is_drawn_finer_and_finer_and_says_how_far_it_is(work):
    work.begin()
    work.settle()
    assert len(work.told.maps) >= 3
    np.testing.assert_allclose(work.told.maps[-1], work.whole, rtol=1e-4)
    errors = [1 - correlation(chart, work.whole) for chart in work.told.maps]
    assert errors[0] > 10 * errors[-2] > 0
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
    work.told.wait(3)
    start = time.perf_counter()
    work.toggle()
    work.settle()
    assert time.perf_counter() - start < 0.5
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
    assert taken / 4 < estimate < taken * 4


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
def test_another_view_answers_while_a_slow_map_is_made(slow, budget):
    model, x, _ = slow
    work = Work(slow, cache_bytes=budget)
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
    work.begin()
    work.told.wait(2)
    work.selection.method = "grad_cam"
    work.settle()
    runs = work.runs
    assert runs < MASKS
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


def test_a_card_closed_at_work_ends_it_within_half_a_second(slow):
    work = Work(slow)
    work.begin(2000)
    work.told.wait(2)
    start = time.perf_counter()
    work.view.close()
    work.settle()
    assert time.perf_counter() - start < 0.5
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
        yield Stage(f"{key}: half", 0.5, "half")
        yield Stage(f"{key}: whole")

    def draw(self, result):
        if result == "3: half":
            self.began.set()
            assert self.go_on.wait(60)
        self.out.value = result


def test_what_is_chosen_while_a_stage_is_drawn_is_not_lost(digits):
    session = aw.Session(digits[0], digits[1][:1])
    view = Staged(session)
    settle(session)
    session.selection.target = 3
    assert view.began.wait(60)
    session.selection.target = 5
    view.go_on.set()
    settle(session)
    assert view.out.value == "5: whole"
    assert (view._busy.value, view._stop.layout.display) == ("", "none")
    view.close()


# --- whether it can be trusted ---


def test_curves_go_from_the_score_of_the_whole_to_the_score_of_the_empty(cards, digits):
    model, images, _ = digits
    cards.choose("Occlusion")
    cards.check("Curves")
    panel, top = cards.trust, cards.session.top_class(0)
    empty = np.full_like(images[:1], images[0].mean())
    whole, nothing = (float(model(x)[0, top]) for x in (images[:1], empty))
    curves = {kind: (line.x, line.y) for kind, line in panel._lines.items()}
    for (x, y), ends in ((curves["deletion"], (whole, nothing)), (curves["insertion"], (nothing, whole))):
        np.testing.assert_allclose((y[0], y[-1]), ends, rtol=1e-4)
        assert (x[0], x[-1], len(x)) == (0, 1, 21)

    # One point by hand: the 13 of 64 places that matter most are covered.
    order = np.argsort(-cards.map.array.ravel(), kind="stable")
    covered = images[:1].copy()
    covered.reshape(-1)[order[:13]] = images[0].mean()
    assert curves["deletion"][0][4] == 13 / 64
    assert curves["deletion"][1][4] == pytest.approx(float(model(covered)[0, top]), rel=1e-4)

    areas = [np.trapezoid(y, x) for x, y in curves.values()]
    assert areas[0] < areas[1]
    said = text_of(panel._under.value)
    assert f"deletion curve {areas[0]:.3g}" in said
    assert f"insertion curve {areas[1]:.3g}" in said
    assert panel._figure in panel._chart.children


def test_a_map_of_shuffled_weights_is_compared_and_the_model_is_left_bit_for_bit(cards, digits):
    model = digits[0]
    before = [np.array(weight) for weight in model.weights]
    answer = np.asarray(model(digits[1][:3]))
    cards.choose("Saliency")
    cards.check("Shuffled weights")
    for weight, values in zip(model.weights, before, strict=True):
        assert np.array(weight).tobytes() == values.tobytes(), weight.path
    np.testing.assert_array_equal(np.asarray(model(digits[1][:3])), answer)
    other = cards.session.shuffled().attribution("saliency", sample=0, target=cards.session.top_class(0))
    alike = correlation(cards.map.array, other.maps[0])
    assert f"with all weights shuffled: {alike:.2f}" in text_of(cards.trust._under.value)
    assert text_of(cards.trust._names.value).split() == ["this", "map", "weights", "shuffled"]


def test_the_map_is_compared_with_that_of_the_second_class(cards, digits):
    model, images, labels = digits
    cards.choose("Gradient × input")
    cards.check("Another class")
    second = int(np.argsort(-np.asarray(model(images[:1]))[0])[1])
    other = aw.attribute(model, images[:1], "gradient_x_input", target=second).maps[0]
    alike = correlation(cards.map.array, other)
    said = text_of(cards.trust._under.value)
    assert f"Correlation with the map of “{labels[second]}”: {alike:.2f}" in said
    assert text_of(cards.trust._names.value).split()[-1] == labels[second]


def test_completeness_compares_what_values_add_up_to_with_what_the_score_gained(cards, digits):
    model, images, _ = digits
    cards.choose("Integrated gradients")
    cards.check("Completeness")
    top = cards.session.top_class(0)
    both = logits_of(model, np.concatenate([images[:1], np.zeros_like(images[:1])]))[:, top]
    said = re.search(r"add up to (\S+), the score gained (\S+)\.", text_of(cards.trust._under.value))
    assert float(said[1]) == pytest.approx(cards.map.array.sum(), rel=1e-3)
    assert float(said[2]) == pytest.approx(both[0] - both[1], rel=1e-3)
    assert float(said[1]) == pytest.approx(float(said[2]), rel=0.05)
    cards.choose("Saliency")
    assert "Saliency does not add up to the score" in text_of(cards.trust._under.value)


def test_all_checks_together_make_one_picture_and_none_are_left_when_switched_off(cards):
    cards.choose("Grad-CAM")
    panel = cards.trust
    assert panel.array.size == 0
    cards.check("Curves", "Shuffled weights", "Another class", "Completeness")
    assert cards.alerts() == []
    assert panel._under.value.count("aw-caption") == 4
    assert len(panel._surface._placed) == 3
    np.testing.assert_array_equal(panel.array, cards.map.array)
    whole = decoded(panel.png())
    assert whole.shape[1] > 3 * 180
    assert whole.min() < whole.max()
    for wish in panel._wishes.values():
        send(wish, False)
    cards.settle()
    assert (panel._under.value, panel._names.value) == ("", "")
    assert panel._chart.children == ()
    assert panel._surface.widget.layout.display == "none"
    assert panel._busy.value == ""


def test_checks_follow_what_is_chosen(cards):
    cards.check("Another class")
    seen = set()
    for choose in (
        lambda: setattr(cards.selection, "sample", 1),
        lambda: setattr(cards.selection, "target", 7),
        lambda: setattr(cards.selection, "layer", "block1_relu"),
        lambda: cards.choose("Saliency"),
        lambda: pick(cards.picker._scores, "probabilities"),
    ):
        choose()
        cards.settle()
        np.testing.assert_array_equal(cards.trust.array, cards.map.array)
        seen.add(text_of(cards.trust._under.value))
    assert len(seen) == 5


def test_a_check_that_fails_leaves_the_findings_of_the_others():
    cards = Cards(words_model(), tokens(2, 7))
    cards.selection.layer = "conv"
    cards.choose("Grad-CAM")
    cards.check("Another class")
    assert "Correlation with the map of" in text_of(cards.trust._under.value)
    cards.check("Curves")  # they cover places of the input, and words have none between them
    assert "Correlation with the map of" in text_of(cards.trust._under.value)
    said = alert_of(cards.trust) + text_of(cards.trust._under.value)
    assert "no input has as many" in said
    send(cards.trust._wishes["Curves"], False)
    cards.settle()
    assert cards.alerts() == []
    assert "Correlation with the map of" in text_of(cards.trust._under.value)
    cards.close()


def test_checks_wait_too_where_the_map_waits_for_its_start(work):
    panel = aw.TrustPanel(work.session)
    work.settle()
    send(panel._wishes["Another class"], True)
    work.settle()
    runs = work.runs
    work.choose_rise(20000)
    work.told.wait(0)
    start = time.perf_counter()
    assert worker_of(work.session).wait(20), "the panel works at what nobody started"
    assert time.perf_counter() - start < 20
    assert work.runs - runs <= 16
    panel.close()


def test_a_map_that_is_checked_while_it_is_made_is_made_once(work):
    panel = aw.TrustPanel(work.session)
    work.settle()
    work.begin()
    work.told.wait(1)
    send(panel._wishes["Curves"], True)
    work.settle()
    np.testing.assert_array_equal(panel.array, work.view.array)
    # The masks, two curves of 21 points, and a few runs to know how long one takes.
    assert work.runs <= MASKS + 2 * 21 + 16
    panel.close()


# --- nothing stays behind ---


def test_a_closed_explorer_is_freed_with_what_was_checked_and_what_was_under_way(slow):
    slow_model, x, _ = slow
    model = keras.models.clone_model(slow_model)
    before = len(_instances)
    explorer = aw.explore(model, x)
    session, views = explorer.session, explorer.views
    settle(session)
    check_all(views.trust)
    shuffled = views.trust._other[1]
    told = Told(views.attribution)
    with explorer.selection.hold_trait_notifications():
        explorer.selection.method, explorer.selection.parameters = "rise", (("masks", MASKS),)
    told.wait(1)
    explorer.close()
    settle(session)
    assert session.stats()["cache_bytes"] == 0
    # One scratch canvas may stay for the whole process.
    assert len(_instances) <= before + 2
    runs = session.stats()["varied_samples"]
    settle(session)
    assert session.stats()["varied_samples"] == runs
    refs = {
        "model": weakref.ref(model),
        "session": weakref.ref(session),
        "shuffled": weakref.ref(shuffled),
        **{type(view).__name__: weakref.ref(view) for view in views},
    }
    del explorer, session, views, shuffled, told, model
    gc.collect()
    assert [name for name, ref in refs.items() if ref() is not None] == []


@pytest.mark.parametrize("kind", ["AttributionView", "MethodPicker", "TrustPanel"])
def test_a_closed_card_frees_its_widgets_whatever_it_showed(digits, kind):
    session = aw.Session(digits[0], digits[1][:2])
    aw.ChannelView(session).close()  # the scratch canvas is made
    before = len(_instances)
    view = getattr(aw, kind)(session)
    settle(session)
    for method in ("rise", "occlusion", "grad_cam"):
        session.selection.method = method
        settle(session)
    if kind == "TrustPanel":
        check_all(view)
        assert view._under.value.count("aw-caption") == 4
    view.close()
    assert len(_instances) <= before
    ref = weakref.ref(view)
    del view
    gc.collect()
    assert ref() is None


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
    assert float(done.stdout.split()[1]) < 300
