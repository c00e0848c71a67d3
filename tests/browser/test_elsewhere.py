"""The explorer in Notebook 7 and in Voila: drawn, and every choice followed, as in JupyterLab."""

from __future__ import annotations

import json

import numpy as np
from playwright.sync_api import Browser, Page, expect

import act_widgets as aw
from tests.browser.digits import DIGITS, card, settle
from tests.browser.lab import EMPTY_NOTEBOOK, PAGE_SECONDS, STATE_SECONDS, Lab, is_allowed, pixels_of
from tests.browser.server import JupyterServer
from tests.browser.test_explorer import (
    CANVASES,
    assert_channel_view_is_true,
    cells,
    click_on_canvas,
    expected_colours,
    pick_layer,
    shown,
    wait_changed,
)


def test_notebook_7_draws_every_view_and_follows_every_choice(notebook7: Lab):
    lab = notebook7
    lab.set_viewport(1600, 1600)
    lab.show(DIGITS)
    settle(lab)
    assert_channel_view_is_true(lab)
    now = shown(lab)
    pick_layer(lab, "block2_relu2")
    now = wait_changed(lab, now, {*CANVASES, "Histogram", "LayerPicker", "GraphView"})
    # Not an arrow: Notebook 7.6 keeps the arrow keys for itself, even while a slider has the focus.
    card(lab, "ChannelSlider").get_by_role("slider").press("End")
    now = wait_changed(lab, now, {"FeatureMaps", "ChannelView", "Histogram", "ChannelSlider"})
    assert lab.value("ex.selection.channel") == lab.value("ex.session.tap('block2_relu2').channels") - 1
    card(lab, "ClassSelector").get_by_role("treeitem").nth(4).click()
    now = wait_changed(lab, now, {"AttributionView", "Predictions", "ClassSelector"})
    click_on_canvas(lab, "SamplePicker", 2.5 * 76, 30)
    wait_changed(lab, now, {*CANVASES, "Predictions"})
    settle(lab)
    assert lab.value("ex.selection.sample") == 2
    assert_channel_view_is_true(lab)


def test_voila_draws_the_maps_that_the_model_computed_and_follows_choices(
    server: JupyterServer, browser: Browser
):
    cell = {"cell_type": "code", "id": "one", "metadata": {}, "outputs": [], "execution_count": None}
    notebook = {**EMPTY_NOTEBOOK, "cells": [{**cell, "source": DIGITS}]}
    (server.notebooks / "app.ipynb").write_text(json.dumps(notebook))
    page = browser.new_page(viewport={"width": 1600, "height": 1600})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{server.url}voila/render/app.ipynb?token={server.token}", timeout=PAGE_SECONDS * 1000)
    page.locator(".aw-explorer").wait_for(timeout=PAGE_SECONDS * 1000)
    model, images, _ = aw.samples.digits()
    activations = aw.capture(model, images[:1])
    wait_for_colours(page, expected_colours(activations["block1_relu"][0, ..., 0]))

    page.locator(".aw-LayerPicker").get_by_role("treeitem", name="block2_relu1 ").click()
    wait_for_colours(page, expected_colours(activations["block2_relu1"][0, ..., 0]))
    page.locator(".aw-ChannelSlider").get_by_role("slider").press("End")
    wait_for_colours(page, expected_colours(activations["block2_relu1"][0, ..., -1]))
    expect(page.locator(".aw-explorer-head")).to_contain_text("1 forward pass")
    assert page.locator(".aw-alert").count() == 0
    page.close()
    assert [error for error in errors if not is_allowed(error)] == []


def wait_for_colours(page: Page, wanted: np.ndarray) -> None:
    """Wait until the large map holds these colours, cell for cell."""
    canvas = page.locator(".aw-ChannelView canvas").first
    for _ in range(60 * STATE_SECONDS):
        if np.abs(cells(pixels_of(canvas), wanted.shape[:2]) - wanted).max() <= 2:
            return
        page.evaluate("() => new Promise(requestAnimationFrame)")
    raise TimeoutError("the large map shows something else")
