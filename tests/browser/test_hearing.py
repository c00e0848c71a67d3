"""What stands on the page follows the kernel, however late the page came to draw it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.digits import DIGITS, card, settle
from tests.browser.lab import Lab
from tests.browser.server import JupyterServer

# anywidget allows two seconds until a module is loaded; here no time at all.
NO_TIME = """
AbortSignal.timeout = () => {
  const controller = new AbortController();
  queueMicrotask(() => controller.abort());
  return controller.signal;
};
"""


@pytest.fixture
def late(server: JupyterServer, browser: Browser) -> Iterator[Lab]:
    """A page in which every module is loaded too late for anywidget."""
    lab = Lab(server, browser)
    lab.page.add_init_script(NO_TIME)
    lab.reload()
    yield lab
    lab.check()
    lab.close()


def assert_follows(lab: Lab, layer: str) -> None:
    """The list of layers, the graph and the code of a card tell what the kernel chooses."""
    lab.python(f"ex.selection.layer = {layer!r}")
    expect(card(lab, "LayerPicker").locator("[aria-selected=true]")).to_contain_text(layer)
    graph = card(lab, "GraphView")
    expect(graph.get_by_role("button", name=f"{layer},", pressed=True)).to_be_visible()
    maps = card(lab, "FeatureMaps")
    maps.get_by_role("button", name="Copy as code").click()
    code = lab.value("ex.views.feature_maps.code()")
    assert f"layer = {layer!r}" in code
    expect(maps.get_by_label("Code", exact=True)).to_have_value(code)


def test_what_was_drawn_too_late_for_anywidget_follows_the_kernel(late: Lab):
    lab, given_up = late, []
    lab.page.on("pageerror", lambda error: given_up.append(error.message))
    lab.set_viewport(1600, 1600)
    lab.show(DIGITS)
    settle(lab)
    assert_follows(lab, "block2_conv1")
    entry = card(lab, "LayerPicker").get_by_role("treeitem", name="block3_conv1 ")
    entry.click()
    expect(entry).to_have_attribute("aria-selected", "true")
    assert lab.value("ex.selection.layer") == "block3_conv1"
    lab.reload()
    settle(lab)
    assert_follows(lab, "block2_conv2")
    assert set(given_up) == {"[anywidget] Failed to initialize model."}, "else this test tries nothing"
