"""The exported page, opened as a file in a browser without a network: every control, and the numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

import act_widgets as aw
from act_widgets.rendering import pictures
from act_widgets.rendering.bins import binned
from act_widgets.rendering.palettes import DIVERGING, palette
from act_widgets.rendering.pictures import finite_scale, quantised
from act_widgets.widgets import text
from act_widgets.widgets.channel_map import summary
from act_widgets.widgets.worker import worker_of
from tests import zoo
from tests.browser.hostile import INJECTED, LABELS, MODEL, TOO_WIDE, opened
from tests.screen import text_of
from tests.some import some

LAYER = "block2_relu2"
PIXELS = """canvas => {
  const context = canvas.getContext('2d');
  return [canvas.width, canvas.height, [...context.getImageData(0, 0, canvas.width, canvas.height).data]];
}"""


@pytest.fixture(scope="module")
def explorer() -> Iterator[aw.Explorer]:
    model, images, labels = aw.samples.digits()
    opened = aw.explore(model, images[:4], labels=labels, layer=LAYER)
    assert worker_of(opened.session).wait()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def file(explorer: aw.Explorer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    assert explorer.export_html(path).left_out == ()
    return path


class Reader:
    """The page as a reader leads it."""

    def __init__(self, browser: Browser, file: Path, **options: Any) -> None:
        self.errors: list[str] = []
        self.asked: list[str] = []
        settings = {"viewport": {"width": 1600, "height": 1000}, "offline": True, "reduced_motion": "reduce"}
        self.context = browser.new_context(**{**settings, **options})
        self.page: Page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(file.as_uri())
        self.settle()

    def settle(self) -> None:
        """Wait until what is wished for is drawn."""
        self.page.wait_for_function("Number(document.body.dataset.shown) === wish")

    def __call__(self, selector: str) -> Locator:
        return self.page.locator(selector)

    def pixels(self, selector: str) -> np.ndarray:
        width, height, values = self(selector).evaluate(PIXELS)
        return np.array(values, np.uint8).reshape(height, width, 4)

    def text(self, selector: str) -> str:
        return self(selector).inner_text()

    def choose_layer(self, address: str) -> None:
        self(f'#layers .aw-choice[title="{address}"]').click()
        self.settle()

    def choose_class(self, index: int) -> None:
        """Choose an entry of the list of classes; 0 follows the prediction."""
        self("#classes .aw-choice").nth(index).click()
        self.settle()

    @property
    def layer(self) -> str:
        return self.page.evaluate("data.layers[chosen.layer].address")


@pytest.fixture
def reader(browser: Browser, file: Path) -> Iterator[Reader]:
    opened = Reader(browser, file)
    yield opened
    assert opened.errors == []
    assert {url.partition(":")[0] for url in opened.asked} <= {"file", "data", "blob"}
    opened.context.close()


def assert_shows(reader: Reader, explorer: aw.Explorer, layer: str, channel: int, sample: int, target: int):
    """What is on the page are the numbers and pictures of the session."""
    reader.settle()
    session = explorer.session
    activation = session.activation(layer)[sample]
    values = activation[..., channel]
    scale = finite_scale(values)
    # The channel, cell by cell.
    colours = palette(DIVERGING if scale.signed else "viridis")
    drawn = reader.pixels("#map canvas")[..., :3].astype(int)
    wanted = colours[quantised(values, scale)]
    assert np.abs(drawn - wanted).max() <= 6  # one level
    assert reader.text("#map-under") == summary(values)
    assert reader.text("#map-bar").split() == text_of(text.colour_bar("viridis", scale)).split()
    assert reader.text("#map-note") == f"{layer} · channel {channel}"
    # The grid: this channel's map, at its place.
    facts = session.tap(layer)
    assert reader.text("#maps-note") == f"{layer} · {facts.channels} channels of 8 × 8"
    frame, of = (reader(f"#grid{part}").bounding_box() for part in (" .frame", ""))
    columns = reader.page.evaluate("grid.columns")
    at = [(frame[way] - of[way]) / frame[size] for way, size in (("y", "height"), ("x", "width"))]
    assert [round(place) for place in at] == [channel // columns, channel % columns]
    # The histogram.
    counts, edges = binned(values)
    bars = reader("#histogram rect").evaluate_all("all => all.map(bar => Number(bar.dataset.count))")
    assert bars == [count for count in counts.tolist() if count]
    shown = reader("#histogram text").all_text_contents()
    assert text.number(float(edges[0])) in shown
    assert text.number(float(edges[-1])) in shown
    # Predictions, and what is explained.
    answer = session.predictions(sample)
    order = np.argsort(-answer, kind="stable")[:8].tolist()
    order += [target] if target not in order else []
    rows = reader("#predictions > div").all_inner_texts()
    assert rows[::3] == [session.class_name(unit) for unit in order]
    assert rows[2::3] == [f"{answer[unit]:.1%}" for unit in order]
    chosen = reader("#predictions .aw-row-name.aw-row-chosen").all_inner_texts()
    assert chosen == [session.class_name(target)]
    assert_overlay(reader, explorer, layer, sample, target)


def assert_overlay(reader: Reader, explorer: aw.Explorer, layer: str, sample: int, target: int):
    explorer.selection.layer, explorer.selection.sample = layer, sample
    explorer.selection.target = target
    assert worker_of(explorer.session).wait()
    view = explorer.views.attribution
    result = view._result(view.key())
    overlay = view._overlay_of(result)
    assert reader.text("#attribution-under") == overlay.remark
    assert reader.text("#attribution-note") == explorer.session.class_name(target)
    assert reader.text("#attribution-bar").split() == [*text.ends(result.scale)]
    heat = reader.pixels("#overlay canvas")[..., :3]
    wanted = overlay.large.rgb()
    assert heat.shape == wanted.shape
    # The page interpolates levels, the session values: they differ by a level at the most.
    assert np.abs(heat.astype(int) - wanted).max() <= 12
    assert np.abs(heat.astype(int) - wanted).mean() < 1.5


def test_each_control_changes_the_page_to_what_the_session_has(reader, explorer):
    top = explorer.session.top_class
    assert_shows(reader, explorer, LAYER, 0, 0, top(0))
    # A layer: from the list, by the buttons, by the search, by a click in the graph.
    layers = explorer.session.layers
    reader.choose_layer(layers[4])
    assert_shows(reader, explorer, layers[4], 0, 0, top(0))
    reader.page.get_by_role("button", name="Next layer").click()
    assert_shows(reader, explorer, layers[5], 0, 0, top(0))
    search = reader.page.get_by_role("searchbox", name="Search layer")
    search.fill("block3 ADD")
    search.press("Enter")
    assert_shows(reader, explorer, "block3_add", 0, 0, top(0))
    search.fill("")
    reader.page.get_by_role("button", name="block3_conv2,").click()
    assert_shows(reader, explorer, "block3_conv2", 0, 0, top(0))
    assert reader("#layers [aria-selected=true]").get_attribute("title") == "block3_conv2"
    # A channel: by the slider, and by a click on its map.
    reader("#channel").press("ArrowRight")
    assert_shows(reader, explorer, "block3_conv2", 1, 0, top(0))
    reader("#channel").fill("17")
    assert_shows(reader, explorer, "block3_conv2", 17, 0, top(0))
    box = reader("#grid").bounding_box()
    columns = reader.page.evaluate("grid.columns")
    rows = -(-48 // columns)
    x, y = box["width"] * (9 % columns + 0.5) / columns, box["height"] * (9 // columns + 0.5) / rows
    reader("#grid").click(position={"x": x, "y": y})
    assert_shows(reader, explorer, "block3_conv2", 9, 0, top(0))
    frame = reader("#grid .frame").bounding_box()
    assert frame["x"] - box["x"] < x < frame["x"] - box["x"] + frame["width"]
    # A sample, by its picture; a class, from the list.
    reader.page.get_by_role("button", name="Sample 3").click()
    assert_shows(reader, explorer, "block3_conv2", 9, 3, top(3))
    reader.choose_class(4)
    fourth = int(np.argsort(-explorer.session.predictions(3), kind="stable")[3])
    assert_shows(reader, explorer, "block3_conv2", 9, 3, fourth)
    # A layer without places: the nearest that has them is explained.
    reader.choose_class(0)
    reader.choose_layer("predictions")
    assert "'predictions' has no spatial axes" in reader.text("#attribution-under")
    assert_overlay(reader, explorer, "predictions", 3, top(3))


def test_the_grid_holds_every_map(reader, explorer):
    maps = np.moveaxis(explorer.session.activation(LAYER)[0], -1, 0)
    drawn, columns = reader.pixels("#grid canvas"), reader.page.evaluate("grid.columns")
    times = reader.page.evaluate("grid.times")
    for channel, values in enumerate(maps):
        top, left = (channel // columns) * (8 * times + 1), (channel % columns) * (8 * times + 1)
        tile = drawn[top : top + 8 * times : times, left : left + 8 * times : times, :3].astype(int)
        wanted = palette("viridis")[quantised(values, finite_scale(values))].astype(int)
        assert np.abs(tile - wanted).max() <= 6  # one level
    reader.page.get_by_role("button", name="per layer").click()
    reader("#colours").select_option("magma")
    reader.settle()
    drawn = reader.pixels("#grid canvas")
    whole = finite_scale(maps)
    assert reader.text("#maps-bar").split() == [*text.ends(whole)]
    for channel in (0, 13, 31):
        top, left = (channel // columns) * (8 * times + 1), (channel % columns) * (8 * times + 1)
        tile = drawn[top : top + 8 * times : times, left : left + 8 * times : times, :3].astype(int)
        wanted = palette("magma")[quantised(maps[channel], whole)].astype(int)
        assert np.abs(tile - wanted).max() <= 6


def test_the_pointer_reads_the_value_under_it(reader, explorer):
    values = explorer.session.activation(LAYER)[0, ..., 5]
    row, column = np.unravel_index(values.argmax(), values.shape)
    box = reader("#grid").bounding_box()
    size = reader.page.evaluate("[grid.columns, grid.whole, grid.times, grid.width]")
    columns, whole, times, width = size
    x = (5 % columns) * (width + 1) + (column + 0.5) * times
    y = (5 // columns) * (width + 1) + (row + 0.5) * times
    reader.page.mouse.move(box["x"] + x * box["width"] / whole[0], box["y"] + y * box["height"] / whole[1])
    # The highest value is there as it is; others are known to one part in 253.
    said = f"channel 5 · row {row}, column {column} · {text.number(values.max())}"
    assert reader.text("#maps-under") == said
    # A value that is nearly the lowest is not told as the lowest.
    cell = "([channel, row, column]) => cellWords(data.layers[chosen.layer], { channel, row, column })"
    for row, column in np.ndindex(values.shape):
        value, words = float(values[row, column]), reader.page.evaluate(cell, [5, row, column])
        if value in (values.min(), values.max()):
            assert words == text.number(value)
        else:
            assert words.startswith("≈ ")
            assert float(words[2:]) == pytest.approx(value, abs=1.1 * float(np.ptp(values)) / 253)


def test_histogram_and_ground_can_be_chosen(reader, explorer):
    reader.page.get_by_role("button", name="layer", exact=True).click()
    reader.settle()
    counts = binned(explorer.session.activation(LAYER)[0])[0]
    bars = reader("#histogram rect").evaluate_all("all => all.map(bar => Number(bar.dataset.count))")
    assert bars == [count for count in counts.tolist() if count]
    linear = reader("#histogram rect").first.get_attribute("height")
    reader.page.get_by_role("button", name="log", exact=True).click()
    reader.settle()
    assert reader("#histogram rect").nth(3).get_attribute("height") != linear
    assert "count (log)" in reader("#histogram text").all_text_contents()
    expect(reader("#map img")).to_be_hidden()
    reader.page.get_by_role("button", name="over the input").click()
    expect(reader("#map img")).to_be_visible()
    reader("#map-opacity").fill("0.25")
    reader.settle()
    assert reader("#map canvas").evaluate("c => getComputedStyle(c).opacity") == "0.25"
    reader("#opacity").fill("0")
    reader.settle()
    assert reader("#overlay canvas").evaluate("c => getComputedStyle(c).opacity") == "0"


def test_play_goes_through_the_channels(reader):
    reader("#play").click()
    reader.page.wait_for_function("chosen.channel >= 2")
    reader("#play").click()
    expect(reader("#play")).to_have_attribute("aria-pressed", "false")


def test_the_keyboard_reaches_every_control(reader):
    found = set()
    for _ in range(60):
        reader.page.keyboard.press("Tab")
        name = "e => e.id || e.title || e.ariaLabel || Object.values(e.dataset)[0]"
        found.add(reader.page.evaluate(f"({name})(document.activeElement)"))
    assert {"play", "channel", "colours", "opacity", "Search layer", "layer", "class"} <= found
    assert {
        "Previous layer",
        "Next layer",
        "Sample 0",
        "Sample 3",
        "per layer",
        "over the input",
        "log",
    } <= found
    before = reader.layer
    reader.page.get_by_role("tree", name="layer").press("ArrowUp")
    reader.settle()
    assert reader.layer != before


def test_an_address_brings_back_what_was_chosen(reader, file, browser, explorer):
    reader.choose_layer(explorer.session.layers[3])
    reader("#channel").fill("4")
    reader.page.get_by_role("button", name="Sample 2").click()
    reader.choose_class(5)
    target = reader.page.evaluate("chosen.target")
    reader.page.wait_for_function("target => location.hash.includes(`class=${target}`)", arg=target)
    again = Reader(browser, file)
    again.page.goto(reader.page.url)  # in the open page
    again.page.wait_for_function("chosen.sample === 2")
    again.page.reload()
    again.settle()
    state = "[chosen.layer, chosen.channel, chosen.sample, chosen.target]"
    assert again.page.evaluate(state) == [3, 4, 2, target]
    assert again("#layers [aria-selected=true]").get_attribute("title") == explorer.session.layers[3]
    again.page.goto(file.as_uri() + "#layer=no-such&channel=-3&sample=99&class=1000")
    again.page.reload()
    again.settle()
    assert again.page.evaluate(state) == [0, 0, 0, None]
    assert again.errors == []
    again.context.close()


@pytest.mark.parametrize("width", [700, 1000, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_window_in_the_reader_s_colours(browser, file, width, scheme):
    reader = Reader(browser, file, viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= width
    ground = reader("body").evaluate("b => getComputedStyle(b).backgroundColor")
    assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(17, 17, 17)")
    for card in reader(".aw-card").all():
        box = card.bounding_box()
        assert box["width"] > 180
        assert box["x"] + box["width"] <= width
    reader.context.close()


def test_on_paper_there_are_no_controls(reader):
    reader.page.emulate_media(media="print")
    expect(reader("#layers")).to_be_hidden()
    expect(reader("#grid")).to_be_visible()
    expect(reader("#prediction-card")).to_be_visible()


def test_numbers_are_written_as_python_writes_them(reader):
    rng = np.random.default_rng(0)
    values = [0.0, -0.0, 1.0, 0.8125, 0.9375, 2.125, -2.125, 1e-5, 1.234e-7, 1e22, 0.00012345]
    values += [999.5, 1005.0, 1125.0, -1125.0, 12350.0, 99850.0, 99950.0]
    values += (rng.normal(size=300) * 10.0 ** rng.integers(-12, 12, 300)).tolist()
    values += (rng.integers(0, 4096, 200) / 1024).tolist()
    values += rng.normal(size=200).astype(np.float32).astype(float).tolist()
    said = reader.page.evaluate("all => all.map(number)", values)
    assert said == [text.number(value) for value in values]
    shares = [0.0625, 0.125, 0.0005, 1.0, 0.99949, *rng.random(300).astype(np.float32).astype(float).tolist()]
    assert reader.page.evaluate("all => all.map(percent)", shares) == [f"{share:.1%}" for share in shares]
    assert reader.page.evaluate("[NaN, Infinity, -Infinity].map(number)") == ["nan", "inf", "-inf"]


def test_what_is_left_out_is_said_on_the_page(browser, explorer, tmp_path):
    explorer.selection.layer = "stem_relu"  # the one that finds room
    with pytest.raises(aw.InputError) as told:
        explorer.export_html(tmp_path / "small.html", max_bytes=1)
    least = int(re.search(r"about ([\d,]+)", str(told.value))[1].replace(",", ""))
    made = explorer.export_html(tmp_path / "small.html", max_bytes=least)
    assert made.left_out
    reader = Reader(browser, made.path)
    expect(reader("#left-out")).to_be_visible()
    reader("#left-out summary").click()
    assert reader("#left-out li").all_inner_texts() == list(made.left_out)
    assert "This file holds no attribution." in reader.text("#attribution-under")
    assert reader("#layers .aw-choice").count() == len(made.layers)
    # In smaller maps a cell stands for several.
    reader.page.evaluate("choose({ layer: data.layers.findIndex(({ full, width }) => full[1] > width) })")
    reader.settle()
    reader("#grid").hover(position={"x": 2, "y": 2})
    kept = reader.page.evaluate("data.layers[chosen.layer].kept")
    said = rf"channel {kept[0]} · row 0 to \d, column 0 to \d · largest .+"
    assert re.fullmatch(said, reader.text("#maps-under"))
    # Of the channels the strongest are there, by their own numbers.
    place = next(i for i, number in enumerate(kept) if i != number)
    reader("#channel").fill(str(place))
    reader.settle()
    assert reader.text("#channel-out") == str(kept[place])
    assert reader.text("#channel-note").startswith(f"{kept[place]} of 16,")
    for note in ("#map-note", "#histogram-note"):
        assert reader.text(note).endswith(f"channel {kept[place]}")
    reader.page.wait_for_function("n => location.hash.includes(`channel=${n}&`)", arg=kept[place])
    reader.page.reload()
    reader.settle()
    assert reader.text("#channel-out") == str(kept[place])
    assert reader.errors == []
    reader.context.close()


def test_hostile_names_are_text_on_the_page(browser, tmp_path):
    hostile = opened()
    assert worker_of(hostile.session).wait()
    file = hostile.export_html(tmp_path / "page.html").path
    hostile.close()
    reader = Reader(browser, file, viewport={"width": 700, "height": 1000})
    assert reader("body").locator(INJECTED).count() == 0
    assert reader.text("h1") == MODEL
    assert {*reader("#predictions .aw-row-name").all_inner_texts()} == {*LABELS}
    assert reader("html, .aw-card").evaluate_all(TOO_WIDE) == []
    assert reader.errors == []
    reader.context.close()


SHOWN = "h1, h2, summary, button, li, .aw-note, .aw-caption, .aw-bar span, .aw-row-name"
CUT = """selector => [...document.querySelectorAll(selector)]
  .filter((e) => e.offsetParent && getComputedStyle(e).display !== 'inline')
  .filter((e) => e.scrollWidth > e.clientWidth + 1)
  .map((e) => e.textContent)"""
# Contrast of each text with what lies under it, as WCAG 2 counts it.
FAINT = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const under = (e) => {
    const colour = numbers(getComputedStyle(e).backgroundColor);
    return colour.length === 3 || colour[3] === 1 || !e.parentElement ? colour : under(e.parentElement);
  };
  const faint = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !e.getClientRects().length || e.closest('#graph svg, script, [disabled], option')) continue;
    const style = getComputedStyle(e);
    const ink = light(numbers(e instanceof SVGElement ? style.fill : style.color));
    const [low, high] = [ink, light(under(e))].sort((a, b) => a - b);
    if ((high + 0.05) / (low + 0.05) < 4.5) faint.push(e.textContent);
  }
  return faint;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_long_names_are_whole_and_every_text_stands_out(browser, tmp_path, scheme):
    import keras

    given = keras.Input((6, 6, 1), name="given")
    y = keras.layers.Conv2D(2, 3, name=300 * "W")(given)
    y = keras.layers.Conv2D(2, 3, name="עברית 🐈")(y)
    head = keras.layers.Dense(3, "softmax")(keras.layers.Flatten()(y))
    labels = [300 * "L", "דוגמה ארוכה מאוד", "American Staffordshire terrier"]
    opened = aw.explore(keras.Model(given, head, name=300 * "M"), np.ones((2, 6, 6, 1)), labels=labels)
    file = opened.export_html(tmp_path / "page.html").path
    for width in (390, 700, 1200):
        reader = Reader(browser, file, viewport={"width": width, "height": 900}, color_scheme=scheme)
        for index in range(len(opened.session.layers)):
            reader.page.evaluate(f"choose({{ layer: {index} }})")
            reader.settle()
            assert reader.page.evaluate(CUT, SHOWN) == []
            assert reader.page.evaluate(FAINT) == []
        assert reader.page.evaluate("document.documentElement.scrollWidth") <= width
        assert reader.errors == []
        reader.context.close()
    opened.close()


def test_the_keyboard_walks_through_nested_models_in_the_graph(browser, tmp_path):
    opened = aw.explore(*zoo.nested_two_deep())
    reader = Reader(browser, opened.export_html(tmp_path / "page.html").path)
    reader.page.get_by_role("button", name="image,").focus()
    walked = []
    for _ in range(4):
        walked.append(reader.page.evaluate("document.activeElement.ariaLabel").partition(",")[0])
        reader.page.keyboard.press("ArrowDown")
    assert walked == ["image", "middle", "gap", "out"]
    for name in ("out", "middle", "middle/inner/conv"):  # the group opens, and shows what is inside
        reader.page.get_by_role("button", name=f"{name},").press("Enter")
        reader.settle()
        assert reader.layer == name
    reader.page.get_by_role("button", name="Close middle,").press("Enter")
    assert reader.page.get_by_role("button", name="middle,", pressed=True).count() == 1
    assert reader.page.get_by_role("button", name="middle/inner/conv,").count() == 0
    assert reader.errors == []
    reader.context.close()
    opened.close()


@pytest.mark.parametrize(
    "name", some(["convolution_1d", "convolution_3d", "one_unit", "regression", "attention"], 2)
)
def test_lines_numbers_volumes_and_heads_are_drawn(browser, tmp_path, name):
    opened = aw.explore(*getattr(zoo, name)())
    session = opened.session
    reader = Reader(browser, opened.export_html(tmp_path / f"{name}.html").path)
    for layer in session.layers:
        reader.choose_layer(layer)
        opened.selection.layer = layer
        assert worker_of(session).wait()
        drawn = opened.views.feature_maps._result(opened.views.feature_maps.key()).drawn
        rank = drawn.array.ndim - 1
        assert reader.page.evaluate("grid.count") == min(len(drawn.array), 1024 if rank == 0 else 64)
        assert reader.text("#maps-note").endswith(drawn.words)
        said = opened.views.channel_view
        if drawn.axes.has_channels:
            assert reader.text("#map-under") == said._result(said.key()).summary, layer
        assert reader("#line").is_visible() == (rank == 1)
        assert reader("#map canvas").is_visible() == (rank != 1)
        assert reader("[data-scale]").first.is_visible() == (rank > 0)
        assert (reader.pixels("#grid canvas")[..., 3] > 0).any()
    values = text_of(opened.views.predictions._rows.value).split()
    assert reader.text("#predictions").split() == values
    assert reader.errors == []
    reader.context.close()
    opened.close()


def test_bars_stand_for_the_numbers_of_a_vector(reader, explorer):
    reader.choose_layer("predictions")
    drawn = reader.pixels("#grid canvas")
    width = reader.page.evaluate("grid.width")
    blue = (drawn[..., :3] == [43, 140, 196]).all(-1) & (drawn[..., 3] > 0)
    heights = [int(blue[:, unit * width + width // 2].sum()) for unit in range(10)]
    answer = explorer.session.predictions(0)
    assert np.argmax(heights) == answer.argmax()
    assert max(heights) > 100
    assert np.corrcoef(heights, answer)[0, 1] > 0.999


def test_pictures_of_the_input_stand_under_the_maps(reader, explorer):
    size = reader("#overlay img").evaluate("i => [i.naturalWidth, i.naturalHeight]")
    photo = explorer.session.photos[0]
    assert size == [photo.shape[1], photo.shape[0]]
    assert reader.pixels("#overlay canvas").shape[:2] == pictures.enlarged(photo, 112).shape[:2]
