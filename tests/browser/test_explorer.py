"""The explorer in real JupyterLab: every choice changes every linked view, and pixels prove it."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import cmap
import numpy as np
import pytest
from playwright.sync_api import Locator, expect

from tests.browser.digits import BUSY, DIGITS, card, settle
from tests.browser.front import Front
from tests.browser.hostile import INJECTED, LABELS, LAYERS, MODEL, TOO_WIDE
from tests.browser.lab import Lab

ROOT = Path(__file__).resolve().parents[2]

VIRIDIS = (cmap.Colormap("viridis").lut(254)[:, :3] * 255).round()
CANVASES = ("FeatureMaps", "ChannelView", "AttributionView")


# In one message, since tests ask until something has changed.
SHOWN = """canvases => {
    const card = name => document.querySelector(`.aw-${name}`);
    const words = (name, selector) => card(name).querySelector(selector)?.innerText;
    return {
        ...Object.fromEntries(canvases.map(name => [name, card(name).querySelector("canvas").toDataURL()])),
        Histogram: card("Histogram").querySelector("path.line").getAttribute("d"),
        LayerPicker: words("LayerPicker", "[role=treeitem][aria-selected=true]"),
        ChannelSlider: words("ChannelSlider", ".widget-readout"),
        Predictions: card("Predictions").innerHTML,
        ClassSelector: words("ClassSelector", "[role=treeitem][aria-selected=true]"),
        GraphView: card("GraphView").querySelector("svg").outerHTML,
    };
}"""
# Waits for five frames in which nothing was drawn.
QUIET = """async canvases => {
    const drawn = () => canvases.map(name => document.querySelector(`.aw-${name} canvas`).toDataURL()).join();
    for (let last = drawn(), quiet = 0, now; quiet < 5; last = now) {
        await new Promise(requestAnimationFrame);
        now = drawn();
        quiet = now === last ? quiet + 1 : 0;
    }
}"""


def canvas(lab: Front, name: str) -> Locator:
    return card(lab, name).locator("canvas").first


def pictures(lab: Front) -> dict[str, np.ndarray]:
    return {name: lab.pixels(canvas(lab, name)) for name in CANVASES}


def settled_pictures(lab: Front) -> dict[str, np.ndarray]:
    """Return the pictures once the page has drawn what it was told: it decodes and draws in its own time."""
    lab.page.evaluate(QUIET, CANVASES)
    return pictures(lab)


def shown(lab: Front) -> dict[str, object]:
    """Return all that a reader sees of the linked views."""
    return lab.page.evaluate(SHOWN, CANVASES)


def wait_changed(lab: Front, before: dict[str, object], names: set[str]) -> dict[str, object]:
    """Wait until all views in `names` show something else than before, and return what is shown."""

    def changed() -> dict[str, object] | None:
        now = shown(lab)
        return now if all(now[name] != before[name] for name in names) else None

    return lab.until(changed)


def expected_colours(values: np.ndarray) -> np.ndarray:
    low, high = min(values.min(), 0.0) if values.min() < 0 else values.min(), values.max()
    return VIRIDIS[np.floor((values - low) / (high - low) * 253 + 0.5).astype(int)]


def cells(picture: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the colour in the middle of each cell of a map that fills a canvas."""
    height, width = picture.shape[:2]
    rows = ((np.arange(shape[0]) + 0.5) * height / shape[0]).astype(int)
    columns = ((np.arange(shape[1]) + 0.5) * width / shape[1]).astype(int)
    return picture[rows][:, columns, :3].astype(float)


def assert_channel_view_is_true(lab: Front) -> None:
    """The large map holds, cell for cell, the colours of the activation that the model computed."""
    values = np.array(
        lab.value(
            "model and aw.capture(model, images[ex.selection.sample:][:1], [ex.selection.layer])"
            "[ex.selection.layer][0, ..., ex.selection.channel]"
        )
    )
    wanted = expected_colours(values)

    def agrees() -> bool:
        drawn = cells(lab.pixels(canvas(lab, "ChannelView")), values.shape)
        return bool(np.abs(drawn - wanted).max() <= 2)

    lab.until(agrees)


