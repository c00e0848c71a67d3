"""The explorer in Notebook 7 and in Voila: drawn, and every choice followed, as in JupyterLab."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Browser, expect

from tests.browser.choices import EVERY_CHOICE
from tests.browser.digits import DIGITS, settle
from tests.browser.front import Front
from tests.browser.lab import Lab
from tests.browser.server import JupyterServer
from tests.browser.test_explorer import (
    CANVASES,
    assert_channel_view_is_true,
    pick_layer,
    pictures,
    settled_pictures,
)
from tests.browser.voila import Voila


def assert_every_choice_is_followed(front: Front) -> None:
    settle(front)
    assert_channel_view_is_true(front)
    for choose in EVERY_CHOICE:
        choose(front)
    expect(front.page.locator(".aw-explorer-head")).to_contain_text("1 forward pass")
    assert front.page.locator(".aw-alert").count() == 0
    front.check()


def test_notebook_7_follows_every_choice_and_draws_all_again_after_a_reload(notebook7: Lab):
    notebook7.set_viewport(1600, 1600)
    notebook7.show(DIGITS)
    assert_every_choice_is_followed(notebook7)

    before = settled_pictures(notebook7)
    notebook7.reload()
    settle(notebook7)
    for name in CANVASES:
        notebook7.until(lambda name=name: np.array_equal(pictures(notebook7)[name], before[name]))
    pick_layer(notebook7, "block1_relu")
    notebook7.until(lambda: notebook7.value("ex.selection.layer") == "block1_relu")
    assert_channel_view_is_true(notebook7)
    notebook7.check()


def test_voila_follows_every_choice(server: JupyterServer, browser: Browser):
    voila = Voila(server, browser, DIGITS, drawn=".aw-explorer")
    assert_every_choice_is_followed(voila)
    voila.close()
