"""Attribution in real JupyterLab: methods, slow work that is led by its button, checks, and a reload."""

from __future__ import annotations

import re

import numpy as np
from playwright.sync_api import Locator, expect

from tests.browser.digits import BUSY, card, settle
from tests.browser.lab import Lab

# A forward pass takes some 50 ms for each sample, by 2.4 billion additions.
SLOW = """
import keras, numpy as np, threading, act_widgets as aw
keras.utils.set_random_seed(3)
image = keras.Input((32, 32, 1))
y = image
for name in ("wide", "heavy", "last"):
    y = keras.layers.Conv2D(256, 3, padding="same", activation="relu", name=name)(y)
y = keras.layers.GlobalAveragePooling2D()(y)
model = keras.Model(image, keras.layers.Dense(4, activation="softmax")(y))
ex = aw.explore(model, np.random.default_rng(0).random((2, 32, 32, 1), np.float32))
pressed = threading.Event()
ex.views.attribution._stop.observe(lambda change: pressed.set(), "value")
ex
"""
# Its main thread waits, as in training: only a subshell can bring what is pressed meanwhile.
WAITS = "pressed.clear(); print('waiting'); print('stopped' if pressed.wait(60) else 'nobody pressed')"
TITLES = (
    "Grad-CAM",
    "Grad-CAM++",
    "LayerCAM",
    "Score-CAM",
    "Saliency",
    "Gradient × input",
    "SmoothGrad",
    "Integrated gradients",
    "Guided backprop",
    "Deconvnet",
    "Occlusion",
    "RISE",
)
CHECKS = ("Curves", "Shuffled weights", "Another class", "Completeness")


def pixels(lab: Lab, name: str) -> np.ndarray:
    return lab.pixels(card(lab, name).locator("canvas.aw-canvas"))


def methods(lab: Lab) -> Locator:
    return card(lab, "MethodPicker").get_by_label("Method", exact=True)


def wait_other(lab: Lab, name: str, before: np.ndarray) -> np.ndarray:
    """Wait until a card shows another picture than `before`, and return it."""
    lab.until(lambda: not np.array_equal(pixels(lab, name), before))
    return pixels(lab, name)


def progress(lab: Lab) -> int:
    bar = card(lab, "AttributionView").get_by_role("progressbar")
    return int(bar.get_attribute("aria-valuenow") or 0)


def curves(lab: Lab) -> list[str]:
    """Return the paths of the lines; those of the legend are shorter."""
    lines = card(lab, "TrustPanel").locator("svg path.line")
    paths = lines.evaluate_all("all => all.map(line => line.getAttribute('d') || '')")
    return [path for path in paths if len(re.findall("[ML]", path)) == 21]


def maps_of(lab: Lab) -> list[np.ndarray]:
    """Return the three maps of the panel that lie side by side."""
    return [part[..., :3] for part in np.array_split(pixels(lab, "TrustPanel")[:, :564], 3, axis=1)]


def test_every_method_is_chosen_by_the_arrow_keys_and_drawn(page: Lab):
    lab = page
    caption = card(lab, "AttributionView").locator(".aw-caption")
    offered = [words.replace("\xa0", " ") for words in methods(lab).locator("option").all_inner_texts()]
    assert offered == list(TITLES)
    picture = pixels(lab, "AttributionView")
    methods(lab).focus()
    for title in TITLES[1:]:
        lab.page.keyboard.press("ArrowDown")
        expect(caption).to_contain_text(f"{title} at '")
        picture = wait_other(lab, "AttributionView", picture)
        settle(lab)
        both_signs = title in ("Gradient × input", "Integrated gradients", "Occlusion")
        assert card(lab, "AttributionView").locator(".aw-bar-zero").count() == both_signs
        expect(methods(lab)).to_be_focused()
    expect(card(lab, "MethodPicker").get_by_label("masks")).to_have_value("2000")

    # A parameter, typed in.
    masks = card(lab, "MethodPicker").get_by_label("masks")
    masks.fill("40")
    masks.press("Enter")
    picture = wait_other(lab, "AttributionView", picture)
    assert lab.value("dict(ex.selection.parameters)['masks']") == 40
    settle(lab)

    # The page has no time for the many pictures on the way, and shows what comes next nevertheless.
    lab.page.evaluate(BUSY, "ex.selection.parameters = (('masks', 2000), ('seed', 1))")
    settle(lab)
    picture = wait_other(lab, "AttributionView", picture)
    methods(lab).select_option(label="Occlusion")
    wait_other(lab, "AttributionView", picture)

    # A bad entry is told in its card, and gone with the next good one.
    expect(card(lab, "MethodPicker").get_by_label("patch")).to_be_visible()
    expect(card(lab, "MethodPicker").get_by_text("the side of a patch in cells")).to_be_visible()
    fill = card(lab, "MethodPicker").get_by_label("fill")
    fill.fill("ink")
    fill.press("Enter")
    expect(card(lab, "MethodPicker").get_by_role("alert")).to_contain_text("Received: fill='ink'")
    fill.fill("0.5")
    fill.press("Enter")
    expect(card(lab, "MethodPicker").get_by_role("alert")).to_have_count(0)
    settle(lab)
    assert lab.value("dict(ex.selection.parameters)['fill']") == 0.5
    assert lab.page.locator(".aw-alert").count() == 0
    lab.check()


