"""The lists of layers and classes: searched and walked through in the browser."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.browser.digits import DIGITS, card, settle
from tests.browser.lab import Lab

NESTED = """
import keras, numpy as np, act_widgets as aw
given = keras.Input((8, 8, 1), name="image")
backbone = keras.Sequential(
    [keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3, name="conv"), keras.layers.ReLU(name="relu")],
    name="backbone",
)
pooled = keras.layers.GlobalAveragePooling2D(name="pool")(backbone(given))
model = keras.Model(given, keras.layers.Dense(30, "softmax", name="out")(pooled))
ex = aw.explore(model, np.ones((2, 8, 8, 1), "float32"), layer="pool")
ex
"""


# Busy until the choice arrives.
BUSY = """
import threading
chosen = threading.Event()
ex.selection.observe(lambda change: chosen.set(), "layer")
assert chosen.wait(60)
"""


def entries(lab: Lab, name: str) -> Locator:
    return card(lab, name).get_by_role("treeitem")


def names(lab: Lab, name: str = "LayerPicker") -> list[str]:
    """Return the words of the entries that are seen."""
    return [one.inner_text().split()[0] for one in entries(lab, name).all() if one.is_visible()]


def test_a_search_narrows_the_list_while_the_kernel_is_busy(page: Lab):
    lab = page
    job = lab.page.evaluate("code => testLab.start('execute', {code, expression: null})", BUSY)
    search = card(lab, "LayerPicker").get_by_role("searchbox")
    search.fill("BLOCK2 conv2d")
    assert names(lab) == ["block1_relu", "block2_conv1", "block2_conv2"], "what is chosen stays in sight"
    expect(card(lab, "LayerPicker").get_by_role("status").first).to_have_text("2 of 24")
    search.press("Enter")
    marked = card(lab, "LayerPicker").locator("[aria-selected=true]")
    expect(marked).to_contain_text("block2_conv1")
    assert lab._outcome(job, seconds=90)["status"] == "ok", "the choice came while the kernel was busy"
    assert lab.value("ex.selection.layer") == "block2_conv1"
    search.fill("nothing is called this")
    assert names(lab) == ["block2_conv1"]
    search.fill("")
    assert len(names(lab)) == 24


def test_no_two_entries_of_the_page_have_an_id_in_common(page: Lab):
    ids = page.page.locator(".aw-choice").evaluate_all("all => all.map(one => one.id)")
    assert len(set(ids)) == len(ids) > 24


def test_the_list_begins_where_the_chosen_layer_is(lab: Lab):
    lab.show(DIGITS.replace("block1_relu", "block3_relu2"))
    settle(lab)
    inside = """list => {
        const outer = list.getBoundingClientRect();
        const inner = list.querySelector("[aria-selected=true]").getBoundingClientRect();
        return inner.top >= outer.top && inner.bottom <= outer.bottom;
    }"""
    tree = card(lab, "LayerPicker").get_by_role("tree")
    assert lab.until(lambda: tree.evaluate(inside))


def test_keys_and_buttons_walk_through_what_is_seen(page: Lab):
    lab = page
    picker = card(lab, "LayerPicker")
    picker.get_by_role("searchbox").fill("relu")
    picker.get_by_role("button", name="Next layer").click()
    lab.until(lambda: lab.value("ex.selection.layer") == "block2_relu1")
    picker.get_by_role("button", name="Previous layer").click()
    lab.until(lambda: lab.value("ex.selection.layer") == "block1_relu")
    picker.get_by_role("searchbox").press("ArrowDown")
    for key, layer in {"End": "block3_relu2", "ArrowUp": "block3_relu1", "Home": "stem_relu"}.items():
        lab.page.keyboard.press(key)
        lab.until(lambda layer=layer: lab.value("ex.selection.layer") == layer)
    lab.page.keyboard.press("ArrowUp")
    settle(lab)
    assert lab.value("ex.selection.layer") == "stem_relu"


def test_groups_close_and_open_and_what_is_chosen_elsewhere_is_brought_into_sight(lab: Lab):
    lab.show(NESTED)
    settle(lab)
    tree = card(lab, "LayerPicker").get_by_role("tree")
    tree.press("ArrowUp")
    lab.until(lambda: lab.value("ex.selection.layer") == "backbone/relu")
    tree.press("ArrowLeft")
    lab.until(lambda: lab.value("ex.selection.layer") == "backbone")
    tree.press("ArrowLeft")
    group = entries(lab, "LayerPicker").filter(has_text="backbone")
    expect(group).to_have_attribute("aria-expanded", "false")
    assert names(lab) == ["image", "backbone", "pool", "out"]
    lab.python("ex.selection.layer = 'backbone/conv'")
    expect(group).to_have_attribute("aria-expanded", "true")
    assert "conv" in names(lab)
    lab.python("ex.selection.layer = 'out'")
    settle(lab)
    # One class is searched among thirty.
    classes = card(lab, "ClassSelector")
    classes.get_by_role("searchbox").fill("class 17")
    classes.get_by_role("searchbox").press("Enter")
    lab.until(lambda: lab.value("ex.selection.target") == 17)
