"""A recording in JupyterLab: the slider, the keys, play and the question move what a reader sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, expect

from tests.browser.digits import card, settle
from tests.browser.lab import Lab
from tests.browser.test_accessibility import assert_clean
from tests.browser.test_explorer import cells, expected_colours

ROOT = Path(__file__).resolve().parents[2]
RECORDED = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import act_widgets as aw
from tests.recordings import stripes
made = stripes()
ex = aw.explore(made.recording(), layer="conv")
ex
"""
TRUTH = (
    "aw.capture(made.at(ex.session.step), made.probe)['conv']"
    "[ex.selection.sample, ..., ex.selection.channel].tolist()"
)


@pytest.fixture
def page(lab: Lab) -> Lab:
    lab.set_viewport(1600, 1600)
    lab.show(RECORDED)
    settle(lab)
    return lab


def handle(lab: Lab) -> Locator:
    return card(lab, "StepSlider").get_by_role("slider", name="Step", exact=True)


def until_step(lab: Lab, step: int) -> None:
    lab.until(lambda: lab.value("ex.session.step") == step)
    expect(card(lab, "StepSlider").locator(".aw-note")).to_contain_text(f"step {step} · epoch")


def assert_map_is_true(lab: Lab) -> None:
    """The large map holds, cell for cell, the colours of what the model computed at the step."""
    values = np.array(lab.value(TRUTH))
    wanted = expected_colours(values) if values.any() else None
    canvas = card(lab, "ChannelView").locator("canvas").first

    def agrees() -> bool:
        drawn = cells(lab.pixels(canvas), values.shape)
        if wanted is None:
            return len(np.unique(drawn.reshape(-1, 3), axis=0)) == 1
        return bool(np.abs(drawn - wanted).max() <= 2)

    lab.until(agrees)


def test_keys_buttons_and_play_move_every_view(page: Lab):
    lab = page
    lab.python("ex.selection.channel = 1")
    until_step(lab, 50)
    assert_map_is_true(lab)
    handle(lab).press("ArrowLeft")
    until_step(lab, 40)
    assert_map_is_true(lab)
    handle(lab).press("Home")
    until_step(lab, 0)
    assert_map_is_true(lab)
    back = card(lab, "StepSlider").get_by_role("button", name="previous step")
    expect(back).to_be_disabled()
    card(lab, "StepSlider").get_by_role("button", name="next step").click()
    until_step(lab, 10)
    back.click()
    until_step(lab, 0)
    card(lab, "StepSlider").get_by_role("button", name="Step: play").click()
    until_step(lab, 50)
    assert_map_is_true(lab)
    top = lab.value("float(made.at(50)(made.probe[:1])[0].numpy().max())")
    expect(card(lab, "Predictions")).to_contain_text(f"{top:.1%}")


def test_the_question_leads_to_the_step_and_says_so(page: Lab):
    lab = page
    lab.python("ex.selection.channel = 2")
    settle(lab)
    card(lab, "StepChart").get_by_role("button", name="When did this channel die?").click()
    until_step(lab, 30)
    expect(card(lab, "StepChart").get_by_role("status")).to_have_text(
        "Channel 2 died at step 30 (between 20 and 30)."
    )
    assert_map_is_true(lab)
    handle(lab).press("ArrowLeft")
    until_step(lab, 20)
    assert_map_is_true(lab)
    assert np.array(lab.value(TRUTH)).any()


def test_the_chart_tells_values_under_the_pointer_and_its_mark_moves(page: Lab):
    lab = page
    chart = card(lab, "StepChart").locator(".bqplot.figure")
    box = chart.bounding_box()
    assert box is not None
    lab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    caption = card(lab, "StepChart").locator(".aw-caption").first
    expect(caption).to_contain_text("mean")
    expect(caption).to_contain_text("step")
    before = chart.screenshot()
    handle(lab).press("Home")
    until_step(lab, 0)
    lab.until(lambda: chart.screenshot() != before)


def test_after_a_reload_it_stands_where_it_stood_and_goes_on(page: Lab):
    lab = page
    handle(lab).press("Home")
    until_step(lab, 0)
    lab.reload()
    until_step(lab, 0)
    assert_map_is_true(lab)
    handle(lab).press("ArrowRight")
    until_step(lab, 10)
    assert_map_is_true(lab)


def test_a_saved_notebook_keeps_a_picture(page: Lab):
    lab = page
    with lab.expect_error("model not found"):
        lab.reopen()
    lab._allowed.append("Error displaying widget")
    expect(lab.output().locator(".aw-still img")).to_be_visible()


def test_nothing_is_wrong_with_an_explorer_of_a_recording(page: Lab):
    lab = page
    lab.python("ex.selection.channel = 3")
    card(lab, "StepChart").get_by_role("button", name="When did this channel die?").click()
    settle(lab)
    assert_clean(lab)
