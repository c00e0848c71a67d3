"""Everything a person can choose in the explorer on the digits, and what each choice changes.

Each function makes one kind of choice as a person would, in whichever front end, and checks what was chosen,
which pictures changed, that the others did not, and, where it can be told from outside, the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from playwright.sync_api import expect

from tests.browser.digits import card, settle
from tests.browser.front import Front
from tests.browser.test_explorer import (
    CANVASES,
    assert_channel_view_is_true,
    canvas,
    click_on_canvas,
    pick_layer,
    settled_pictures,
    shown,
    wait_changed,
)
from tests.browser.test_range import chosen as chosen_range
from tests.browser.test_range import draw, wait_lit

VALUES = "ex.session.activation(ex.selection.layer)[ex.selection.sample]"


@contextmanager
def changes(front: Front, *names: str, stay: Sequence[str] = ()) -> Iterator[None]:
    """Wait for some views to change; see that the pictures of others stay."""
    before, drawn = shown(front), settled_pictures(front) if stay else {}
    yield
    wait_changed(front, before, {*names})
    settle(front)
    now = settled_pictures(front) if stay else {}
    for name in stay:
        np.testing.assert_array_equal(now[name], drawn[name], err_msg=name)


def wait_chosen(front: Front, trait: str, wanted: object) -> None:
    front.until(lambda: front.value(f"ex.selection.{trait}") == wanted)


def choose_a_layer(front: Front) -> None:
    all_of_it = (*CANVASES, "Histogram", "LayerPicker", "GraphView")
    with changes(front, *all_of_it):
        pick_layer(front, "block2_add")
    assert front.value("ex.selection.layer") == "block2_add"
    with changes(front, *all_of_it):
        card(front, "LayerPicker").get_by_role("button", name="Next layer").click()
    assert front.value("ex.selection.layer") == "block2_relu2"
    assert_channel_view_is_true(front)


def choose_a_channel(front: Front) -> None:
    slider = card(front, "ChannelSlider")
    last = len(np.array(front.value(VALUES))[0, 0]) - 1
    of_channel = ("FeatureMaps", "ChannelView", "Histogram", "ChannelSlider")
    for key, channel in (("End", last), ("ArrowLeft", last - 1)):
        with changes(front, *of_channel):
            slider.get_by_role("slider").press(key)
        assert front.value("ex.selection.channel") == channel
        assert_channel_view_is_true(front)
    x, y = front.value(
        "(lambda b: (b.x + b.width / 2, b.y + b.height / 2))(ex.views.feature_maps._grid.box(3))"
    )
    with changes(front, *of_channel):
        click_on_canvas(front, "FeatureMaps", x, y)
    assert front.value("ex.selection.channel") == 3
    assert_channel_view_is_true(front)
    play = slider.locator(".widget-play button").first
    play.click()
    front.until(lambda: front.value("ex.selection.channel") > 3)
    play.click()
    settle(front)


def order_the_channels(front: Front) -> None:
    slider = card(front, "ChannelSlider")
    variances = np.array(front.value(VALUES)).var((0, 1))
    with changes(front, "FeatureMaps"):
        slider.locator("select").select_option(label="variance")
    assert front.value("ex.selection.order") == "variance"
    click_on_canvas(front, "FeatureMaps", 6, 6)  # the first
    wait_chosen(front, "channel", int(variances.argmax()))
    slider.locator("select").select_option(label="index")
    wait_chosen(front, "order", "index")
    slider.get_by_role("button", name="Hide dead").click()
    wait_chosen(front, "hide_dead", True)
    slider.get_by_role("button", name="Hide dead").click()
    wait_chosen(front, "hide_dead", False)
    settle(front)


def choose_a_class(front: Front) -> None:
    target = front.value("ex.session.explained_target(ex.selection.sample)")
    stay = ("FeatureMaps", "ChannelView")
    with changes(front, "AttributionView", "Predictions", "ClassSelector", stay=stay):
        card(front, "ClassSelector").get_by_role("treeitem").nth(4).click()
    chosen = front.value("ex.selection.target")
    assert chosen is not None and chosen != target
    expect(card(front, "AttributionView")).to_contain_text(front.value(f"ex.session.class_name({chosen})"))


def choose_a_sample(front: Front) -> None:
    with changes(front, *CANVASES, "Predictions"):
        click_on_canvas(front, "SamplePicker", 2.5 * 76, 30)
    assert front.value("ex.selection.sample") == 2
    assert_channel_view_is_true(front)


def look_at_the_maps(front: Front) -> None:
    maps = card(front, "FeatureMaps")
    with changes(front, "FeatureMaps", stay=("ChannelView", "AttributionView")):
        maps.get_by_role("button", name="per layer").click()
    with changes(front, "FeatureMaps"):
        maps.locator("select").first.select_option(label="magma")
    values = np.array(front.value(VALUES))[..., 5]
    row, column = np.unravel_index(values.argmax(), values.shape)
    canvas(front, "FeatureMaps").scroll_into_view_if_needed()
    left, top, width, height = front.value("ex.views.feature_maps._grid.box(5)")
    box = canvas(front, "FeatureMaps").bounding_box()
    size = canvas(front, "FeatureMaps").evaluate("c => [c.width, c.height]")
    x = (left + (column + 0.5) * width / values.shape[1]) / size[0]
    y = (top + (row + 0.5) * height / values.shape[0]) / size[1]
    front.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=2)
    expect(maps).to_contain_text(f"channel 5 · row {row}, column {column} · {values.max():.3g}")


def look_at_the_channel(front: Front) -> None:
    view = card(front, "ChannelView")
    with changes(front, "ChannelView", stay=("FeatureMaps", "AttributionView")):
        view.get_by_role("button", name="over the input").click()
    with changes(front, "ChannelView"):
        view.get_by_role("slider", name="Opacity").press("Home")
    assert front.value("ex.views.channel_view.opacity") == 0
    with changes(front, "ChannelView"):
        view.get_by_role("button", name="alone").click()
    assert_channel_view_is_true(front)


def look_at_the_values(front: Front) -> None:
    histogram = card(front, "Histogram")
    for name in ("layer", "log"):
        with changes(front, "Histogram"):
            histogram.get_by_role("button", name=name, exact=True).click()
    with changes(front, "FeatureMaps", "ChannelView", stay=("AttributionView",)):
        draw(front, 0.25, 0.7)
    assert chosen_range(front) is not None
    inside = wait_lit(front)
    assert 0 < inside.sum() < inside.size
    with changes(front, "FeatureMaps", "ChannelView"):
        histogram.get_by_role("button", name="Clear").click()
    assert chosen_range(front) is None


def silence_a_channel(front: Front) -> None:
    layer, channel = front.value("[ex.selection.layer, ex.selection.channel]")
    editor, answer = card(front, "ChannelEditor"), card(front, "Predictions")
    with changes(front, "Predictions"):
        editor.get_by_role("button", name=f"Silence channel {channel}", exact=True).click()
    after = front.value(f"ex.session.edit({layer!r}, [{channel}])[ex.selection.sample].max()")
    expect(answer).to_contain_text(f"{after:.1%}")
    with changes(front, "Predictions"):
        editor.get_by_role("button", name="Undo all").click()
    assert front.value("ex.session.silenced") == []


EVERY_CHOICE = (
    choose_a_layer,
    choose_a_channel,
    order_the_channels,
    choose_a_class,
    choose_a_sample,
    look_at_the_maps,
    look_at_the_channel,
    look_at_the_values,
    silence_a_channel,
)
