"""A slow model in JupyterLab: the rest of the page answers, and what is stopped stays stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from playwright.sync_api import expect

from tests.browser.digits import DIGITS, card, settle
from tests.browser.lab import Lab

ROOT = Path(__file__).resolve().parents[2]
GATED = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import act_widgets as aw
from tests.gated import Gate, gated
gate = Gate()
model, x = gated(gate)
ex = aw.explore(model, x, layer="first")
ex
"""


def test_the_page_answers_while_the_model_is_slow_and_what_is_stopped_stays_stopped(lab: Lab):
    lab.set_viewport(1600, 1600)
    lab.show(GATED)
    settle(lab)
    answer, rows = card(lab, "Predictions"), card(lab, "Predictions").locator(".aw-rows")
    stop = answer.get_by_role("button", name="Stop")
    before, calls = rows.inner_html(), lab.value("gate.calls")

    lab.python("gate.close()")
    card(lab, "ChannelEditor").get_by_role("button", name="Silence channel 0").click()
    expect(answer.get_by_role("status")).to_contain_text("what lies behind the silenced channels")
    expect(stop).to_be_visible()
    assert lab.value("gate.wait_reached()")

    # Everything else follows meanwhile.
    maps = lab.pixels(card(lab, "FeatureMaps").locator("canvas").first)
    card(lab, "LayerPicker").get_by_role("treeitem", name="last ").click()
    expect(card(lab, "FeatureMaps")).to_contain_text("6 channels of 12 × 12")
    lab.until(lambda: not np.array_equal(lab.pixels(card(lab, "FeatureMaps").locator("canvas").first), maps))
    card(lab, "ChannelSlider").get_by_role("slider").press("ArrowRight")
    expect(card(lab, "ChannelView")).to_contain_text("last · channel 1")
    expect(card(lab, "Histogram")).to_contain_text("last · channel 1")
    card(lab, "SamplePicker").get_by_role("slider").press("ArrowRight")
    expect(card(lab, "SamplePicker")).to_contain_text("1 of 4")
    expect(stop).to_be_visible()

    stop.click()
    expect(answer.get_by_role("status")).to_contain_text("Stopped: what lies behind the silenced channels")
    expect(answer.get_by_role("status")).to_contain_text("belongs to an earlier choice")
    pale = "e => getComputedStyle(e).opacity"
    lab.until(lambda: float(rows.locator(".aw-row-track").first.evaluate(pale)) < 0.5)
    lab.python("gate.open()")
    settle(lab)
    assert rows.inner_html() == before
    # The call that was under way, and none after it: that of the second sample is not begun.
    assert lab.value("gate.calls") == calls + 1

    answer.get_by_role("button", name="Go on").click()
    expect(rows).to_contain_text("after")
    settle(lab)
    expect(answer.get_by_role("status")).to_have_count(0)
    expect(stop).to_be_hidden()
    lab.until(lambda: float(rows.locator(".aw-row-track").first.evaluate(pale)) == 1)
    after = lab.value("ex.session.edit('first', [0])[1].max()")
    expect(rows).to_contain_text(f"{after:.1%}")
    lab.check()


SLOW_EXPORT = """
import threading
pressed = threading.Event()
ex._task._stop.observe(lambda change: pressed.set(), "value")
ex.export_html("stopped.html", on_progress=lambda share, words: pressed.wait(60))
"""


def test_a_page_that_takes_long_to_write_is_stopped_while_its_cell_runs(lab: Lab):
    lab.notebook([DIGITS, SLOW_EXPORT])
    lab.run(0)
    # The first message of a page goes to the main thread, and has the front end start a subshell.
    card(lab, "LayerPicker").get_by_role("treeitem", name="block2_relu1 ").click()
    lab.until(lambda: lab.value("ex.selection.layer") == "block2_relu1")
    settle(lab)
    job = lab.start(1)
    task = lab.page.locator(".aw-task")
    expect(task.get_by_role("progressbar")).to_contain_text("writing stopped.html")
    task.get_by_role("button", name="Stop").click()
    (told,) = lab.finish(job)
    assert (told["ename"], told["evalue"]) == ("KeyboardInterrupt", "Stopped: writing stopped.html.")
    assert lab.value("[path.name for path in __import__('pathlib').Path().glob('*stopped*')]") == []
    expect(task).to_be_hidden()


def test_quick_work_shows_no_button(page: Lab):
    lab = page
    shown = """() => {
        window.stops = 0;
        const look = () => {
            const all = [...document.querySelectorAll(".aw-stop")];
            stops += all.filter(e => e.checkVisibility({visibilityProperty: true})).length;
            requestAnimationFrame(look);
        };
        look();
    }"""
    lab.page.evaluate(shown)
    for _ in range(3):
        card(lab, "ClassSelector").get_by_role("tree").press("ArrowDown")
        settle(lab)
    assert lab.page.evaluate("stops") == 0