def click_on_canvas(lab: Front, name: str, x: float, y: float) -> None:
    """Click at a place given in canvas pixels."""
    canvas(lab, name).scroll_into_view_if_needed()
    box = canvas(lab, name).bounding_box()
    size = canvas(lab, name).evaluate("c => [c.width, c.height]")
    assert box is not None
    lab.page.mouse.click(box["x"] + x * box["width"] / size[0], box["y"] + y * box["height"] / size[1])


def test_every_choice_changes_every_linked_view_and_runs_the_model_no_more(page: Lab):
    lab = page
    passes = lab.value("ex.session.stats()")
    assert passes["forward_passes"] == 1
    assert_channel_view_is_true(lab)
    now = shown(lab)

    # A layer, from the list.
    pick_layer(lab, "block2_relu2")
    now = wait_changed(lab, now, {*CANVASES, "Histogram", "LayerPicker", "GraphView"})
    assert lab.value("ex.selection.layer") == "block2_relu2"
    settle(lab)
    assert_channel_view_is_true(lab)

    # A channel, by dragging the slider.
    now = shown(lab)
    drag_channel_slider(lab, 0.5)
    now = wait_changed(lab, now, {"FeatureMaps", "ChannelView", "Histogram", "ChannelSlider"})
    channel = lab.value("ex.selection.channel")
    assert 5 < channel < lab.value("ex.session.tap('block2_relu2').channels") - 5
    assert str(channel) in str(now["ChannelSlider"])
    assert_channel_view_is_true(lab)

    # A channel, by a click in the grid.
    wanted = (channel + 3) % 24
    x, y = lab.value(
        f"(lambda b: (b.x + b.width / 2, b.y + b.height / 2))(ex.views.feature_maps._grid.box({wanted}))"
    )
    click_on_canvas(lab, "FeatureMaps", x, y)
    now = wait_changed(lab, now, {"FeatureMaps", "ChannelView", "ChannelSlider"})
    assert lab.value("ex.selection.channel") == wanted
    assert_channel_view_is_true(lab)

    # A class.
    runs = lab.value("ex.session.stats()")
    card(lab, "ClassSelector").get_by_role("treeitem").nth(3).click()
    now = wait_changed(lab, now, {"AttributionView", "Predictions", "ClassSelector"})
    settle(lab)
    assert lab.value("ex.selection.target") is not None
    # One backward pass for the new class; the layers before needed none, nor do those after it.
    assert lab.value("ex.session.stats()")["backward_passes"] == runs["backward_passes"] + 1

    # A layer, by a click in the graph.
    now = shown(lab)
    node = card(lab, "GraphView").get_by_role("button", name="block2_conv1,")
    node.scroll_into_view_if_needed()
    node.click()
    now = wait_changed(lab, now, {*CANVASES, "Histogram", "LayerPicker"})
    assert lab.value("ex.selection.layer") == "block2_conv1"

    # A sample, by its thumbnail.
    click_on_canvas(lab, "SamplePicker", 2.5 * 76, 30)
    wait_changed(lab, now, {*CANVASES, "Predictions"})
    assert lab.value("ex.selection.sample") == 2
    settle(lab)

    done = lab.value("ex.session.stats()")
    assert done["forward_passes"] == 1
    assert "1 forward pass" in lab.page.locator(".aw-explorer-head").inner_text()
    assert lab.page.locator(".aw-alert").count() == 0
    lab.check()


def pick_layer(lab: Front, name: str) -> None:
    search = card(lab, "LayerPicker").get_by_role("searchbox")
    search.fill(name)
    card(lab, "LayerPicker").get_by_role("treeitem", name=f"{name} ").click()
    search.fill("")


def drag_channel_slider(lab: Lab, share: float) -> None:
    handle = card(lab, "ChannelSlider").locator(".noUi-handle")
    track = card(lab, "ChannelSlider").locator(".noUi-target")
    start, along = handle.bounding_box(), track.bounding_box()
    assert start is not None
    assert along is not None
    y = start["y"] + start["height"] / 2
    lab.page.mouse.move(start["x"] + start["width"] / 2, y)
    lab.page.mouse.down()
    for step in range(1, 9):
        lab.page.mouse.move(along["x"] + along["width"] * share * step / 8, y)
    lab.page.mouse.up()
    lab.wait_idle()


