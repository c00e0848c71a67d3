"""Whatever a person clicks, and however fast: in the end every view shows what is chosen."""

from __future__ import annotations

import random

import numpy as np

from tests.browser.digits import settle
from tests.browser.lab import Lab
from tests.browser.test_explorer import CANVASES, assert_channel_view_is_true, pictures, settled_pictures
from tests.soak import TIMES

STEPS = 120 * TIMES
KEYS = ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown")
WORDS = ("", "conv", "relu", "block1", "block2 add", "nothing of the kind")
# What can be chosen, and how a person does it. Play goes on by itself, so it is left out.
KINDS = {
    "select:not([disabled])": "choose",
    ".aw-choice": "click",
    ".aw-choices-list, .noUi-handle": "press",
    "canvas": "click",
    ".aw-GraphView g[role=button]": "click",
    ".widget-toggle-buttons button, .widget-toggle-button, .aw-choices-step": "click",
    ".aw-choices-search": "type",
    "input[type=checkbox], .aw-range button:not([disabled])": "click",
    ".aw-range input": "press",
    ".aw-Histogram .selector .overlay": "drag",
}

# Finds one of the visible controls; the page may take it away before the next message arrives. A list's
# entry is chosen at once, by the event that the browser sends for it.
FIND = """([selector, share, entry]) => {
    const all = [...document.querySelector(".aw-explorer").querySelectorAll(selector)];
    const seen = all.filter(one => one.checkVisibility());
    const one = seen[Math.floor(share * seen.length)];
    if (!one) return null;
    one.scrollIntoView({block: "nearest"});
    one.focus?.();
    if (one.tagName === "SELECT") {
        one.selectedIndex = Math.floor(entry * one.options.length);
        one.dispatchEvent(new Event("change", {bubbles: true}));
    }
    const {x, y, width, height} = one.getBoundingClientRect();
    return {x, y, width, height};
}"""

# What each view shows, and what it should: the selection and the view's own controls decide it. Where "Stop"
# was pressed, the card says that something is yet to come.
AGREES = """{
    type(view).__name__: (
        view._shown == (view.session.version, view.key(), view.look())
        or bool(view._stop.value and view._busy.value),
        view._alert.value,
        repr((view._shown, view._wanted, view.look(), view._stop.value, view._busy.value)),
    )
    for view in ex.views
}"""


def test_many_choices_in_a_row_leave_every_view_agreeing_with_the_selection(page: Lab):
    lab, chance = page, random.Random(0)
    used = [choose_something(lab, chance) for _ in range(STEPS)]
    assert used.count(True) > 0.8 * STEPS
    settle(lab)
    told = lab.value(AGREES)
    assert [(name, found) for name, (agrees, _, found) in told.items() if not agrees] == []
    assert not any(alert for _, alert, _ in told.values()), told
    lab.check()

    # What was drawn step by step is what is drawn at once.
    before = settled_pictures(lab)
    lab.reload()
    settle(lab)
    for name in CANVASES:
        lab.until(lambda name=name: np.array_equal(pictures(lab)[name], before[name]))

    # And it is what the model computed.
    lab.python("ex.selection.layer = 'block1_relu'; ex.views.channel_view._way.value = 'alone'")
    lab.python("del ex.session.axes['block1_relu']; ex.selection.value_range = None")
    settle(lab)
    assert_channel_view_is_true(lab)


def choose_something(lab: Lab, chance: random.Random) -> bool:
    """Use some control as a person would, and go on at once; return whether there was one."""
    selector, way = chance.choice(list(KINDS.items()))
    place = lab.page.evaluate(FIND, [selector, chance.random(), chance.random()])
    if place is None:
        return False
    if way == "press":
        lab.page.keyboard.press(chance.choice(KEYS))
    elif way == "type":
        lab.page.keyboard.press("Control+A")
        lab.page.keyboard.insert_text(chance.choice(WORDS))
    elif way == "click":
        lab.page.mouse.click(*point_in(place, chance))
    elif way == "drag":
        lab.page.mouse.move(*point_in(place, chance))
        lab.page.mouse.down()
        lab.page.mouse.move(*point_in(place, chance), steps=4)
        lab.page.mouse.up()
    return True


def point_in(place: dict[str, float], chance: random.Random) -> tuple[float, float]:
    return place["x"] + chance.random() * place["width"], place["y"] + chance.random() * place["height"]
