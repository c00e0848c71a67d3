"""An explorer on the digits, and its cards: what several browser tests begin with."""

from __future__ import annotations

from playwright.sync_api import Locator

from tests.browser.front import Front

DIGITS = """
import act_widgets as aw
model, images, labels = aw.samples.digits()
ex = aw.explore(model, images, labels=labels, layer="block1_relu")
ex
"""
# Runs code in the kernel, and lets the page do nothing else for two seconds meanwhile.
BUSY = """code => {
  testLab.start('execute', { code, expression: null });
  setTimeout(() => { for (const end = performance.now() + 2000; performance.now() < end; ); }, 50);
}"""


def settle(lab: Front) -> None:
    """Wait until the kernel has computed all that was asked for, and the page has drawn it."""
    lab.wait_idle()
    assert lab.value("__import__('act_widgets.widgets.worker', fromlist=['']).worker_of(ex.session).wait()")
    lab.wait_idle()


def card(lab: Front, name: str) -> Locator:
    return lab.page.locator(f".aw-{name}").first
