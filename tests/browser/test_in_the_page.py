"""What the page does by itself: it shows another channel while the kernel takes no part."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import psutil
import pytest

from tests.browser.digits import DIGITS, card, settle
from tests.browser.lab import Lab

DIGITS_OF = DIGITS.replace('layer="block1_relu"', 'layer="block2_relu2"')
NORMALISED = DIGITS.replace('layer="block1_relu"', 'layer="block2_bn2"')
CHANNELS = [4, 5, 6, 9]


@contextmanager
def stopped_kernel(lab: Lab) -> Iterator[None]:
    """Stop the kernel's process: nothing in it runs, nothing answers."""
    kernel = psutil.Process(lab.value("__import__('os').getpid()"))
    kernel.suspend()
    try:
        yield
    finally:
        kernel.resume()


def shown(lab: Lab) -> dict[str, np.ndarray]:
    return {n: lab.pixels(card(lab, n).locator("canvas").first) for n in ("FeatureMaps", "ChannelView")}


def pictures_of(lab: Lab, channels: list[int]) -> list[dict[str, np.ndarray]]:
    """Return what the kernel has the page show for these channels, one by one."""
    found = []
    for channel in channels:
        lab.python(f"ex.selection.channel = {channel}")
        settle(lab)
        is_there = f"ex.views.channel_slider._slider.value == {channel}"
        lab.until(lambda is_there=is_there: lab.value(is_there))
        found.append(drawn(lab))
    return found


def drawn(lab: Lab) -> dict[str, np.ndarray]:
    """Return what is shown once it stays."""
    seen = [shown(lab)]

    def is_quiet() -> bool:
        seen.append(shown(lab))
        return len(seen) > 5 and all(same(seen[-1], before) for before in seen[-6:])

    lab.until(is_quiet)
    return seen[-1]


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("cell", "ground"),
    [(DIGITS_OF, "over the input"), (NORMALISED, "alone")],
    ids=["unsigned over the input", "signed alone"],
)
def test_the_page_shows_another_channel_as_the_kernel_would_while_that_stands_still(lab: Lab, cell, ground):
    lab.show(cell)
    lab.python(f"ex.views.channel_view.ground = {ground!r}")
    wanted = pictures_of(lab, CHANNELS)
    assert not same(wanted[0], wanted[1])
    lab.python(f"ex.selection.channel = {CHANNELS[0]}")
    settle(lab)
    handle = card(lab, "ChannelSlider").locator(".noUi-handle")
    at = CHANNELS[0]
    with stopped_kernel(lab):
        for channel, picture in zip(CHANNELS[1:], wanted[1:], strict=True):
            for _ in range(channel - at):
                handle.press("ArrowRight")
            at = channel
            lab.until(lambda picture=picture: same(shown(lab), picture))
    # It was told all of that, and agrees.
    lab.until(lambda: lab.value("ex.selection.channel") == at)
    settle(lab)
    lab.until(lambda: same(shown(lab), wanted[-1]))


def test_it_knows_the_order_of_the_channels(lab: Lab):
    lab.show(DIGITS_OF)
    lab.python("ex.selection.order = 'max'")
    settle(lab)
    order = lab.value("ex.session.ordered_channels('block2_relu2', 0).channels.tolist()")
    first, second = order[:2]
    lab.python(f"ex.selection.channel = {second}")
    settle(lab)
    wanted = drawn(lab)
    lab.python(f"ex.selection.channel = {first}")
    settle(lab)
    assert not same(drawn(lab), wanted)
    with stopped_kernel(lab):
        card(lab, "ChannelSlider").locator(".noUi-handle").press("ArrowRight")
        lab.until(lambda: same(shown(lab), wanted))
    lab.until(lambda: lab.value("ex.selection.channel") == second)


def test_a_slider_that_is_closed_leads_nothing(lab: Lab):
    lab.show(
        "import act_widgets as aw\n"
        "model, images, labels = aw.samples.digits()\n"
        "session = aw.Session(model, images)\n"
        "ex = type('Ex', (), {'session': session, 'selection': session.selection})\n"
        "session.selection.layer = 'block2_relu2'\n"
        "slider, large = aw.ChannelSlider(session), aw.ChannelView(session)\n"
        "import ipywidgets; ipywidgets.VBox([slider, large, aw.FeatureMaps(session)])"
    )
    settle(lab)
    before = drawn(lab)
    lab.python("slider.close(); session.selection.channel = 3")
    settle(lab)
    lab.until(lambda: not np.array_equal(shown(lab)["ChannelView"], before["ChannelView"]))
    lab.check()
