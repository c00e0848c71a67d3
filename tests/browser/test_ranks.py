"""Layers of every number of axes in real JupyterLab: bars, lines, maps with sliders, attention."""

from __future__ import annotations

from pathlib import Path

import cmap
import numpy as np
import pytest

from tests.browser.digits import card, settle
from tests.browser.lab import Lab

ROOT = Path(__file__).resolve().parents[2]
BLUE, RED = (43, 140, 196), (213, 94, 0)
# Where a point of a line is on the screen.
POINT = """(line, i) => {
    const [x, y] = line.getAttribute("d").slice(1).split("L")[i].split(",").map(Number);
    const point = new DOMPoint(x, y).matrixTransform(line.getScreenCTM());
    return [point.x, point.y];
}"""


def show(lab: Lab, model: str, layer: str) -> None:
    """Open an explorer on one of the models of tests/ranks.py."""
    lab.set_viewport(1600, 1600)
    lab.show(
        f"""
import sys, warnings
sys.path.insert(0, {str(ROOT)!r})
warnings.simplefilter("ignore")
import act_widgets as aw
from tests import ranks
model, x = ranks.{model}
ex = aw.explore(model, x, layer={layer!r})
ex
"""
    )
    settle(lab)


def values(lab: Lab, expression: str) -> np.ndarray:
    return np.array(lab.value(expression))


def drawn(lab: Lab, name: str) -> np.ndarray:
    """Return the pixels of a card's canvas, without what shows through."""
    return lab.pixels(card(lab, name).locator("canvas").first)