def test_many_changes_leave_nothing_behind_in_the_page(page: Lab):
    lab, change = page, "for channel in [*range(1, 12), 0]: ex.selection.channel = channel"
    elements = "document.querySelectorAll('.aw-explorer *').length"
    lab.python(change)
    settle(lab)
    before, chart = lab.page.evaluate(elements), shown(lab)["Histogram"]
    lab.python(change)
    settle(lab)
    lab.until(lambda: shown(lab)["Histogram"] == chart)
    assert lab.page.evaluate(elements) == before


def test_counts_by_their_logarithm_are_written_beside_the_axis_as_counts(page: Lab):
    lab = page
    ticks = card(lab, "Histogram").locator("g.axis").nth(1).locator(".tick text")
    expect(ticks).to_contain_text(["0"])
    for channel in (1, 2, 3):
        lab.python(f"ex.views.histogram.counts = 'log'; ex.selection.channel = {channel}")
        expect(ticks).to_have_text(["1", "10", "100"])
        lab.python("ex.views.histogram.counts = 'linear'")
        expect(ticks).not_to_have_text(["1", "10", "100"])


def test_the_views_are_drawn_again_after_a_reload(page: Lab):
    lab = page
    lab.python("ex.selection.channel = 7")
    assert_channel_view_is_true(lab)
    before = settled_pictures(lab)
    lab.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    lab.reload()
    settle(lab)

    def same() -> bool:
        now = pictures(lab)
        return all(np.array_equal(before[name], now[name]) for name in CANVASES)

    lab.until(same)
    lab.python("ex.selection.channel = 9")
    assert_channel_view_is_true(lab)


def test_an_explorer_goes_on_where_another_was_closed_while_the_page_was_busy(lab: Lab):
    lab.set_viewport(1600, 1600)
    lab.notebook([DIGITS, "other = aw.explore(model, images, labels=labels); other"])
    lab.run(0)
    lab.run(1)
    settle(lab)
    assert_channel_view_is_true(lab)
    lab.page.evaluate(
        BUSY,
        """
for layer in ("stem_relu", "block2_relu2", "block1_relu"):
    other.selection.layer = layer
other.close()
""",
    )
    lab.until(lambda: lab.page.locator(".aw-explorer").count() == 1)
    for layer in ("block2_relu2", "stem_relu"):
        lab.python(f"ex.selection.layer = {layer!r}")
        assert_channel_view_is_true(lab)
    lab.check()


def rectangles(lab: Lab) -> dict[str, tuple[float, float, float, float]]:
    """Return left, top, right and bottom of every card, and of all of them together."""
    found = lab.page.locator(".aw-explorer .aw-card, .aw-explorer .aw-grid").evaluate_all(
        """all => all.map(e => [e.className.match(/aw-grid|aw-[A-Z]\\w+/)[0], e.getBoundingClientRect()])
          .map(([name, r]) => [name, [r.left, r.top, r.right, r.bottom]])"""
    )
    return {name.removeprefix("aw-"): tuple(sides) for name, sides in found}


def area(sides: tuple[float, float, float, float]) -> float:
    left, top, right, bottom = sides
    return max(right - left, 0) * max(bottom - top, 0)


def test_at_any_width_the_checks_lie_at_the_map_and_cards_leave_no_holes(page: Lab):
    lab = page
    for width, columns in ((2000, 4), (1500, 3), (1150, 2), (850, 1)):
        lab.set_viewport(width, 1600)
        lab.until(lambda columns=columns: len({r[0] for r in rectangles(lab).values()}) == columns)
        cards = rectangles(lab)
        whole, (left, top, right, bottom) = cards.pop("grid"), cards["AttributionView"]
        trust = cards["TrustPanel"]
        is_beside = trust[0] - right == pytest.approx(10, abs=1) and trust[1] == pytest.approx(top, abs=1)
        is_below = trust[1] - bottom == pytest.approx(10, abs=1) and trust[0] < right and trust[2] > left
        assert is_beside or is_below, (width, cards["AttributionView"], trust)
        for a, b in combinations(cards.values(), 2):
            shared = (max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3]))
            assert area(shared) == 0
        assert sum(map(area, cards.values())) > 0.92 * area(whole), width


