"""The explorer in Notebook 7 and in Voila: drawn, and every choice followed, as in JupyterLab."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.choices import EVERY_CHOICE
from tests.browser.digits import DIGITS, card, settle
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

# Card and role of a control, a key and the one that goes back, and what they choose.
KEYS = (
    ("ChannelSlider", "slider", "ArrowRight", "ArrowLeft", "ex.selection.channel"),
    ("ChannelSlider", "combobox", "ArrowDown", "ArrowUp", "ex.selection.order"),
    ("SamplePicker", "slider", "ArrowUp", "ArrowDown", "ex.selection.sample"),
    ("Projection", "slider", "PageDown", "PageUp", "ex.selection.sample"),
    ("AttributionView", "slider", "ArrowLeft", "ArrowRight", "ex.views.attribution.opacity"),
    ("MethodPicker", "combobox", "ArrowDown", "ArrowUp", "ex.selection.method"),
    ("LayerPicker", "tree", "ArrowDown", "ArrowUp", "ex.selection.layer"),
    ("ClassSelector", "tree", "ArrowDown", "ArrowUp", "ex.selection.target"),
)


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


def saves(page: Lab, control: Locator, before: str) -> bool:
    """Whether Ctrl+S saves what was run, while a control has the focus; not while the notebook is saving."""
    control.press("Control+s")
    return page.path.read_text() != before


def keys_kept(control: Locator, keys: list[str]) -> list[str]:
    """Return which keys a control keeps from the notebook."""
    tell = """(element, key) => {
        const options = { key: key.split('+').pop(), shiftKey: key.startsWith('Shift+') };
        const heard = new KeyboardEvent('keydown', { ...options, bubbles: false });
        element.dispatchEvent(heard);
        return element.hasAttribute('data-lm-suppress-shortcuts');
    }"""
    return [key for key in keys if control.evaluate(tell, key)]


@pytest.mark.parametrize("front", ["lab", "notebook7"])
def test_a_control_has_its_keys_and_the_notebook_all_others(front: str, request: pytest.FixtureRequest):
    page: Lab = request.getfixturevalue(front)
    page.set_viewport(1600, 1600)
    page.show(DIGITS, "1")
    page.python("ex.views.projection.method = 'pca'")
    settle(page)
    cells = page.page.locator(".jp-Notebook-cell")
    for name, role, there, back, chosen in KEYS:
        control = card(page, name).get_by_role(role).first
        before = page.value(chosen)
        control.press(there)
        page.until(lambda chosen=chosen, before=before: page.value(chosen) != before)
        control.press(back)
        page.until(lambda chosen=chosen, before=before: page.value(chosen) == before)
        expect(control).to_be_focused()
        settle(page)

    graph = card(page, "GraphView")
    graph.get_by_role("button", pressed=True).focus()
    page.page.keyboard.press("ArrowDown")
    page.page.keyboard.press("Enter")
    page.until(lambda: page.value("ex.selection.layer") != "block1_relu")
    page.until(lambda: graph.get_by_role("button", pressed=True).evaluate("e => e.matches(':focus')"))
    assert cells.count() == 2

    for name, role in (("ChannelSlider", "slider"), ("ChannelSlider", "combobox"), ("LayerPicker", "tree")):
        control = card(page, name).get_by_role(role).first
        page.run(1)
        before = page.path.read_text()
        control.press("ArrowDown")
        page.until(lambda control=control, before=before: saves(page, control, before))

    assert keys_kept(control, ["ArrowDown", "d", "Enter"]) == ["ArrowDown", "d", "Enter"]
    assert keys_kept(control, ["F1", "Escape", "Tab", "Shift+Enter"]) == []
    prompt = cells.first.locator(".jp-InputPrompt").first
    before = prompt.inner_text()
    control.press("Shift+Enter")
    expect(prompt).not_to_have_text(before)


def test_voila_follows_every_choice(server: JupyterServer, browser: Browser):
    voila = Voila(server, browser, DIGITS, drawn=".aw-explorer")
    assert_every_choice_is_followed(voila)
    voila.close()
