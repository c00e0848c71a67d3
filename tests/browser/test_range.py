"""A range of values in real JupyterLab: drawn with the mouse, typed, cleared, and seen in the maps."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Locator

from tests.browser.digits import card, settle
from tests.browser.front import Front
from tests.browser.lab import Lab
from tests.browser.test_explorer import canvas, cells, expected_colours, pick_layer, settled_pictures

LABEL = "Light up values "


def draw(lab: Front, start: float, stop: float) -> None:
    """Drag over the histogram, from a share of its width to another."""
    chart = card(lab, "Histogram").locator(".selector .overlay")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    lab.page.mouse.move(box["x"] + start * box["width"], y)
    lab.page.mouse.down()
    lab.page.mouse.move(box["x"] + stop * box["width"], y, steps=8)
    lab.page.mouse.up()
    settle(lab)


def chosen(lab: Front) -> list[float] | None:
    return lab.value("ex.selection.value_range")


def field(lab: Lab, name: str) -> Locator:
    return card(lab, "Histogram").get_by_label(LABEL + name)


def wait_lit(lab: Front) -> np.ndarray:
    """Wait until exactly the numbers in the range have their colours in the large map; return which."""
    numbers = "ex.session.activation(ex.selection.layer)[ex.selection.sample, ..., ex.selection.channel]"
    values, ends = np.array(lab.value(numbers)), chosen(lab)
    inside = np.ones(values.shape, bool) if ends is None else (values >= ends[0]) & (values <= ends[1])
    wanted = expected_colours(values)

    def agrees() -> bool:
        distance = np.abs(cells(lab.pixels(canvas(lab, "ChannelView")), values.shape) - wanted).max(-1)
        return bool((distance[inside] <= 2).all() and (distance[~inside] > 2).all())

    lab.until(agrees)
    return inside


def test_a_range_that_is_dragged_lights_its_values_up_in_every_map(page: Lab):
    lab = page
    lab.python("ex.selection.channel = 9")
    settle(lab)
    passes = lab.value("ex.session.stats()")
    before = settled_pictures(lab)
    high = lab.value("ex.views.histogram._ends[1]")

    draw(lab, 0.25, 0.7)
    low, top = chosen(lab)
    near = 0.02 * high
    assert (low, top) == (pytest.approx(0.25 * high, abs=near), pytest.approx(0.7 * high, abs=near))
    inside = wait_lit(lab)
    assert 0 < inside.sum() < inside.size
    words = f"{inside.sum()} of {inside.size} values in channel 9"
    for name in ("ChannelView", "Histogram"):
        lab.until(lambda name=name: words in card(lab, name).inner_text())
    after = settled_pictures(lab)
    # In the grid, each number of every channel that is not lit is darker, and no other.
    values = np.array(lab.value("ex.session.activation('block1_relu')[0]"))
    for channel in (0, 9, 31):
        x, y, width, height = map(round, lab.value(f"ex.views.feature_maps._grid.box({channel})"))
        was, now = (
            cells(pictures["FeatureMaps"][y : y + height, x : x + width], values.shape[:2])
            for pictures in (before, after)
        )
        lit = (values[..., channel] >= low) & (values[..., channel] <= top)
        inner = np.s_[1:-1, 1:-1]  # a frame may be over the others
        np.testing.assert_array_equal((was == now).all(-1)[inner], lit[inner])
    np.testing.assert_array_equal(before["AttributionView"], after["AttributionView"])
    assert lab.value("ex.session.stats()")["forward_passes"] == passes["forward_passes"]

    # Dragged further, beyond the border: up to the highest value.
    draw(lab, 0.6, 1.2)
    assert chosen(lab)[1] == high
    wait_lit(lab)

    # A page that is loaded anew shows the same.
    now = settled_pictures(lab)
    lab.reload()
    settle(lab)
    lab.until(lambda: np.array_equal(lab.pixels(canvas(lab, "FeatureMaps")), now["FeatureMaps"]))
    assert card(lab, "Histogram").locator(".selector .selection").is_visible()
    assert chosen(lab)[1] == high

    # A click beside the range clears it.
    draw(lab, 0.2, 0.2)
    assert chosen(lab) is None
    wait_lit(lab)
    lab.until(lambda: np.array_equal(lab.pixels(canvas(lab, "FeatureMaps")), before["FeatureMaps"]))
    lab.check()


def test_another_layer_lets_go_of_the_range(page: Lab):
    lab = page
    draw(lab, 0.3, 0.6)
    assert chosen(lab) is not None
    pick_layer(lab, "block2_relu2")
    settle(lab)
    assert chosen(lab) is None
    assert not card(lab, "Histogram").locator(".selector .selection").is_visible()
    wait_lit(lab)
    draw(lab, 0.3, 0.6)
    wait_lit(lab)
    lab.check()


def test_a_range_is_chosen_and_cleared_by_the_keyboard_alone(page: Lab):
    lab, keys = page, page.page.keyboard
    low, high = field(lab, "from"), field(lab, "to")
    clear = card(lab, "Histogram").get_by_role("button", name="Clear")
    ends, step = lab.value("ex.views.histogram._ends"), lab.value("ex.views.histogram._range.step")
    assert clear.is_disabled()
    low.focus()
    keys.press("PageUp")
    keys.press("ArrowUp")
    keys.press("ArrowUp")
    lab.until(lambda: chosen(lab) == [pytest.approx(ends[0] + 12 * step), ends[1]])
    keys.press("Tab")
    assert high.evaluate("box => box === document.activeElement")
    assert high.evaluate("box => getComputedStyle(box).outlineStyle") == "solid"
    keys.press("Control+A")
    keys.type("0.75")
    keys.press("Enter")
    lab.until(lambda: chosen(lab) == [pytest.approx(ends[0] + 12 * step), 0.75])
    settle(lab)
    wait_lit(lab)
    brush = card(lab, "Histogram").locator(".selector .selection")
    assert brush.is_visible()

    # Fields the wrong way round are told of, and mended.
    keys.press("Control+A")
    keys.type("-5")
    keys.press("Enter")
    card(lab, "Histogram").get_by_role("alert").wait_for()
    assert chosen(lab)[1] == 0.75
    keys.press("Control+A")
    keys.type("0.5")
    keys.press("Enter")
    card(lab, "Histogram").get_by_role("alert").wait_for(state="detached")
    lab.until(lambda: chosen(lab)[1] == 0.5)

    keys.press("Tab")
    assert clear.evaluate("button => button === document.activeElement")
    keys.press("Enter")
    lab.until(lambda: chosen(lab) is None)
    settle(lab)
    assert low.input_value() == high.input_value() == ""
    assert not brush.is_visible()

    # Escape clears, in a field and after a drag.
    high.focus()
    keys.press("ArrowDown")
    lab.until(lambda: chosen(lab) is not None)
    keys.press("Escape")
    lab.until(lambda: chosen(lab) is None)
    draw(lab, 0.3, 0.6)
    assert chosen(lab) is not None
    keys.press("Escape")
    lab.until(lambda: chosen(lab) is None)
    lab.check()


def test_a_range_shows_in_the_line_of_a_sequence(lab: Lab):
    lab.set_viewport(1600, 1600)
    lab.show(
        """
import act_widgets as aw, keras, numpy as np
x = keras.Input((24, 3), name="x")
out = keras.layers.Dense(2)(keras.layers.Flatten()(keras.layers.ReLU(name="relu")(x)))
ex = aw.explore(keras.Model(x, out), np.sin(np.arange(72.0)).reshape(1, 24, 3), layer="relu")
ex
"""
    )
    settle(lab)
    line = card(lab, "ChannelView").locator(".bqplot path.line")
    lit = line.nth(1)
    assert not lit.is_visible()
    colour = line.first.evaluate("path => getComputedStyle(path).stroke")
    draw(lab, 0.4, 1.1)
    lab.until(lambda: lit.is_visible() and lit.get_attribute("d").count("M") > 2)
    assert lit.evaluate("path => getComputedStyle(path).stroke") == colour
    assert line.first.evaluate("path => getComputedStyle(path).stroke") != colour
    draw(lab, 0.1, 0.1)
    lab.until(lambda: not lit.is_visible())
    assert line.first.evaluate("path => getComputedStyle(path).stroke") == colour
    lab.check()