def cells(picture: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the colour in the middle of each cell of a map that fills a canvas."""
    rows, columns = (
        ((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip(shape, picture.shape, strict=False)
    )
    return picture[rows][:, columns, :3].astype(float)


def colours(numbers: np.ndarray) -> np.ndarray:
    """Return what a map of numbers looks like on a scale of its own."""
    bound = np.abs(numbers).max()
    signed = numbers.min() < 0 < numbers.max()
    low, high = (-bound, bound) if signed else (numbers.min(), numbers.max())
    table = (cmap.Colormap("colorbrewer:RdBu_r" if signed else "viridis").lut(254)[:, :3] * 255).round()
    return table[np.floor((numbers - low) / (high - low) * 253 + 0.5).astype(int)]


def wait_for_map(lab: Lab, name: str, expression: str) -> None:
    """Wait until a card shows a map of numbers, cell for cell."""
    numbers = values(lab, expression)
    wanted = colours(numbers)
    lab.until(lambda: bool(np.abs(cells(drawn(lab, name), numbers.shape) - wanted).max() <= 2))


def drag(lab: Lab, name: str, label: str, share: float) -> None:
    """Drag a slider of a card to a share of its track."""
    row = card(lab, name).locator(".widget-slider", has_text=label).last
    handle, track = row.locator(".noUi-handle").bounding_box(), row.locator(".noUi-target").bounding_box()
    assert handle is not None and track is not None
    y = handle["y"] + handle["height"] / 2
    lab.page.mouse.move(handle["x"] + handle["width"] / 2, y)
    lab.page.mouse.down()
    lab.page.mouse.move(track["x"] + track["width"] * share, y, steps=6)
    lab.page.mouse.up()
    settle(lab)


def read(lab: Lab, name: str, down: float, across: float, words: str) -> None:
    """Rest the pointer on a canvas, and wait until the card says so below it."""
    canvas = card(lab, name).locator("canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    lab.page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"], steps=2)
    lab.until(lambda: words in card(lab, name).locator(".aw-caption").last.inner_text())


def choose_axes(lab: Lab, name: str, words: str) -> None:
    card(lab, name).locator(".aw-axes select").select_option(label=words)
    settle(lab)


def test_a_vector_is_bars(lab: Lab):
    show(lab, "vectors()", "wide")
    numbers = values(lab, "ex.session.activation('wide')[0]")

    def heights() -> np.ndarray:
        picture = drawn(lab, "FeatureMaps")[..., :3].astype(int)
        middles = (np.arange(12) + 0.5) * picture.shape[1] / 12
        up, down = (
            (np.abs(picture[:, middles.astype(int)] - colour).max(-1) <= 2).sum(0) for colour in (BLUE, RED)
        )
        return (up - down) / picture.shape[0]

    wanted = numbers / (2 * np.abs(numbers).max())
    lab.until(lambda: bool(np.abs(heights() - wanted).max() < 0.03))
    unit = int(numbers.argmax())
    read(lab, "FeatureMaps", 0.3, (unit + 0.5) / 12, f"unit {unit} ·")
    lab.page.mouse.down()
    lab.page.mouse.up()
    lab.until(lambda: lab.value("ex.selection.channel") == unit)
    lab.until(lambda: "0 of 12 are higher" in card(lab, "ChannelView").inner_text())
    lab.check()


def test_a_sequence_is_a_heat_map_and_a_line(lab: Lab):
    show(lab, "recurrent()", "lstm")
    numbers = values(lab, "ex.session.activation('lstm')[0].T")
    wanted = np.stack(
        [
            colours(np.append(row, -np.abs(row).max() * np.sign(row[np.abs(row).argmax()])))[:-1]
            for row in numbers
        ]
    )
    lab.until(lambda: bool(np.abs(cells(drawn(lab, "FeatureMaps"), (6, 40))[1:] - wanted[1:]).max() <= 2))
    line = card(lab, "ChannelView").locator(".bqplot path.line").first
    line.wait_for()
    before = line.get_attribute("d")
    box = card(lab, "ChannelView").locator(".bqplot").bounding_box()
    assert box is not None and box["width"] > 200 and box["height"] > 150
    assert card(lab, "ChannelView").locator(".axislabel", has_text="time").count() == 1
    lab.python("ex.selection.channel = 4")
    lab.until(lambda: line.get_attribute("d") != before)
    # The pointer at a point of the line reads its value, and beside the chart a summary is back.
    for step in (0, 23, 39):
        x, y = line.evaluate(POINT, step)
        lab.page.mouse.move(x, y - 20, steps=2)
        words = f"channel 4 · time {step} · {numbers[4, step]:.3g}"
        lab.until(lambda words=words: words in card(lab, "ChannelView").inner_text())
    lab.page.mouse.move(5, 5)
    lab.until(lambda: "mean" in card(lab, "ChannelView").inner_text())
    card(lab, "FeatureMaps").get_by_role("button", name="lines").click()
    settle(lab)
    picture = drawn(lab, "FeatureMaps")[..., :3].astype(int)
    assert (np.abs(picture - BLUE).max(-1) <= 2).sum() > 2000
    # A number, then a line again: the chart has kept its size.
    lab.python("ex.selection.layer = 'gru'")
    settle(lab)
    assert not card(lab, "ChannelView").locator(".bqplot").is_visible()
    lab.python("ex.selection.layer = 'norm'")
    settle(lab)
    again = lab.until(lambda: card(lab, "ChannelView").locator(".bqplot").bounding_box())
    assert (again["width"], again["height"]) == (box["width"], box["height"])
    lab.check()


@pytest.mark.parametrize(
    ("model", "layer", "label", "index"),
    [("volume()", "conv", "Depth", "[{}, :, :, 0]"), ("film()", "convlstm", "Time", "[{}, :, :, 0]")],
    ids=["volume", "film"],
)
def test_a_slider_goes_through_slices(lab: Lab, model: str, layer: str, label: str, index: str):
    show(lab, model, layer)
    last = lab.value(f"ex.session.activation({layer!r}).shape[1] - 1")
    for share, at in ((0.0, 0), (1.0, last)):
        drag(lab, "FeatureMaps", label, share)
        wait_for_map(lab, "ChannelView", f"ex.session.activation({layer!r})[0]" + index.format(at))
        other = card(lab, "ChannelView").locator(".widget-slider", has_text=label).last
        assert other.locator(".widget-readout").inner_text() == str(at)
        read(lab, "ChannelView", 0.02, 0.02, f"{label.lower()} {at} · row 0, column 0")
    lab.python("ex.selection.layer = 'flat'")
    settle(lab)
    lab.until(lambda: not card(lab, "FeatureMaps").get_by_text(label, exact=True).is_visible())
    lab.check()


def test_tokens_lie_on_the_picture_and_attention_on_its_axes(lab: Lab):
    show(lab, "vision_transformer()", "mix")
    wait_for_map(lab, "ChannelView", "ex.session.activation('mix')[0, 1:, 0].reshape(8, 8)")
    assert "1 token before them left out" in card(lab, "FeatureMaps").inner_text()
    lab.python("ex.selection.layer = 'heads'")
    settle(lab)
    wait_for_map(lab, "ChannelView", "ex.session.attention('heads')[0, 0]")
    x, y = lab.value(
        "(lambda b: (b.x + b.width / 2, b.y + b.height / 2))(ex.views.feature_maps._grid.box(3))"
    )
    size = card(lab, "FeatureMaps").locator("canvas").first.evaluate("c => [c.width, c.height]")
    read(lab, "FeatureMaps", y / size[1], x / size[0], "head 3 · query")
    lab.page.mouse.down()
    lab.page.mouse.up()
    wait_for_map(lab, "ChannelView", "ex.session.attention('heads')[0, 3]")
    choose_axes(lab, "ChannelView", "attention: heads × queries × patches (8 × 8)")
    wait_for_map(lab, "ChannelView", "ex.session.attention('heads')[0, 3, 0, 1:].reshape(8, 8)")
    shown = card(lab, "FeatureMaps").locator(".aw-axes select").evaluate("s => s.selectedOptions[0].label")
    assert shown.replace("\u00a0", " ") == "attention: heads × queries × patches (8 × 8)"
    drag(lab, "ChannelView", "Query", 1.0)
    wait_for_map(lab, "ChannelView", "ex.session.attention('heads')[0, 3, 64, 1:].reshape(8, 8)")
    assert lab.value("ex.session.stats()['forward_passes']") == 1
    lab.check()


def test_every_kind_is_drawn_again_after_a_reload(lab: Lab):
    show(lab, "volume()", "conv")
    drag(lab, "FeatureMaps", "Depth", 1.0)
    lab.reload()
    settle(lab)
    wait_for_map(lab, "ChannelView", "ex.session.activation('conv')[0, 7, :, :, 0]")
    lab.python("ex.session.axes['conv'] = 'channels × depth × height × width'")
    settle(lab)
    wait_for_map(lab, "ChannelView", "ex.session.activation('conv')[0, 0, 5, :, :]")
    lab.check()
