"""The card of the model graph as a user leads it, without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest

import act_widgets as aw
from act_widgets.errors import InputError
from act_widgets.measures import MEASURES

from .cards import settle
from .screen import alert_of, text_of

BLOCKS, LAYERS = 16, 3


@pytest.fixture(scope="module")
def model() -> Any:
    """Blocks of three layers, the last one wider the further behind it is."""
    keras.utils.set_random_seed(0)
    x = y = keras.Input((6,), name="x")
    for i in range(BLOCKS):
        for j in range(LAYERS):
            y = keras.layers.Dense(2 + i if j == 2 else 3, activation="tanh", name=f"block{i}_dense{j}")(y)
    return keras.Model(x, keras.layers.Dense(2, name="head")(y), name="blocks")


@pytest.fixture
def view(model) -> Iterator[aw.GraphView]:
    inputs = np.random.default_rng(0).random((3, 6), np.float32)
    made = aw.GraphView(aw.Session(model, inputs))
    made.session.selection.layer = "head"
    settle(made.session)
    yield made
    made.close()


def shown(view: aw.GraphView) -> list[str]:
    settle(view.session)
    assert alert_of(view) == ""
    return [node["address"] for node in view._canvas.drawing["nodes"]]


def send(view: aw.GraphView, **message: Any) -> None:
    view._canvas._receive(None, message, [])
    settle(view.session)


def test_blocks_are_closed_at_first_and_a_click_opens_one(view) -> None:
    assert shown(view) == ["x", *(f"block{i}_*" for i in range(BLOCKS)), "head"]
    assert "50 calls" in text_of(view._heading.value)
    send(view, type="toggle", address="block4_*", opened=True)
    assert shown(view)[4:9] == ["block3_*", "block4_dense0", "block4_dense1", "block4_dense2", "block5_*"]
    assert view.opened == ("block4_*",)
    send(view, type="toggle", address="block4_*", opened=False)
    assert "block4_*" in shown(view)
    assert view.session.selection.layer == "head"


def test_a_layer_chosen_elsewhere_is_shown_and_its_block_closes_behind_it(view) -> None:
    view.opened = ("block1_*",)
    view.session.selection.layer = "block4_dense1"
    assert {"block1_dense0", "block4_dense1"} <= set(shown(view))
    assert view._canvas.selected == "block4_dense1"
    assert view.opened == ("block1_*", "block4_*")
    view.session.selection.layer = "block9_dense0"
    assert {"block1_dense0", "block4_*", "block9_dense0"} <= set(shown(view))
    view.session.selection.layer = "head"
    assert "block9_dense0" in shown(view), "what is in sight already moves nothing"


def test_a_click_in_the_graph_closes_nothing(view) -> None:
    view.session.selection.layer = "block4_dense1"
    before = shown(view)
    send(view, type="select", address="block4_dense2")
    send(view, type="select", address="head")
    assert shown(view) == before
    assert view.session.selection.layer == "head"


def test_a_group_around_the_chosen_layer_can_be_closed(view) -> None:
    view.session.selection.layer = "block4_dense1"
    send(view, type="toggle", address="block4_*", opened=False)
    assert "block4_dense1" not in shown(view)
    assert view._canvas.selected == "block4_*"
    assert view.opened == ()


def test_what_the_search_finds_in_a_closed_block_is_shown(view) -> None:
    assert ["block7_dense2", "Dense"] in view._canvas.index
    send(view, type="reveal", address="block7_dense2")
    assert "block7_dense2" in shown(view)
    assert view._canvas.flight["address"] == "block7_dense2"
    assert view.session.selection.layer == "head", "a look around chooses nothing"
    number = view._canvas.flight["number"]
    send(view, type="reveal", address="block7_dense1")
    assert view._canvas.flight == {"address": "block7_dense1", "number": number + 1}
    send(view, type="reveal", address="nowhere")
    assert view._canvas.flight["address"] == "block7_dense1"


def test_colours_by_parameters_are_those_of_the_layers(view, model) -> None:
    view.colour_by = "parameters"
    shown(view)
    expected = {layer.name: layer.count_params() for layer in model.layers if layer.count_params()}
    assert {a: n for a, n in view.values.items() if n and a in expected} == expected
    assert "parameters" in view._canvas.drawing["scale"]["title"]
    view.opened = ("block15_*",)
    (last,) = [n for n in view._canvas.drawing["nodes"] if n["address"] == "block15_dense2"]
    assert ["parameters", str(model.get_layer("block15_dense2").count_params())] in last["facts"]


def test_the_worst_is_chosen_and_then_the_next(view, model) -> None:
    view.colour_by = "parameters"
    shown(view)
    sizes = sorted(model.layers, key=lambda layer: -layer.count_params())
    assert view._colours.worst.layout.display == ""
    for layer in sizes[:2]:
        view._colours.worst.click()
        assert layer.name in shown(view)
        assert view.session.selection.layer == view._canvas.flight["address"] == layer.name
        assert layer.name in text_of(view._under.value)
    view.colour_by = "type"
    shown(view)
    assert view._colours.worst.layout.display == "none"
    assert view.values == {}
    assert text_of(view._under.value) == ""


def test_opening_a_group_measures_nothing_anew(view) -> None:
    view.colour_by = "time"
    shown(view)
    before = view.values
    assert before
    view.opened = ("block2_*",)
    assert "block2_dense0" in shown(view)
    assert view.values == before


def test_what_is_measured_for_a_sample_follows_it(view) -> None:
    view.colour_by = "gradient"
    shown(view)
    first = view.values
    view.session.selection.sample = 2
    shown(view)
    assert view.values != first
    view.session.selection.sample = 0
    shown(view)
    assert view.values == first


def test_a_name_that_is_no_measure_is_refused(view) -> None:
    with pytest.raises(aw.InputError, match=r"colour_by='flop'\. Expected: one of 'flops', "):
        view.colour_by = "flop"
    assert view.colour_by == "type"


def test_the_menu_offers_every_measure(view) -> None:
    assert [name for _, name in view._colours.menu.options] == ["type", *MEASURES]
    for name in MEASURES:
        view._colours.menu.set_state({"index": 1 + list(MEASURES).index(name)})
        shown(view)
        assert view._canvas.drawing["scale"]["title"].startswith(MEASURES[name].title)


def test_code_brings_colours_and_open_blocks_back(view, model) -> None:
    view.colour_by = "parameters"
    view.session.selection.layer = "block4_dense1"
    shown(view)
    names = {"model": model, "inputs": view.session.inputs}
    exec(view.code(), names)
    again = names["view"]
    assert shown(again) == shown(view)
    assert again.png() == view.png()
    again.close()


def test_other_inputs_may_take_another_way_through_the_model() -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="own")
            inner = keras.layers.Dense(3, name="inner")
            self.wide = keras.Sequential([keras.Input((6,)), inner], name="wide")
            self.narrow, self.head = keras.layers.Dense(3, name="narrow"), keras.layers.Dense(2, name="head")

        def call(self, x: Any) -> Any:
            return self.head(self.wide(x) if x.shape[-1] == 6 else self.narrow(x))

    model = Own()
    model.narrow.build((None, 2))
    model.head.build((None, 3))
    view = aw.GraphView(aw.Session(model, np.ones((1, 6), np.float32)))
    view.session.selection.layer = "head"
    assert "wide" in shown(view)
    view.session.selection.layer = "wide/inner"
    assert "wide/inner" in shown(view)
    assert view.opened == ("wide",)
    view.session.selection.layer = "head"
    view.session.inputs = np.ones((1, 2), np.float32)
    assert "narrow" in shown(view)
    assert view.opened == ()
    view.close()


def test_what_is_said_of_the_worst_is_said_of_this_sample(view) -> None:
    view.colour_by = "sparsity"
    view.show_worst()
    shown(view)
    assert "No. 1 of" in view._under.value
    view.session.selection.sample = 1
    shown(view)
    assert "No. 1 of" not in view._under.value


def test_groups_are_opened_by_a_list_of_addresses(view) -> None:
    with pytest.raises(InputError, match="Received: opened='conv'"):
        view.opened = "conv"
    assert view.opened == ()
