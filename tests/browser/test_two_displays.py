"""One explorer shown in two cells: both agree, and both are drawn again whatever happened to the page."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser.digits import DIGITS, settle
from tests.browser.lab import Lab
from tests.browser.test_explorer import CANVASES, assert_channel_view_is_true

NAMES = (*CANVASES, "SamplePicker")


@pytest.fixture
def twice(lab: Lab) -> Lab:
    """A page with one explorer in two cells."""
    lab.set_viewport(1600, 2600)
    lab.show(DIGITS, "ex")
    settle(lab)
    assert lab.page.locator(".aw-explorer").count() == 2
    return lab


def drawn(lab: Lab, cell: int) -> dict[str, np.ndarray]:
    """Return what the canvases of the explorer in a cell show."""
    return {name: lab.pixels(lab.output(cell).locator(f".aw-{name} canvas").first) for name in NAMES}


def words(lab: Lab, cell: int) -> str:
    """Return all words of the explorer in a cell."""
    return lab.output(cell).locator(".aw-explorer").inner_text()


def assert_both_show_what_is_chosen(lab: Lab) -> None:
    settle(lab)

    def agree() -> bool:
        first, second = drawn(lab, 0), drawn(lab, 1)
        return all(np.array_equal(first[name], second[name]) and first[name].std() > 5 for name in NAMES)

    lab.until(agree)
    assert_channel_view_is_true(lab)
    lab.until(agree)
    lab.until(lambda: words(lab, 0) == words(lab, 1))


def choose(lab: Lab, cell: int, layer: str) -> None:
    """Choose a layer in the list of one cell, and the next channel by its slider."""
    lab.output(cell).locator(".aw-LayerPicker").get_by_role("treeitem", name=f"{layer} ").click()
    lab.until(lambda: lab.value("ex.selection.layer") == layer)
    before = lab.value("ex.selection.channel")
    lab.output(cell).locator(".aw-ChannelSlider").get_by_role("slider").press("ArrowRight")
    lab.until(lambda: lab.value("ex.selection.channel") == before + 1)


def test_both_follow_a_choice_in_either(twice: Lab):
    assert_both_show_what_is_chosen(twice)
    for cell, layer in ((0, "block2_relu2"), (1, "stem_relu")):
        choose(twice, cell, layer)
        assert_both_show_what_is_chosen(twice)


@pytest.mark.parametrize("what", ["reload", "reconnect"])
def test_both_are_drawn_again(twice: Lab, what: str):
    choose(twice, 1, "block2_relu2")
    assert_both_show_what_is_chosen(twice)
    getattr(twice, what)()
    twice.wait_drawn()
    assert_both_show_what_is_chosen(twice)
    for cell, layer in ((0, "stem_relu"), (1, "block1_relu")):
        choose(twice, cell, layer)
        assert_both_show_what_is_chosen(twice)
    twice.check()
