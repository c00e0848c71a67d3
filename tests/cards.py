"""The cards of the attribution as a user leads them and as a reader sees them, without a browser.

What a page would send goes through `set_state`.
"""

from __future__ import annotations

import io
import re
import threading
from functools import cache
from typing import Any

import cmap
import ipywidgets
import keras
import numpy as np
import tensorflow as tf
from PIL import Image

import act_widgets as aw
from act_widgets.widgets.base import View
from act_widgets.widgets.changing_list import ChangingList
from act_widgets.widgets.choice_list import ChoiceList
from act_widgets.widgets.worker import worker_of

from .screen import alert_of, text_of
from .zoo import shaken

LAYERS = keras.layers

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


def settle(session: aw.Session) -> None:
    assert worker_of(session).wait()


def send(widget: ipywidgets.Widget, value: Any) -> None:
    """Set a value as the page does."""
    widget.set_state({"value": value})


def choose_entry(choices: ChoiceList, words: str) -> None:
    """Choose the entry of a list that reads like this, as the page does."""
    (key,) = [option.key for option in choices.options if f"{option.name} {option.facts}".startswith(words)]
    choices.set_state({"chosen": key})


def entry_of(choices: ChoiceList) -> str:
    """Return the words of the entry that is chosen."""
    (option,) = [option for option in choices.options if option.key == choices.chosen]
    return f"{option.name} {option.facts}"


def pick(choices: ipywidgets.Dropdown | ChangingList, label: str) -> None:
    """Choose the entry that begins with `label`, as the page does."""
    by_key = isinstance(choices, ChangingList)
    entries = choices.options if by_key else [(i, words) for i, (words, _) in enumerate(choices.options)]
    (key,) = [key for key, words in entries if words == label] or [
        key for key, words in entries if words.startswith(label)
    ]
    choices.set_state({"chosen" if by_key else "index": key})


def label_of(choices: ipywidgets.Dropdown | ChangingList) -> str:
    if isinstance(choices, ChangingList):
        return dict(choices.options)[choices.chosen]
    return choices.options[choices.index][0]


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


def logits_of(model: Any, x: np.ndarray) -> np.ndarray:
    """Return what goes into the final activation of a model that ends in a dense layer."""
    kernel, bias = model.layers[-1].weights
    before = keras.Model(model.input, model.layers[-1].input)(x)
    return np.asarray(before @ kernel + bias)


def slope_at(tensor: Any, model: Any, x: np.ndarray, unit: int) -> np.ndarray:
    """Return the gradient of a logit at a tensor of a model that ends in a dense layer."""
    kernel, bias = model.layers[-1].weights
    value = tf.constant(keras.Model(model.input, tensor)(x))
    rest = keras.Model(tensor, model.layers[-1].input)
    with tf.GradientTape() as tape:
        tape.watch(value)
        score = (rest(value) @ kernel + bias)[:, unit]
    return np.asarray(tape.gradient(score, value))


def small(units: int, activation: str | None) -> Any:
    given = keras.Input((6, 6, 2), name="image")
    y = LAYERS.Conv2D(4, 3, activation="relu", name="conv")(given)
    y = LAYERS.Conv2D(3, 3, name="last")(y)
    head = LAYERS.Dense(units, activation=activation, name="out")(LAYERS.Flatten(name="flat")(y))
    return shaken(keras.Model(given, head))


def words_model() -> Any:
    given = keras.Input((7,), dtype="int32", name="words")
    y = LAYERS.Embedding(9, 5, name="vectors")(given)
    y = LAYERS.Conv1D(4, 3, padding="same", activation="relu", name="conv")(y)
    y = LAYERS.GlobalMaxPooling1D(name="best")(y)
    return shaken(keras.Model(given, LAYERS.Dense(3, activation="softmax", name="out")(y)))


MASKS = 80


@cache
def slow_model() -> tuple[Any, np.ndarray, np.ndarray]:
    """Return a slow model, two pictures, and the map of the first by `MASKS` masks, made in one go.

    A forward pass takes some 50 ms for each sample, by 2.4 billion additions.
    """
    keras.utils.set_random_seed(3)
    given = keras.Input((32, 32, 1), name="image")
    y = given
    for name in ("wide", "heavy", "last"):
        y = LAYERS.Conv2D(256, 3, padding="same", activation="relu", name=name)(y)
    y = LAYERS.GlobalAveragePooling2D(name="pool")(y)
    model = keras.Model(given, LAYERS.Dense(4, activation="softmax", name="out")(y))
    x = np.random.default_rng(0).random((2, 32, 32, 1)).astype("float32")
    return model, x, aw.attribute(model, x[:1], "rise", masks=MASKS).maps[0]


class Told:
    """What an attribution view drew: one row for each time, told by the view itself."""

    def __init__(self, view: aw.AttributionView) -> None:
        self.rows: list[tuple[np.ndarray, str, str]] = []
        self._view, self._changed = view, threading.Condition()
        view.on_drawn(self._note)

    def _note(self) -> None:
        stage = self._view._results.latest[1]
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


class Work:
    """A session on the slow model with RISE, and what its view draws."""

    def __init__(self, **options: Any) -> None:
        model, x, self.whole = slow_model()
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

    @property
    def batch(self) -> int:
        """How many samples go into one batch now: work ends between two of them."""
        return self.session.reader.variants.pace[False].size
