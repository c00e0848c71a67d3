"""The model graph as people use it: finding, opening, colours, and a thousand boxes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from act_widgets.model_graph import Graph, Node
from act_widgets.rendering.graph_blocks import with_blocks
from act_widgets.rendering.graph_layout import lay_out
from act_widgets.rendering.graph_svg import describe
from act_widgets.rendering.graph_tones import Tones
from tests.big_graphs import chain, scopes
from tests.browser.digits import card, settle
from tests.browser.graph_page import GraphPage
from tests.browser.lab import Lab
from tests.test_graph_layout import resnet

RESNET = with_blocks(resnet())
INDEX = [[node.address, node.kind] for node in RESNET.nodes]
BLOCKS = """
import keras, numpy as np, act_widgets as aw
x = y = keras.Input((6,), name="x")
for i in range(16):
    for j in range(3):
        y = keras.layers.Dense(4 + i, activation="tanh", name=f"block{i}_dense{j}")(y)
model = keras.Model(x, keras.layers.Dense(2, name="head")(y))
ex = aw.explore(model, np.random.default_rng(0).random((2, 6), np.float32), layer="head")
ex
"""


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[..., GraphPage]]:
    """Opens graphs in pages of their own."""
    pages: list[GraphPage] = []

    def open_graph(*arguments, **traits) -> GraphPage:
        pages.append(GraphPage(browser, *arguments, **traits))
        return pages[-1]

    yield open_graph
    for page in pages:
        page.close()


def test_the_search_flies_from_match_to_match(opened) -> None:
    graph = opened(lay_out(RESNET, {"b2_*", "b9_*"}), index=INDEX)
    field, count = graph.page.get_by_label("Find in the graph"), graph.page.get_by_role("status")
    field.fill("conv2d c1")
    expect(count).to_have_text("16 found")
    field.fill("b2_c add")
    expect(count).to_have_text("none")
    field.fill("B2_c conv2d")
    for number, name in enumerate(("b2_c1", "b2_c2", "b2_c3", "b2_c1"), 0):
        field.press("Enter")
        expect(count).to_have_text(f"{number % 3 + 1} of 3")
        assert graph.is_in_sight(name)
    field.press("Shift+Enter")
    expect(count).to_have_text("3 of 3")
    assert graph.sent == [], "what is in the drawing is not asked for"
    field.fill("b12_c2")
    field.press("Enter")
    assert graph.sent == [{"type": "reveal", "address": "b12_c2"}]
    graph.set(drawing=describe(lay_out(RESNET, {"b2_*", "b12_*"})), flight={"address": "b12_c2", "number": 1})
    assert graph.is_in_sight("b12_c2")
    field.press("Escape")
    expect(count).to_have_text("")
    assert field.input_value() == ""


def test_under_the_pointer_a_layer_says_what_is_known_of_it(opened) -> None:
    values = {node.address: float(i) for i, node in enumerate(RESNET.nodes) if node.address != "b0_c1"}
    tones = Tones(RESNET, "time", "ms", values, {"b0_c1": "too quick to be told"})
    graph = opened(lay_out(RESNET, {"b0_*"}), tones)
    tip = graph.page.locator(".tip")
    expect(tip).to_be_hidden()
    graph.box("b0_c1").hover()
    expect(tip).to_have_text("b0_c1typeConv2Din? × 8out? × 8parameters3timetoo quick to be told")
    graph.box("b0_c2").hover()
    expect(tip).to_contain_text(f"time{values['b0_c2']:g} ms")
    graph.page.mouse.move(350, 600)
    expect(tip).to_be_hidden()
    legend = graph.page.locator(".legend")
    expect(legend).to_contain_text("time, ms")
    expect(legend).to_contain_text("no value")


@pytest.mark.parametrize("block", ["b5_*", "b3_*"], ids=["below", "above"])
def test_what_was_selected_stays_in_sight_when_a_group_opens_and_closes(opened, block: str) -> None:
    graph = opened(lay_out(RESNET), selected="b4_*")
    assert graph.is_in_sight("b4_*")
    graph.box(block).dispatch_event("click")
    assert graph.sent == [{"type": "toggle", "address": block, "opened": True}], "a block is no layer"
    graph.set(drawing=describe(lay_out(RESNET, {block})))
    assert graph.is_in_sight("b4_*")
    assert graph.box("b4_*").get_attribute("aria-pressed") == "true"
    graph.page.get_by_role("button", name=f"Close {block}").dispatch_event("click")
    graph.set(drawing=describe(lay_out(RESNET)))
    assert graph.is_in_sight("b4_*")


def test_of_a_thousand_boxes_only_those_about_the_panel_are_on_the_page(opened) -> None:
    graph = opened(lay_out(chain(1000)), selected="dense_500")
    here = "() => [...document.querySelectorAll('.boxes .item')].map(e => e.ariaLabel.split(',')[0])"
    assert 10 < len(graph.page.evaluate(here)) < 60
    assert graph.is_in_sight("dense_500")
    seen = graph.page.evaluate(
        """() => drag(30, 0, -150, () => {
            const { left, width, top, bottom } = document.querySelector(".stage").getBoundingClientRect();
            return [top + 40, (top + bottom) / 2, bottom - 40].filter((y) => [-24, 0, 24].some((d) =>
                document.elementFromPoint(left + width / 2, y + d)?.closest(".item"))).length;
        })"""
    )
    assert seen == [3] * 30, "wherever the panel is, boxes are there"
    assert graph.page.evaluate("document.querySelectorAll('.stage svg *').length") < 1000
    graph.page.get_by_role("button", name="Show the whole graph").click()
    expect(graph.page.locator(".overview")).to_be_visible()
    assert graph.page.locator(".boxes .item").count() == 1, "what the keyboard is at"
    graph.page.get_by_role("button", name="Readable size").click()
    assert graph.is_in_sight("dense_500")
    graph.box("dense_500").focus()
    for _ in range(40):
        graph.page.keyboard.press("ArrowDown")
    assert graph.page.evaluate("document.activeElement.ariaLabel").startswith("dense_540,")
    assert graph.is_in_sight("dense_540")


def test_the_keyboard_keeps_its_place_in_the_overview(opened) -> None:
    graph = opened(lay_out(chain(1000)), selected="dense_500")
    focused = "document.activeElement.ariaLabel ?? ''"
    graph.box("dense_500").focus()
    graph.page.keyboard.press("0")
    expect(graph.page.locator(".overview")).to_be_visible()
    assert graph.page.evaluate(focused).startswith("dense_500,")
    for _ in range(3):
        graph.page.keyboard.press("ArrowDown")
    assert graph.page.evaluate(focused).startswith("dense_503,")
    graph.page.keyboard.press("Enter")
    assert graph.sent == [{"type": "select", "address": "dense_503"}]
    graph.page.get_by_role("button", name="Readable size").click()
    graph.page.keyboard.press("Shift+Tab")
    graph.set(selected="dense_503")
    assert graph.is_in_sight("dense_503")


FOCUSED = "document.activeElement.ariaLabel ?? document.activeElement.tagName"


@pytest.mark.parametrize("length", [20, 1000])
def test_the_keyboard_keeps_its_place_when_another_layer_is_selected_far_away(opened, length: int) -> None:
    graph = opened(lay_out(chain(length)), selected="dense_10")
    graph.box("dense_10").focus()
    graph.page.keyboard.press("ArrowUp")
    tip = graph.page.get_by_role("tooltip")
    expect(tip).to_contain_text("dense_9")
    far = f"dense_{length - 1}"
    graph.set(selected=far)
    assert graph.is_in_sight(far)
    expect(tip).to_be_hidden()
    assert graph.page.evaluate(FOCUSED).startswith("dense_9,")
    for name in ("Show the whole graph", "Readable size"):
        graph.page.get_by_role("button", name=name).evaluate("button => button.onclick()")
        assert graph.page.evaluate(FOCUSED).startswith("dense_9,")
    graph.page.keyboard.press("ArrowDown")
    assert graph.page.evaluate(FOCUSED).startswith("dense_10,")
    assert graph.is_in_sight("dense_10")
    # Nothing is left behind once the keyboard goes on.
    graph.page.get_by_label("Find in the graph").focus()
    graph.set(selected=far)
    assert graph.is_in_sight(far)
    assert graph.box("dense_9").count() == (length == 20)


def test_the_keyboard_finds_what_stands_for_its_box_in_another_drawing(opened) -> None:
    graph = opened(lay_out(RESNET, {"b2_*", "b9_*"}), selected="b9_c2")
    graph.box("b2_c1").focus()
    for drawing, name in (
        (lay_out(RESNET, {"b2_*"}), "b2_c1,"),  # itself
        (lay_out(RESNET), "b2_*,"),  # the group that was closed over it
        (lay_out(RESNET, {"b2_*"}), "b2_*,"),
    ):
        graph.set(drawing=describe(drawing))
        assert graph.page.evaluate(FOCUSED).startswith(name)
    close = "Close b2_*"
    graph.page.get_by_role("button", name=close).focus()
    graph.set(drawing=describe(lay_out(RESNET, {"b2_*", "b9_*"})))
    assert graph.page.evaluate(FOCUSED).startswith(close)
    # Another model has nothing of it: what is selected there, or the first.
    graph.set(drawing=describe(lay_out(chain(20))), selected="dense_3")
    assert graph.page.evaluate(FOCUSED).startswith("dense_3,")
    graph.set(drawing={})
    assert graph.page.evaluate(FOCUSED) == "Model graph"


def test_a_layer_that_the_keyboard_is_at_says_what_is_known_of_it(opened) -> None:
    values = {node.address: float(i) for i, node in enumerate(RESNET.nodes)}
    graph = opened(lay_out(RESNET, {"b0_*"}), Tones(RESNET, "time", "ms", values, {}))
    tip = graph.page.get_by_role("tooltip")
    graph.box("b0_c1").focus()
    graph.page.keyboard.press("ArrowDown")
    graph.page.keyboard.press("ArrowUp")
    for name, kind in (("b0_c1", "Conv2D"), ("b0_n1", "BatchNormalization")):
        expect(tip).to_contain_text(f"{name}type{kind}")
        expect(tip).to_contain_text(f"time{values[name]:g} ms")
        box, card = graph.box(name).bounding_box(), tip.bounding_box()
        assert box is not None and card is not None
        assert card["x"] >= box["x"] + box["width"] or card["y"] >= box["y"] + box["height"]
        graph.page.keyboard.press("ArrowDown")
    graph.page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    graph.page.keyboard.press("ArrowUp")
    expect(tip).to_be_visible()
    graph.page.get_by_label("Find in the graph").focus()
    expect(tip).to_be_hidden()


@pytest.mark.parametrize("letters", ["W", "M", "m", "%", "{", "Ж", "漢", "MultiHead", "_0"])
def test_no_name_is_wider_than_its_box(opened, letters: str) -> None:
    name = 30 * letters
    nodes = Node(name, name), Node(f"{name}_frame", name), Node("inside", "Dense", parent=f"{name}_frame")
    graph = opened(lay_out(Graph("wide", nodes, ()), {f"{name}_frame"}))
    too_wide = """() => [...document.querySelectorAll(".item")].filter((item) => {
        const body = item.querySelector(".body").getBBox();
        return [...item.querySelectorAll("text")].some((text) => text.getBBox().width > body.width - 4);
    }).map((item) => item.ariaLabel)"""
    assert graph.page.evaluate(too_wide) == []


def test_a_scope_of_a_thousand_operations_is_opened_by_a_click(opened) -> None:
    graph = scopes([1000] + [10] * 20)
    page = opened(lay_out(graph, {"model"}))
    page.box("model/block_0").click()
    page.set(drawing=describe(lay_out(graph, {"model", "model/block_0"})))
    assert page.is_in_sight("model/block_0/op_0")


def test_blocks_colours_and_choices_in_an_explorer(lab: Lab) -> None:
    lab.set_viewport(1600, 1600)
    lab.show(BLOCKS)
    settle(lab)
    graph = card(lab, "GraphView")
    graph.get_by_role("button", name="block3_*").dispatch_event("click")
    expect(graph.get_by_role("button", name="block3_dense1,")).to_be_attached()
    graph.get_by_role("button", name="block3_dense1,").dispatch_event("click")
    settle(lab)
    assert lab.value("ex.selection.layer") == "block3_dense1"
    # Chosen elsewhere: its block opens, and it is brought into sight.
    graph.locator(".stage").scroll_into_view_if_needed()
    entry = card(lab, "LayerPicker").get_by_role("treeitem", name="block9_dense2 ")
    entry.click()
    expect(graph.get_by_role("button", name="block9_dense2,", pressed=True)).to_be_in_viewport()
    # Found in a closed block.
    graph.get_by_label("Find in the graph").fill("block12")
    graph.get_by_label("Find in the graph").press("Enter")
    expect(graph.get_by_role("button", name="block12_dense0,")).to_be_in_viewport()
    assert lab.value("ex.selection.layer") == "block9_dense2"
    # Whatever style JupyterLab gives to such elements, each fact stands on a line of its own.
    graph.get_by_role("button", name="block12_dense0,").hover()
    facts = graph.locator(".tip .facts")
    assert facts.evaluate("e => e.clientHeight") < 4 * 20
    # Colours by parameters: the last blocks are the widest.
    graph.locator("select").select_option("parameters")
    expect(graph.locator(".legend")).to_contain_text("parameters")
    for layer in ("block15_dense1", "block15_dense2"):
        graph.get_by_role("button", name="Worst", exact=True).click()
        expect(graph.get_by_role("button", name=f"{layer},", pressed=True)).to_be_in_viewport()
        lab.until(lambda layer=layer: lab.value("ex.selection.layer") == layer)
    graph.locator("select").select_option("measured time")
    expect(graph.locator(".legend")).to_contain_text("measured time, ms")
    settle(lab)
