"""How soon a change is seen: from a key to other pixels, in real JupyterLab in real Chromium.

Run it by ``make bench``. Explorer and what people do today (`interact` with matplotlib, activations kept)
stand in one notebook and take turns; beside them a slider that the kernel answers with a colour, which is
as fast as anything can be that asks the kernel. Then the explorer alone: what the kernel does for a change
of the channel, and what 5,000 of them leave in memory.

All is measured twice: with JupyterLab as it comes, and with its server told to send small messages at
once. It holds back a reply, up to 40 ms, until the page's computer has acknowledged the message before it.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import sync_playwright  # noqa: E402  (what stands below is found only now)

from tests.browser.chromium import launch  # noqa: E402
from tests.browser.lab import Lab  # noqa: E402
from tests.browser.server import JupyterServer  # noqa: E402

SCRIPT = Path(__file__).with_name("browser.js").read_text("utf-8")
ROUNDS = 4
CHANGES = 5000

# Layers of 64 maps of 56 x 56, and one of 8 maps of 224 x 224.
EXPLORER = """
import keras, numpy as np, act_widgets as aw
keras.utils.set_random_seed(0)
model = keras.Sequential([
    keras.Input((224, 224, 3)),
    keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="large"),
    keras.layers.Conv2D(64, 3, strides=4, padding="same", activation="relu", name="grid"),
    keras.layers.Conv2D(64, 3, padding="same", activation="relu", name="next"),
    keras.layers.GlobalAveragePooling2D(),
    keras.layers.Dense(10, activation="softmax"),
])
images = np.random.default_rng(0).random((4, 224, 224, 3), np.float32)
ex = aw.explore(model, images, layer="grid")
ex
"""
FLOOR = """
import ipywidgets
from act_widgets.rendering.pictures import png_of
from act_widgets.widgets.surface import Box, Placed, Scene, Sheet, Surface
surface, slider = Surface(100, 100), ipywidgets.IntSlider(max=63)
def fill(change):
    sheet = Sheet(png_of(np.full((1, 1, 3), 4 * change["new"], np.uint8)))
    surface.show((100, 100), Scene([Placed(sheet, Box(0, 0, 100, 100))]))
slider.observe(fill, "value")
floor = ipywidgets.VBox([slider, surface.face])
floor.add_class("bench-floor")
"""
INTERACT = """
import matplotlib.pyplot as plt
def slide(draw, channels, name):
    slider = ipywidgets.IntSlider(max=channels - 1)
    ipywidgets.interact(draw, channel=slider).widget.add_class(f"bench-{name}")
def one_of(layer):
    maps = ex.session.activation(layer)
    def draw(channel):
        plt.figure(figsize=(4, 4))
        plt.imshow(maps[0, :, :, channel])
        plt.show()
    return draw
def all_of(layer):
    maps = ex.session.activation(layer)
    def draw(channel):
        figure, axes = plt.subplots(8, 8, figsize=(8, 8))
        for number, one in enumerate(axes.flat):
            one.imshow(maps[0, :, :, number])
            one.axis("off")
            if number == channel:
                one.set_title("chosen")
        plt.show()
    return draw
slide(one_of("grid"), 64, "grid")
slide(one_of("large"), 8, "large")
slide(all_of("grid"), 64, "subplots")
"""
KERNEL = """
import gc, time
def seconds_of(changes):
    taken = []
    for _ in range(changes):
        start = time.perf_counter()
        ex.selection.channel = (ex.selection.channel + 1) % 64
        assert {wait}
        taken.append(time.perf_counter() - start)
    return taken
"""
WAIT = "__import__('act_widgets.widgets.worker', fromlist=['']).worker_of(ex.session).wait()"
AT_ONCE = """
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
class AtOnce(ZMQChannelsWebsocketConnection):
    async def connect(self):
        self.websocket_handler.set_nodelay(True)
        return await super().connect()
get_config().ServerApp.kernel_websocket_connection_class = AtOnce
"""


class ServerAtOnce(JupyterServer):
    """A server that sends small messages at once."""

    def _write_settings(self) -> None:
        super()._write_settings()
        (self._folder / "config" / "jupyter_server_config.py").write_text(AT_ONCE)


class Bench:
    """One notebook with all sides in it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.client = lab.page.context.new_cdp_session(lab.page)
        self.client.send("Performance.enable")
        lab.set_viewport(1600, 1400)
        lab.page.evaluate("window.jupyterapp.shell.collapseLeft()")
        lab.page.evaluate(SCRIPT)
        lab.show(EXPLORER, FLOOR, INTERACT)
        self.settle()

    def settle(self) -> None:
        """Wait until nothing is under way."""
        self.lab.wait_idle()
        assert self.lab.value(WAIT)
        self.lab.wait_idle()

    def pick(self, layer: str) -> None:
        """Choose a layer and its first channel."""
        self.lab.python(f"ex.selection.layer = {layer!r}; ex.selection.channel = 0")
        self.settle()

    def press(self, focus: str, keys: list[str], *seen: str) -> list[list[float]]:
        """Return, for each element, the milliseconds from each key until its pixels are others.

        Each key is pressed once the one before was seen, as when sliding.
        """
        self.lab.page.locator(focus).focus()
        took = []
        for key in keys:
            self.lab.page.evaluate("selectors => bench.watch(selectors)", seen)
            self.lab.page.keyboard.press(key)
            self.lab.wait_for("() => bench.state.done")
            took.append(self.lab.page.evaluate("bench.state.took"))
        self.settle()
        return [list(times) for times in zip(*took, strict=True)]

    def slide(self, card: str, count: int, *seen: str) -> list[list[float]]:
        """The same for a slider, from its beginning on."""
        handle = f"{card} .noUi-handle"
        self.lab.page.locator(handle).press("Home")
        self.settle()
        return self.press(handle, ["ArrowRight"] * count, *seen)


