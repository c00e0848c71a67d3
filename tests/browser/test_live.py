"""The explorer in JupyterLab while a `fit` runs in another cell."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import expect

from tests.browser.digits import card, settle
from tests.browser.lab import Lab

ROOT = Path(__file__).resolve().parents[2]
OPEN = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import act_widgets as aw
from tests.fits import LOOKED_AT, Steps, X, Y, network
model = network()
ex = aw.explore(model, LOOKED_AT, layer="conv")
ex
"""
# It goes on until the last sample is chosen in the page.
FIT = """
steps = Steps(lambda: ex.selection.sample == 2)
history = model.fit(X, Y, batch_size=8, epochs=100_000, verbose=0, callbacks=[steps])
"""
ALONE = """
count = len(steps.losses)
alone = Steps(lambda: len(alone.losses) == count)
_ = network().fit(X, Y, batch_size=8, epochs=100_000, verbose=0, callbacks=[alone])
"""


def test_a_training_in_another_cell_is_watched_and_goes_on_as_if_it_were_not(lab: Lab):
    lab.set_viewport(1600, 1600)
    lab.notebook([OPEN, FIT])
    lab.run(0)
    settle(lab)
    # The first message of a page goes to the main thread, and has the front end start a subshell.
    card(lab, "ChannelSlider").get_by_role("slider").press("ArrowRight")
    expect(card(lab, "ChannelView")).to_contain_text("conv · channel 1")
    settle(lab)

    job = lab.start(1)
    head = lab.page.locator(".aw-explorer-head")
    expect(head).to_contain_text("refreshed every ~", timeout=60_000)

    # The picture changes by itself.
    maps = card(lab, "FeatureMaps").locator("canvas").first
    for _ in range(3):
        before = lab.pixels(maps)
        lab.until(lambda before=before: not np.array_equal(lab.pixels(maps), before))

    # Layer and channel are changed meanwhile.
    card(lab, "LayerPicker").get_by_role("treeitem", name="norm ").click()
    expect(card(lab, "ChannelView")).to_contain_text("norm · channel 1")
    card(lab, "ChannelSlider").get_by_role("slider").press("ArrowRight")
    expect(card(lab, "ChannelView")).to_contain_text("norm · channel 2")
    expect(card(lab, "Histogram")).to_contain_text("norm · channel 2")
    expect(head).to_contain_text("refreshed every ~", timeout=60_000)

    for _ in range(2):
        card(lab, "SamplePicker").get_by_role("slider").press("ArrowRight")
    assert lab.finish(job) == []
    settle(lab)
    expect(head).not_to_contain_text("step", timeout=60_000)
    expect(card(lab, "SamplePicker")).to_contain_text("2 of 3")
    assert not lab.value("ex.session.stale")
    assert lab.value("[view._alert.value for view in ex.views if view._alert.value]") == []
    lab.python(ALONE)
    assert lab.value("len(steps.losses)") > 10
    assert lab.value("steps.losses == alone.losses")
    lab.check()


def interrupted(lab: Lab, job: int) -> list[dict[str, Any]]:
    """Press the square button till the cell ends: Python drops an interrupt that meets a finalizer."""
    for _ in range(5):
        lab.interrupt()
        with suppress(TimeoutError):
            return lab.finish(job, 20)
    return lab.finish(job)


def test_an_interrupted_training_leaves_the_explorer_current(lab: Lab):
    lab.notebook([OPEN, FIT])
    lab.run(0)
    settle(lab)
    job = lab.start(1)
    head = lab.page.locator(".aw-explorer-head")
    expect(head).to_contain_text("refreshed every ~", timeout=60_000)
    (told,) = interrupted(lab, job)
    assert told["ename"] == "KeyboardInterrupt"
    expect(head).not_to_contain_text("step", timeout=60_000)
    settle(lab)
    assert not lab.value("ex.session.stale")
    shown = "ex.views.feature_maps._results.latest[1].result.array"
    now = "aw.capture(model, LOOKED_AT, 'conv')['conv'][0].transpose(2, 0, 1)"
    assert lab.value(f"abs({shown} - {now}).max()") < 1e-6
    lab.check()
