"""Fixtures of the browser tests: one server, one browser, one page and one kernel for all of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.chromium import launch
from tests.browser.digits import DIGITS, settle
from tests.browser.lab import Lab
from tests.browser.server import JupyterServer

FAILURES = Path(os.environ.get("ACT_WIDGETS_FAILURES", "build/failures"))
failed = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker("browser")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.failed:
        item.stash[failed] = True
    return report


# Package scope: while Playwright runs, its event loop keeps other tests from starting their own.
@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """One Jupyter server, with folders of its own."""
    with JupyterServer(tmp_path_factory.mktemp("jupyter")) as running:
        yield running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One headless Chromium."""
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def lab_page(server: JupyterServer, browser: Browser) -> Iterator[Lab]:
    """One page of JupyterLab with one kernel; tests ask for `lab` instead."""
    page = Lab(server, browser)
    yield page
    page.close()


@pytest.fixture(scope="package")
def notebook7_page(server: JupyterServer, browser: Browser) -> Iterator[Lab]:
    """One page of Notebook 7 with one kernel; tests ask for `notebook7` instead."""
    page = Lab(server, browser, app="notebook")
    yield page
    page.close()


@pytest.fixture
def lab(lab_page: Lab, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """JupyterLab with an empty notebook and a kernel without names."""
    yield from _one_test(lab_page, request)


@pytest.fixture
def notebook7(notebook7_page: Lab, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Notebook 7 with an empty notebook and a kernel without names."""
    yield from _one_test(notebook7_page, request)


def _one_test(page: Lab, request: pytest.FixtureRequest) -> Iterator[Lab]:
    page.begin()
    yield page
    if request.node.stash.get(failed, False):
        FAILURES.mkdir(parents=True, exist_ok=True)
        page.page.screenshot(path=FAILURES / f"{request.node.name}.png")
        page.fresh()
        return
    try:
        page.check()
    except AssertionError:
        page.fresh()
        raise


@pytest.fixture
def page(lab: Lab) -> Lab:
    """A page with an explorer on the digits."""
    lab.set_viewport(1600, 1600)
    lab.show(DIGITS)
    settle(lab)
    return lab