def test_a_name_without_end_is_shown_whole(lab: Lab):
    lab.set_viewport(700, 1600)
    lab.show(
        """
import keras, numpy as np, act_widgets as aw
given = keras.Input((4, 4, 1), name="<b>image")
pooled = keras.layers.GlobalAveragePooling2D()(given)
model = keras.Model(given, keras.layers.Dense(2)(pooled), name="<i>" + "w" * 120)
ex = aw.explore(model, np.ones((1, 4, 4, 1), "float32"))
ex
"""
    )
    settle(lab)
    name, whole = lab.page.locator(".aw-explorer-name"), lab.page.locator(".aw-explorer")
    assert name.inner_text() == "<i>" + "w" * 120
    inner, outer = name.bounding_box(), whole.bounding_box()
    assert inner is not None and outer is not None
    assert inner["x"] + inner["width"] <= outer["x"] + outer["width"]


def named(lab: Lab, name: str, where: str) -> list[str]:
    return card(lab, name).locator(where).evaluate_all("all => all.map(e => e.title || e.textContent)")


def test_in_every_card_names_are_text_and_leave_room_for_the_rest(lab: Lab):
    lab.set_viewport(700, 1600)
    lab.show(
        f"""
import sys, warnings
sys.path.insert(0, {str(ROOT)!r})
warnings.simplefilter("ignore")
from tests.browser.hostile import opened
ex = opened()
ex.views.trust.checks = ("Curves", "Shuffled weights", "Another class")
ex.session.silenced = (ex.selection.layer, (1,))
ex
"""
    )
    settle(lab)
    layer = lab.value("ex.selection.layer")
    assert layer.endswith(LAYERS[1])
    assert {*LAYERS} <= {title.rpartition("/")[2] for title in named(lab, "LayerPicker", "[role=treeitem]")}
    assert {*named(lab, "Predictions", ".aw-row-name:not(.aw-row-after)")} == {*LABELS}
    assert {*LABELS} <= {*named(lab, "ClassSelector", ".aw-choice-name")}
    for name in ("FeatureMaps", "ChannelView", "Histogram"):
        assert card(lab, name).locator(".aw-note").get_attribute("title").startswith(layer)
    assert lab.page.locator(".aw-explorer-name").inner_text() == MODEL
    card(lab, "GraphView").get_by_role("button", name="<b>inner").first.click()
    card(lab, "GraphView").get_by_role("button", name=LAYERS[0]).first.wait_for()
    settle(lab)
    lab.python("ex.selection.explain(1, ex.selection.layer)")
    lab.python(f"ex.views.histogram._show_error(ValueError({LAYERS[0] + LAYERS[1]!r}))")
    card(lab, "FeatureMaps").get_by_role("button", name="Copy as code").click()
    settle(lab)
    assert LAYERS[0] in card(lab, "Histogram").get_by_role("alert").inner_text()
    assert lab.page.locator(".aw-explorer").locator(INJECTED).count() == 0
    assert lab.page.locator(".aw-explorer, .aw-card").evaluate_all(TOO_WIDE) == []


def test_views_in_other_cells_stay_linked(lab: Lab):
    lab.show(
        """
import act_widgets as aw
model, images, labels = aw.samples.digits()
class ex: session = aw.Session(model, images, labels=labels); selection = session.selection
aw.ChannelView(ex.session)
""",
        "aw.LayerPicker(ex.session)",
        "aw.ClassSelector(ex.session)",
        "aw.AttributionView(ex.session)",
        "aw.GraphView(ex.session)",
    )
    settle(lab)
    before = {name: lab.pixels(canvas(lab, name)) for name in ("ChannelView", "AttributionView")}
    pick_layer(lab, "block1_relu")
    for name, picture in before.items():
        lab.until(
            lambda name=name, picture=picture: not np.array_equal(lab.pixels(canvas(lab, name)), picture)
        )
    assert_channel_view_is_true(lab)


