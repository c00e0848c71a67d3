"""Everybody can use the cards: axe-core finds nothing in them, and Tab leads everywhere and on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.digits import card, settle
from tests.browser.lab import Lab
from tests.some import some

ROOT = Path(__file__).resolve().parents[2]
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
THEMES = ("light", "dark")

RANKS = f"""
import sys, warnings
sys.path.insert(0, {str(ROOT)!r})
warnings.simplefilter("ignore")
import act_widgets as aw
from tests import ranks
"""
ALONE = """
import act_widgets as aw
model, images, labels = aw.samples.digits()
class ex: session = aw.Session(model, images[:14], labels=labels); selection = session.selection
"""
VIEWS = (
    "AttributionView",
    "ChannelEditor",
    "ChannelSlider",
    "ChannelView",
    "ClassSelector",
    "FeatureMaps",
    "GraphView",
    "Histogram",
    "LayerPicker",
    "MethodPicker",
    "Predictions",
    "Projection",
    "SamplePicker",
    "StepChart",
    "StepSlider",
    "TrustPanel",
)
ALL_CHECKS = "ex.views.trust.checks = ('Curves', 'Shuffled weights', 'Another class', 'Completeness')"

# What can have the focus, in the order of the document. Of the layers in the graph one can.
FOCUSABLE = """() => [...document.querySelectorAll(".aw-explorer, .aw-explorer *")]
    .filter(e => (e.tabIndex >= 0 || e.contentEditable === "true") && !e.disabled)
    .filter(e => e.checkVisibility({visibilityProperty: true}))
    .map(e => (e.dataset.number ??= String(Math.random())))"""
# Where the focus is, and whether it can be seen.
FOCUSED = """() => {
    const e = document.activeElement, style = getComputedStyle(e);
    const ring = e.querySelector(".ring");
    const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
    const drawn = ring && getComputedStyle(ring).visibility === "visible";
    return [e.dataset.number ?? null, Boolean(outlined || drawn), e.outerHTML.slice(0, 200)];
}"""


def violations(lab: Lab, where: str) -> list[str]:
    """Return what axe-core finds against WCAG 2 A and AA inside elements, one line for each place."""
    # JupyterLab's body has no height, and axe-core takes what it holds for invisible.
    lab.page.evaluate("() => { document.body.style.height = '100vh' }")
    found: dict[str, Any] = Axe().run(lab.page, where, {"runOnly": WCAG}).response

    return [
        f"{one['id']}: {node['failureSummary']} {node['html'][:400]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def assert_clean(lab: Lab, where: str = ".aw-explorer") -> None:
    expect(lab.page.locator(where).first).to_be_visible()
    for theme in THEMES:
        lab.set_theme(theme)
        found = violations(lab, where)
        assert not found, "\n".join([theme, *found])


def test_axe_finds_what_is_wrong(lab: Lab):
    lab.show(
        "from IPython.display import HTML; HTML('<p class=mine><button></button></p><p class=mine>'"
        "'<button></button></p><p class=yours><i style=\"color:#eee;background:#fff\">pale</i></p>')"
    )
    found = [line.partition(":")[0] for line in violations(lab, ".mine, .yours")]
    assert found == ["button-name", "button-name", "color-contrast"]


def test_nothing_is_wrong_with_an_explorer_whatever_it_shows(page: Lab):
    lab = page
    assert_clean(lab)
    lab.python(f"{ALL_CHECKS}; ex.session.silenced = ('block1_relu', (1, 2))")
    settle(lab)
    assert_clean(lab)
    # Work that was stopped, parameters of a method, code, and an error.
    lab.python("ex.views.trust.checks = (); ex.selection.method = 'rise'")
    lab.python("ex.selection.parameters = (('masks', 20000),)")
    card(lab, "AttributionView").get_by_role("button", name="Stop").click()
    settle(lab)
    expect(card(lab, "AttributionView").get_by_role("progressbar")).to_be_visible()
    card(lab, "FeatureMaps").get_by_role("button", name="Copy as code").click()
    card(lab, "MethodPicker").get_by_label("cells").fill("3")
    lab.python("ex.views.histogram._show_error(ValueError('planted'))")
    expect(lab.page.get_by_role("alert")).to_be_visible()
    assert_clean(lab)


@pytest.mark.parametrize(
    ("model", "layer"),
    some(
        [
            ("volume()", "conv"),
            ("film()", "convlstm"),
            ("vision_transformer()", "heads"),
            ("recurrent()", "norm"),
        ],
        2,
    ),
)
def test_nothing_is_wrong_with_other_numbers_of_axes(lab: Lab, model: str, layer: str):
    lab.set_viewport(1600, 1600)
    lab.show(RANKS + f"model, x = ranks.{model}\nex = aw.explore(model, x, layer={layer!r})\nex")
    settle(lab)
    assert_clean(lab)


def test_nothing_is_wrong_with_views_that_stand_alone(lab: Lab):
    lab.show(ALONE, *(f"aw.{name}(ex.session)" for name in VIEWS))
    settle(lab)
    for name in VIEWS:
        expect(lab.page.locator(f".aw-{name}").first).to_be_visible()
    assert_clean(lab, ", ".join(f".aw-{name}" for name in VIEWS))


def test_pictures_and_controls_say_what_they_are(page: Lab):
    lab = page
    lab.python("ex.selection.channel = 7")
    settle(lab)
    for name, words in {
        "SamplePicker": "Sample 0 of 80, counted from 0",
        "FeatureMaps": "Feature maps block1_relu · 32 channels of 8 × 8",
        "ChannelView": "Channel map block1_relu · channel 7",
        "AttributionView": "Attribution 0",
        "Histogram": "Histogram block1_relu · channel 7",
    }.items():
        expect(card(lab, name).get_by_role("img", name=words, exact=True)).to_be_visible()
    for name, words in {
        "SamplePicker": "Sample",
        "ChannelSlider": "Channel",
        "AttributionView": "Opacity",
    }.items():
        expect(card(lab, name).get_by_role("slider", name=words, exact=True)).to_be_visible()
    layer = card(lab, "Histogram").get_by_role("button", name="layer")
    expect(layer).to_have_attribute("aria-pressed", "false")
    layer.click()
    expect(layer).to_have_attribute("aria-pressed", "true")
    expect(card(lab, "Histogram").get_by_role("button", name="channel")).to_have_attribute(
        "aria-pressed", "false"
    )
    play = card(lab, "ChannelSlider").get_by_role("button", name="Channel: play")
    play.click()
    card(lab, "ChannelSlider").get_by_role("button", name="Channel: pause").click()
    expect(play).to_be_visible()


def test_tab_leads_through_every_control_from_left_to_right_and_out(page: Lab):
    lab = page
    lab.python(ALL_CHECKS)
    settle(lab)
    wanted = lab.page.evaluate(FOCUSABLE)
    assert len(wanted) > 50
    lab.page.locator(".aw-explorer .aw-code-button").first.focus()
    for key in ("Tab", "Shift+Tab"):  # as the keyboard comes there
        lab.page.keyboard.press(key)
    seen, unseen = [], []
    for _ in range(2 * len(wanted)):
        number, is_seen, html = lab.page.evaluate(FOCUSED)
        if number is None:
            break
        seen.append(number)
        if not is_seen:
            unseen.append(html)
        lab.page.keyboard.press("Tab")
    assert seen == wanted
    assert not unseen, "\n".join(unseen)
    lab.page.keyboard.press("Shift+Tab")
    assert lab.page.evaluate(FOCUSED)[0] == wanted[-1]


def test_a_click_on_a_picture_does_not_catch_the_keys(page: Lab):
    lab = page
    card(lab, "FeatureMaps").locator("canvas").click(position={"x": 100, "y": 100})
    settle(lab)
    lab.page.keyboard.press("Tab")
    assert lab.page.evaluate("() => document.activeElement.tagName") != "CANVAS"
    canvases = card(lab, "FeatureMaps").locator("canvas")
    canvases.first.evaluate("c => c.focus()")
    assert lab.page.evaluate("() => document.activeElement.tagName") != "CANVAS"