def test_checks_show_curves_and_maps_and_are_drawn_again_after_a_reload(page: Lab):
    lab = page
    panel = card(lab, "TrustPanel")
    methods(lab).select_option(label="Integrated gradients")
    settle(lab)
    expect(panel.locator("canvas.aw-canvas")).to_be_hidden()
    for number, name in enumerate(CHECKS, start=1):
        panel.get_by_role("button", name=name, exact=True).click()
        expect(panel.locator(".aw-caption")).to_have_count(number)
    settle(lab)
    lab.until(lambda: len(curves(lab)) == 2)
    expect(panel.locator(".aw-columns span")).to_have_text(
        ["this map", "weights shuffled", re.compile(r".+")]
    )
    # Pictures arrive in the page one by one.
    lab.until(lambda: all(len(np.unique(part.reshape(-1, 3), axis=0)) > 5 for part in maps_of(lab)))
    assert not np.array_equal(maps_of(lab)[0], maps_of(lab)[1])
    maps = pixels(lab, "TrustPanel")
    lab.check()

    # All can be read in a narrow window too: names whole, and the legend beside the lines.
    lab.set_viewport(700, 1600)
    names = panel.locator(".aw-columns span")
    is_whole = "all => all.every(e => e.scrollWidth <= e.clientWidth && e.scrollHeight <= e.clientHeight + 1)"
    assert names.evaluate_all(is_whole)
    legend, chart = (panel.locator(name).bounding_box() or {} for name in (".aw-legend", ".bqplot.figure"))
    assert legend["y"] + legend["height"] <= chart["y"] + 1
    lab.set_viewport(1600, 1600)

    overlay, lines, said = pixels(lab, "AttributionView"), curves(lab), panel.locator(".aw-caption")
    words = said.all_inner_texts()
    lab.reload()
    settle(lab)
    lab.until(lambda: np.array_equal(pixels(lab, "AttributionView"), overlay))
    lab.until(lambda: np.array_equal(pixels(lab, "TrustPanel"), maps))
    lab.until(lambda: len(curves(lab)) == len(lines))
    assert said.all_inner_texts() == words
    panel.get_by_role("button", name="Curves").click()
    expect(said).to_have_count(3)
    lab.check()


def test_slow_work_waits_for_its_start_tells_how_far_it_is_and_is_stopped_while_a_cell_runs(lab: Lab):
    lab.set_viewport(1600, 1600)
    lab.notebook([SLOW, WAITS])
    lab.run(0)
    settle(lab)
    view = card(lab, "AttributionView")
    methods(lab).select_option(label="RISE")
    bar = view.get_by_role("progressbar")
    expect(bar).to_contain_text("2,000 passes of the model")
    assert progress(lab) == 0
    settle(lab)
    runs = lab.value("ex.session.stats()['varied_samples']")
    assert runs <= 16

    first = pixels(lab, "AttributionView")
    # It looks as a button does that can be pressed, not as one that is.
    style = "button => [getComputedStyle(button).backgroundColor, getComputedStyle(button).boxShadow]"
    start, other = (
        view.get_by_role("button", name="Start"),
        card(lab, "ClassSelector").get_by_role("button", name="Explain"),
    )
    assert start.evaluate(style) == other.evaluate(style)
    start.click()
    expect(bar).to_contain_text("of 2000 masks")
    second = wait_other(lab, "AttributionView", first)
    wait_other(lab, "AttributionView", second)

    job = lab.start(1)
    expect(lab.output(1)).to_contain_text("waiting")
    view.get_by_role("button", name="Stop").click()
    expect(view.get_by_role("button", name="Go on")).to_be_visible()
    told = "".join(output.get("text", "") for output in lab.finish(job))
    assert "stopped" in told
    settle(lab)
    words, runs = bar.inner_text(), lab.value("ex.session.stats()['varied_samples']")
    assert re.search(r"\d+ of 2000 masks", words)
    partial = pixels(lab, "AttributionView")
    assert not np.array_equal(partial, first)
    lab.wait_idle()
    assert lab.value("ex.session.stats()['varied_samples']") == runs
    assert bar.inner_text() == words

    view.get_by_role("button", name="Go on").click()
    wait_other(lab, "AttributionView", partial)
    methods(lab).select_option(label="Saliency")
    expect(view.locator(".aw-caption")).to_contain_text("Saliency at '")
    settle(lab)
    expect(bar).to_have_count(0)
    expect(view.get_by_role("button", name="Stop")).to_be_hidden()
    assert lab.page.locator(".aw-alert").count() == 0
    lab.check()