def test_a_callback_that_raises_shows_its_error_and_the_next_click_works(page: Lab):
    lab = page
    lab.python(
        """
def complain(change):
    if change["new"] == "block2_add":
        raise RuntimeError("planted <b>fault</b>")
ex.selection.observe(complain, names="layer")
"""
    )
    pick_layer(lab, "block2_add")
    alert = lab.page.locator(".aw-alert")
    alert.wait_for()
    assert "planted <b>fault</b>" in alert.inner_text()
    assert alert.get_attribute("role") == "alert"
    pick_layer(lab, "block2_relu2")
    alert.wait_for(state="detached")
    assert lab.value("ex.selection.layer") == "block2_relu2"
    assert_channel_view_is_true(lab)


def test_nested_and_subclassed_models_are_explored_to_their_innermost_layers(lab: Lab):
    lab.set_viewport(1600, 1600)
    lab.show(
        """
import keras, numpy as np, tensorflow as tf, act_widgets as aw
keras.utils.set_random_seed(0)
shape = (96, 96, 3)
backbone = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=shape, name="backbone")
inputs = keras.Input(shape)
x = keras.layers.GlobalAveragePooling2D()(backbone(inputs))
model = keras.Model(inputs, keras.layers.Dense(4, activation="softmax", name="head")(x))
images = np.random.default_rng(0).random((2, 96, 96, 3), np.float32)
ex = aw.explore(model, images)
ex
"""
    )
    settle(lab)
    group = card(lab, "GraphView").get_by_role("button", name="backbone")
    group.first.click()
    inner = card(lab, "GraphView").get_by_role("button", name="Conv1")
    inner.first.wait_for()
    pick_layer(lab, "block_1_expand_relu")
    lab.until(lambda: lab.value("ex.selection.layer") == "backbone/block_1_expand_relu")
    assert_channel_view_is_true(lab)
    lab.show(
        """
class Block(keras.layers.Layer):
    def __init__(self):
        super().__init__(name="block")
        self.first = keras.layers.Conv2D(6, 3, padding="same", name="first")
        self.second = keras.layers.Conv2D(6, 3, padding="same", name="second")
    def call(self, x):
        x = tf.nn.relu(self.first(x))
        return x + self.second(x)
class Own(keras.Model):
    def __init__(self):
        super().__init__(name="own")
        self.block, self.head = Block(), keras.layers.Dense(3, name="head")
    def call(self, x):
        return self.head(tf.reduce_mean(self.block(x), [1, 2]))
model = Own()
images = np.random.default_rng(0).random((2, 24, 24, 3), np.float32)
ex = aw.explore(model, images, layer="block/second")
ex
"""
    )
    settle(lab)
    inner = ["block/first", "block/~relu", "block/second", "block", "~reduce_mean", "head"]
    assert lab.value("ex.session.layers") == inner
    assert lab.page.locator(".aw-alert").count() == 0
    drawn = lab.pixels(canvas(lab, "FeatureMaps"))
    assert len(np.unique(drawn.reshape(-1, 4), axis=0)) > 50


def test_keys_choose_in_a_list_that_is_shown_without_anything_else(lab: Lab):
    lab.show(
        """
import act_widgets as aw
model, images, labels = aw.samples.digits()
class ex: session = aw.Session(model, images[:2], labels=labels); selection = session.selection
aw.MethodPicker(ex.session)
"""
    )
    settle(lab)
    choices = card(lab, "MethodPicker").locator("select").first
    choices.focus()
    for key, method in (("ArrowDown", "grad_cam_pp"), ("ArrowUp", "grad_cam"), ("End", "rise")):
        lab.page.keyboard.press(key)
        lab.until(lambda method=method: lab.value("ex.selection.method") == method)
    assert choices.evaluate("list => list === document.activeElement")
