"""The points of a batch in JupyterLab: clicks, keys, the pointer, and what is left in the page."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Locator, expect

from tests.browser.digits import card, settle
from tests.browser.hostile import INJECTED
from tests.browser.lab import Lab

BEGIN = """
import act_widgets as aw, numpy as np
model, images, labels = aw.samples.digits()
class ex: session = aw.Session(model, images, labels=labels); selection = session.selection
ex.selection.layer = "gap"
"""
VIEW = "view = aw.Projection(ex.session); view"
PLACES = "np.frombuffer(view._scatter.places, '<f4').reshape(-1, 2)"


def points(lab: Lab) -> Locator:
    return card(lab, "Projection").locator("canvas.aw-points")


def stage(lab: Lab) -> Locator:
    return card(lab, "Projection").get_by_role("slider", name="Sample, by its point")


def at(lab: Lab, sample: int) -> dict[str, float]:
    """Return where a sample's point lies on the canvas, in pixels of the page."""
    x, y = np.array(lab.value(PLACES))[sample] * points(lab).bounding_box()["width"] / 560
    return {"x": float(x), "y": float(y)}


def lonely(lab: Lab) -> int:
    """Return the sample that is farthest from its nearest neighbour."""
    places = np.array(lab.value(PLACES))
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    return int(apart.min(1)[1:].argmax()) + 1


def colour_at(lab: Lab, place: dict[str, float], dx: float = 0) -> tuple[int, ...]:
    canvas = points(lab)
    drawn = lab.pixels(canvas)
    scale = drawn.shape[1] / canvas.bounding_box()["width"]
    return tuple(drawn[round(place["y"] * scale), round((place["x"] + dx) * scale)].tolist())


def test_a_click_selects_the_sample_in_every_view(lab: Lab):
    lab.show(BEGIN, VIEW, "aw.SamplePicker(ex.session)", "aw.Predictions(ex.session)")
    settle(lab)
    sample = lonely(lab)
    place = at(lab, sample)
    kind = lab.value(f"np.frombuffer(view._scatter.kinds, '<u2')[{sample}]")
    mark = tuple(bytes.fromhex(lab.value(f"view._scatter.marks[{kind}][0][1:]")))
    lab.until(lambda: colour_at(lab, place)[:3] == mark)
    assert colour_at(lab, place, 9.5)[:3] != (213, 94, 0)
    points(lab).click(position=place)
    settle(lab)
    assert lab.value("ex.selection.sample") == sample
    expect(card(lab, "SamplePicker")).to_contain_text(f"{sample} of 80")
    # A ring is around it.
    lab.until(lambda: colour_at(lab, place, 9.5)[:3] == (213, 94, 0))
    expect(stage(lab)).to_have_attribute("aria-valuenow", str(sample))
    points(lab).click(position={"x": 3, "y": 3})
    settle(lab)
    assert lab.value("ex.selection.sample") == sample


def test_keys_go_from_point_to_point(lab: Lab):
    lab.show(BEGIN, VIEW)
    settle(lab)
    places = np.array(lab.value(PLACES))
    stage(lab).focus()
    # The least is reached from anywhere: each press goes to the left.
    lefts = [lab.value("ex.selection.sample")]
    for _ in range(80):
        lab.page.keyboard.press("ArrowLeft")
        settle(lab)
        lefts.append(lab.value("ex.selection.sample"))
        if lefts[-1] == lefts[-2]:
            break
    assert (np.diff(places[lefts[:-1], 0]) < 0).all()
    assert lefts[-1] == places[:, 0].argmin()
    for key, sample in {"Home": 0, "PageDown": 1, "End": 79, "PageUp": 78}.items():
        lab.page.keyboard.press(key)
        lab.until(lambda sample=sample: lab.value("ex.selection.sample") == sample)
    lab.page.keyboard.press("ArrowUp")
    lab.until(lambda: lab.value("ex.selection.sample") != 78)
    assert places[lab.value("ex.selection.sample"), 1] < places[78, 1]
    label = lab.value("ex.session.class_name(ex.session.top_class(ex.selection.sample))")
    expect(stage(lab)).to_have_attribute(
        "aria-valuetext", f"sample {lab.value('ex.selection.sample')}, {label}"
    )
    # JupyterLab took none of them: the same cell is still the active one, and no cell is added.
    assert lab.page.locator(".jp-Notebook-cell").count() == 2


