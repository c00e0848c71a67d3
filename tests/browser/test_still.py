"""Saved notebooks show one picture of each widget, wherever they are opened."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.digits import DIGITS, settle
from tests.browser.lab import Lab
from tests.browser.server import ROOT

ALONE = "aw.FeatureMaps(ex.session)"
EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient
book = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(book, timeout=300, kernel_name="python3").execute()
assert book.metadata["widgets"], "the state of widgets is saved"
nbformat.write(book, sys.argv[1])
"""


def visible(found: Locator) -> list[Locator]:
    return [one for one in found.all() if one.is_visible()]


def picture_of(image: Locator) -> np.ndarray:
    """Return the picture that an image element shows, from its own bytes."""
    url = image.get_attribute("src")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB"))


def converted(path: Path, template: str) -> Path:
    name = f"{path.stem}-{template}.html"
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--template", template, "--output", name]
    subprocess.run([*command, str(path)], check=True, capture_output=True, timeout=120)
    return path.with_name(name)


@pytest.fixture
def offline(browser: Browser):
    """A page of a browser without a network."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    yield context.new_page()
    context.close()


def assert_shows_both(page: Page, file: Path) -> None:
    """The page shows a picture of the explorer and one of the feature maps, each once."""
    page.goto(file.as_uri())
    images = visible(page.locator("img"))
    sizes = [picture_of(image).shape[:2] for image in images]
    assert len(sizes) == 2, sizes
    assert sizes[0][1] > 2 * sizes[1][1]
    assert all(picture_of(image).std() > 30 for image in images)
    assert "model not found" not in page.locator("body").inner_text()


def test_a_notebook_shows_each_widget_once_alive_and_when_it_is_opened_again(lab: Lab, offline: Page):
    lab.set_viewport(1400, 1600)
    lab.show(DIGITS, ALONE)
    settle(lab)
    stills = lab.page.locator(".aw-still img")
    expect(stills).to_have_count(2)
    assert visible(stills) == []
    assert len(visible(lab.page.locator(".aw-explorer"))) == 1
    assert len(visible(lab.page.locator(".aw-FeatureMaps"))) == 2  # that of the explorer too
    # The hidden output leaves no gap.
    gap = "e => e.closest('.jp-OutputArea-child').getBoundingClientRect().height"
    assert stills.evaluate_all(f"all => all.map({gap})") == [0, 0]

    with lab.expect_error("model not found"):
        lab.reopen()
    lab._allowed.append("Error displaying widget")
    lab.until(lambda: lab.page.get_by_text("model not found").count() == 2)
    assert visible(lab.page.get_by_text("model not found")) == []
    assert len(visible(stills)) == 2
    assert len(visible(lab.page.locator("img[src^='data:image/png']"))) == 2
    expect(lab.page.get_by_text("run the cell to look around").first).to_be_visible()

    for template in ("lab", "classic"):
        assert_shows_both(offline, converted(lab.path, template))

    # Run again, it is alive again, and alone.
    lab.run(0)
    expect(lab.page.locator(".aw-explorer")).to_be_visible()
    assert len(visible(stills)) == 1


def test_a_notebook_of_a_stranger_shows_each_picture_once(lab: Lab):
    """From what it does not trust JupyterLab takes the styles, and it shows the first output's picture."""
    lab.show(DIGITS, ALONE)
    settle(lab)
    lab._do("save")
    book = json.loads(lab.path.read_text())
    book["cells"][0]["source"] += "\n# changed by somebody else, so that the signature does not fit"
    book["cells"][0]["outputs"][-1]["data"]["text/html"] += "<p></p>"
    lab.path.write_text(json.dumps(book))
    lab.page.reload()
    lab._attach()
    expect(lab.page.locator(".jp-RenderedImage img")).to_have_count(2)
    assert len(visible(lab.page.locator("img[src^='data:image/png']"))) == 2
    assert visible(lab.page.locator(".aw-still img")) == []


def test_a_notebook_that_nobody_watched_shows_the_pictures_too(tmp_path, offline: Page):
    """Run by nbclient, it holds the widgets' state: pages would draw the controls, and blank canvases."""
    path = tmp_path / "batch.ipynb"
    cells = [nbformat.v4.new_code_cell(source) for source in (DIGITS, ALONE)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    environment = {
        **os.environ,
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    subprocess.run([sys.executable, "-c", EXECUTE, str(path)], check=True, env=environment, timeout=600)
    for template in ("lab", "classic"):
        assert_shows_both(offline, converted(path, template))
