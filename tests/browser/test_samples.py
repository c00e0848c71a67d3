"""The samples of a batch in JupyterLab: a page of thumbnails, by keys and by clicks."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import expect

from tests.browser.digits import card, settle
from tests.browser.lab import Lab
from tests.browser.test_explorer import click_on_canvas

MANY = """
import act_widgets as aw, numpy as np
model, images, labels = aw.samples.digits()
many = np.concatenate([images] * 13)[:1000]
class ex: session = aw.Session(model, many, labels=labels); selection = session.selection
aw.SamplePicker(ex.session)
"""


def test_a_thousand_samples_are_reached_by_keys_and_a_page_of_them_is_drawn(lab: Lab):
    lab.show(MANY)
    settle(lab)
    picker = card(lab, "SamplePicker")
    canvas, slider = picker.locator("canvas").first, picker.get_by_role("slider", name="Sample")
    expect(picker.locator("canvas")).to_have_count(1)
    lab.until(lambda: lab.pixels(canvas).std() > 20)
    first = lab.pixels(canvas)
    slider.press("End")
    expect(picker.get_by_role("img", name="Sample 999 of 1000, counted from 0", exact=True)).to_be_visible()
    assert lab.value("ex.selection.sample") == 999
    lab.until(lambda: not np.array_equal(lab.pixels(canvas), first))
    assert lab.pixels(canvas).shape[0] == 72  # four of them: one row
    click_on_canvas(lab, "SamplePicker", 76 + 30, 30)
    expect(picker).to_contain_text("997 of 1000")
    slider.press("Home")
    expect(picker).to_contain_text("0 of 1000")
    lab.until(lambda: np.array_equal(lab.pixels(canvas), first))
    lab.check()