def test_the_pointer_shows_the_sample_that_it_is_at(lab: Lab):
    lab.show(BEGIN, VIEW)
    settle(lab)
    sample = lonely(lab)
    tip = card(lab, "Projection").locator(".aw-scatter-tip")
    expect(tip).to_be_hidden()
    points(lab).hover(position=at(lab, sample))
    expect(tip).to_contain_text(f"sample {sample} · ")
    expect(tip.locator("img")).to_be_visible()
    lab.until(lambda: tip.locator("img").evaluate("e => e.naturalWidth") == 96)
    points(lab).hover(position={"x": 3, "y": 3})
    expect(tip).to_be_hidden()


def test_other_points_leave_nothing_in_the_page(lab: Lab):
    lab.show(BEGIN, VIEW)
    settle(lab)
    # The card's own, and what might hang beside JupyterLab's parts, whose number changes with its state.
    ours = "() => document.querySelectorAll('.jp-OutputArea-output *, body > *').length"
    counts = []
    for layer in (1, 9) * 3:
        lab.python(f"ex.selection.layer = ex.session.layers[{layer}]; view.thumbnails = True")
        settle(lab)
        counts.append(lab.page.evaluate(ours))
    assert counts[:2] == counts[4:], counts
    assert points(lab).count() == 1


def test_a_method_is_chosen_and_stopped_in_the_page(lab: Lab):
    lab.show(BEGIN + "import numpy as np\nex.session.inputs = np.tile(images, (12, 1, 1, 1))", VIEW)
    settle(lab)
    own = card(lab, "Projection")
    before = lab.value(PLACES)
    own.get_by_role("button", name="t-SNE").click()
    own.get_by_role("button", name="Stop").click()
    expect(own).to_contain_text("Stopped: projecting the batch")
    own.get_by_role("button", name="PCA").click()
    settle(lab)
    expect(own).to_contain_text("PCA of 960 samples")
    np.testing.assert_array_equal(lab.value(PLACES), before)
    expect(own.get_by_role("button", name="PCA")).to_have_attribute("aria-pressed", "true")
    expect(own.get_by_role("button", name="t-SNE")).to_have_attribute("aria-pressed", "false")


def test_names_that_are_hostile_stay_text_and_in_the_card(lab: Lab):
    lab.show(
        BEGIN,
        "view = aw.Projection(ex.session, classes=['<img src=x onerror=hostile()>', 'W' * 300] * 40); view",
    )
    settle(lab)
    own = card(lab, "Projection")
    expect(own).to_contain_text("<img src=x onerror=hostile()>")
    assert own.locator(INJECTED).count() == 0
    assert own.evaluate("e => e.scrollWidth <= e.clientWidth")
    points(lab).hover(position=at(lab, lonely(lab)))
    expect(own.locator(".aw-scatter-tip img")).to_be_visible()
    assert own.locator(INJECTED).count() == 0


def test_the_explorer_opens_it_by_a_click(page: Lab):
    lab = page
    own = card(lab, "Projection")
    expect(own.locator("canvas")).to_be_hidden()
    own.get_by_role("button", name="PCA").click()
    expect(points(lab)).to_be_visible()
    expect(own).to_contain_text("PCA of 80 samples")
    lab.until(lambda: lab.pixels(points(lab))[..., 3].max() == 255)
    own.get_by_role("button", name="PCA").click()
    expect(own.locator("canvas")).to_be_hidden()