def measure_speed(bench: Bench) -> None:
    """Print how soon a change is seen."""
    slider, grid, alone = ".aw-ChannelSlider", ".aw-FeatureMaps canvas", ".aw-ChannelView canvas"
    rows: dict[str, list[float]] = {}

    def add(**times: list[float]) -> None:
        for name, more in times.items():
            rows.setdefault(name, []).extend(more)

    for _ in range(ROUNDS):
        bench.pick("grid")
        bench.lab.page.locator(slider).locator(".noUi-handle").focus()
        frame, channel = bench.press(f"{slider} .noUi-handle", ["ArrowRight"] * 30, grid, alone)
        add(frame=frame, channel=channel)
        add(floor=bench.slide(".bench-floor", 30, ".bench-floor canvas")[0])
        add(imshow=bench.slide(".bench-grid", 10, ".bench-grid img")[0])
        add(subplots=bench.slide(".bench-subplots", 5, ".bench-subplots img")[0])
        layers = ["ArrowDown", "ArrowUp"] * 10
        add(layer=bench.press(".aw-LayerPicker [role=tree]", layers, grid)[0])
        bench.pick("large")
        add(large=bench.press(f"{slider} .noUi-handle", ["ArrowRight"] * 7, alone)[0])
        add(large_imshow=bench.slide(".bench-large", 7, ".bench-large img")[0])

    print("from a key to other pixels, median / 95th percentile:")
    names = {
        "floor": "a slider that the kernel answers with a colour",
        "frame": "64 maps of 56 x 56: the frame around the chosen one",
        "channel": "the same: the chosen one, large",
        "imshow": "interact with one imshow of 56 x 56",
        "subplots": "interact with 64 subplots",
        "large": "a map of 224 x 224, large",
        "large_imshow": "interact with one imshow of 224 x 224",
        "layer": "another layer of 64 maps",
    }
    for name, words in names.items():
        print(f"  {words}: {in_words(rows[name])}")
    for one, other in (("imshow", "channel"), ("subplots", "frame"), ("large_imshow", "large")):
        ratio = statistics.median(rows[one]) / statistics.median(rows[other])
        print(f"  {names[one]} / {names[other]}: {ratio:.1f}")


def measure_rest(bench: Bench) -> None:
    """Print the kernel's share of a change, and what many leave behind."""
    bench.pick("grid")
    bench.lab.python(KERNEL.format(wait=WAIT))
    print(f"the kernel's share of a change: {in_words([1000 * s for s in changed(bench, 500)])}")
    before = sizes(bench)
    for _ in range(CHANGES // 500):
        changed(bench, 500)
    after = sizes(bench)
    for what in before:
        print(f"  {what}, before and after {CHANGES} changes: {before[what]:,.1f} / {after[what]:,.1f}")


def changed(bench: Bench, times: int) -> list[float]:
    """Return the kernel's seconds for each of many changes of the channel."""
    seconds: list[float] = bench.lab.value(f"seconds_of({times})")
    bench.settle()
    return seconds


def sizes(bench: Bench) -> dict[str, float]:
    """Return megabytes, and numbers of things, in kernel and page."""
    bench.lab.python("gc.collect()")
    bench.client.send("HeapProfiler.collectGarbage")
    found = {one["name"]: one["value"] for one in bench.client.send("Performance.getMetrics")["metrics"]}
    kernel = psutil.Process(bench.lab.value("__import__('os').getpid()"))
    return {
        "kernel, MB": kernel.memory_info().rss / 1e6,
        "widgets": bench.lab.value("len(__import__('ipywidgets').widgets.widget._instances)"),
        "script heap of the page, MB": found["JSHeapUsedSize"] / 1e6,
        "nodes of the page": found["Nodes"],
    }


def in_words(times: list[float]) -> str:
    """Return median and 95th percentile in words."""
    high = statistics.quantiles(times, n=20)[-1]
    return f"{statistics.median(times):.0f} / {high:.0f} ms (n = {len(times)})"


if __name__ == "__main__":
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        for kind, words in ((JupyterServer, "as it comes"), (ServerAtOnce, "that sends at once")):
            print(f"A server {words}")
            with kind(Path(tempfile.mkdtemp())) as server:
                lab = Lab(server, chromium)
                bench = Bench(lab)
                measure_speed(bench)
                if kind is JupyterServer:
                    measure_rest(bench)
                lab.check()
                lab.close()
        chromium.close()
