"""The pictures of docs/views.md: every view and control, light and dark, in a wide and a narrow window."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from tests.browser.lab import Lab

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "pictures" / "views"

MODELS = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import act_widgets as aw
from act_widgets.widgets.worker import worker_of
from scripts import gallery_models as models
session, lit, silenced, nested = models.shapes(), models.lit(), models.silenced(), models.nested()
vectors, sequences, volumes, films = models.vectors(), models.sequences(), models.volumes(), models.films()
behind, recorded = models.shapes("gap"), models.recorded()
tokens, attention = models.transformer("mix"), models.transformer("heads")
every = [one for one in globals().values() if isinstance(one, aw.Session)]
"""
WAIT = "all(worker_of(one).wait() for one in every)"

# Name of the file, and the cell that shows the view.
VIEWS = {
    "layer_picker": "aw.LayerPicker(nested)",
    "step_slider": "aw.StepSlider(recorded)",
    "step_chart": "aw.StepChart(recorded)",
    "channel_slider": "aw.ChannelSlider(session)",
    "class_selector": "aw.ClassSelector(session)",
    "sample_picker": "aw.SamplePicker(session)",
    "method_picker": "aw.MethodPicker(session)",
    "feature_maps": "aw.FeatureMaps(session)",
    "feature_maps-range": "aw.FeatureMaps(lit)",
    "channel_view": "aw.ChannelView(session)",
    "channel_view-over": "view = aw.ChannelView(session); view.ground = 'over the input'; view",
    "histogram": "aw.Histogram(session)",
    "histogram-range": "aw.Histogram(lit)",
    "projection": "aw.Projection(behind)",
    "projection-pictures": "view = aw.Projection(behind, method='tsne'); view.thumbnails = True; view",
    "attribution_view": "aw.AttributionView(session)",
    "trust_panel": "view = aw.TrustPanel(session); view.checks = ('Curves', 'Another class'); view",
    "predictions": "aw.Predictions(session)",
    "channel_editor": "aw.ChannelEditor(silenced)",
    "predictions-silenced": "aw.Predictions(silenced)",
    "graph_view": "aw.GraphView(nested)",
    "vector": "aw.FeatureMaps(vectors)",
    "vector-unit": "aw.ChannelView(vectors)",
    "sequence": "aw.FeatureMaps(sequences)",
    "sequence-lines": "aw.FeatureMaps(sequences, sequences='lines')",
    "sequence-channel": "aw.ChannelView(sequences)",
    "volume": "aw.FeatureMaps(volumes)",
    "film": "aw.FeatureMaps(films)",
    "tokens": "aw.FeatureMaps(tokens)",
    "attention": "aw.FeatureMaps(attention)",
    "attention-head": "aw.ChannelView(attention)",
}
WIDTHS = {"": 1200, "-narrow": 700}
THEMES = ("light", "dark")
_MARGIN = 8


def take_views(lab: Lab) -> None:
    """Keep a picture of each view: at each width a file, the light theme beside or above the dark one."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    lab.page.evaluate("window.jupyterapp.shell.collapseLeft()")
    lab.show(MODELS)
    for ending, width in WIDTHS.items():
        lab.set_viewport(width, 1600)
        lab.show(*VIEWS.values())
        assert lab.value(WAIT)
        lab.wait_idle()
        taken = [_in_theme(lab, theme) for theme in THEMES]
        for name, *pictures in zip(VIEWS, *taken, strict=True):
            _keep(pictures, FOLDER / f"{name}{ending}.png")
    size = sum(path.stat().st_size for path in FOLDER.iterdir())
    print(f"{FOLDER.relative_to(ROOT)}: {len(VIEWS)} views, {size / 2**20:.1f} MiB")


def _in_theme(lab: Lab, theme: str) -> list[Image.Image]:
    lab.set_theme(theme)
    return [_picture(lab, index) for index in range(len(VIEWS))]


def _picture(lab: Lab, index: int) -> Image.Image:
    """Return the card in an output, once it stays as it is, with a margin of the page around it."""
    card = lab.output(index).locator(".aw-card")
    card.evaluate("e => e.scrollIntoView({ block: 'center' })")
    seen: list[bytes] = []

    def is_quiet() -> bool:
        seen.append(card.screenshot(animations="disabled"))
        return seen[-2:-1] == seen[-1:]

    lab.until(is_quiet)
    shot = Image.open(io.BytesIO(seen[-1])).convert("RGB")
    page = str(card.evaluate("e => getComputedStyle(e.closest('.jp-Notebook')).backgroundColor"))
    colour = tuple(map(int, page.removeprefix("rgb(").removesuffix(")").split(",")))
    framed = Image.new("RGB", (shot.width + 2 * _MARGIN, shot.height + 2 * _MARGIN), colour)
    framed.paste(shot, (_MARGIN, _MARGIN))
    return framed


def _keep(pictures: list[Image.Image], path: Path) -> None:
    """Write pictures into one file: side by side if they are narrow, else one above the other."""
    axis = 1 if pictures[0].width < 700 else 0
    _write(np.concatenate([np.asarray(one) for one in pictures], axis), path)


def _write(picture: np.ndarray, path: Path) -> None:
    """Write a picture, ``(height, width, 3) uint8``, in 256 colours, rare ones more than by pixels."""
    colours, counts = np.unique(picture.reshape(-1, 3), axis=0, return_counts=True)
    weighed = np.repeat(colours, np.sqrt(counts).astype(int), axis=0)
    palette = Image.fromarray(weighed[None]).quantize(256, kmeans=2)
    Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)
