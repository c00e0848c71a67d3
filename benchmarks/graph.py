"""How soon the graph of a model is seen, and how smoothly it moves, in real Chromium.

Run it by ``make bench``. For each graph: finding repeated blocks and laying out what is seen at first, then
with one group opened, as a click does it; what the page takes until the first frame with it; and the frames
of a drag, 60 steps of 40 pixels. All groups open is shown beside it, where a person would seldom go. At the
end, how the times grow with the number of boxes.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Collection
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, sync_playwright  # noqa: E402  (what stands below is found only now)

from act_widgets.model_graph import Graph  # noqa: E402
from act_widgets.rendering.graph_blocks import with_blocks  # noqa: E402
from act_widgets.rendering.graph_layout import groups, lay_out  # noqa: E402
from act_widgets.rendering.graph_svg import describe  # noqa: E402
from tests.big_graphs import chain, scopes  # noqa: E402
from tests.browser.chromium import launch  # noqa: E402
from tests.browser.graph_page import GraphPage  # noqa: E402
from tests.models_with_graphs import graphs  # noqa: E402

STEPS, PIXELS = 60, -40
# More boxes than this at once are not drawn here: it would take a minute, and nobody looks at them.
MOST = 1500


def measure(browser: Browser, name: str, graph: Graph) -> None:
    """Print one row for each state of a graph."""
    start = time.perf_counter()
    found = with_blocks(graph)
    blocks = time.perf_counter() - start
    print(f"{name}: {len(graph.nodes):,} calls, {1000 * blocks:.0f} ms to find blocks")
    row(browser, "closed", found, ())
    every = groups(found)
    if not every:
        return
    outermost = {node.address for node in found.nodes if not node.parent}
    first = {max((g for g in every if g in outermost), key=lambda g: inside(found, g))}
    row(browser, "the largest group open", found, first)
    deeper = [g for g in every if parent_of(found, g) in first]
    if deeper:
        row(browser, "and the largest inside", found, first | {max(deeper, key=lambda g: inside(found, g))})
    if len(found.nodes) < MOST:
        row(browser, "all open", found, every)


def row(browser: Browser, words: str, graph: Graph, opened: Collection[str]) -> None:
    """Print what one drawing takes."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        drawing = lay_out(graph, opened)
        describe(drawing)
        seconds.append(time.perf_counter() - start)
    page = GraphPage(browser, drawing)
    near = page.drag(STEPS, 0, PIXELS)
    page.page.get_by_role("button", name="Show the whole graph").click()
    page.page.get_by_role("button", name="Zoom in").click()
    far = page.drag(STEPS, 0, PIXELS)
    print(
        f"  {words}: {len(drawing.boxes):,} boxes, layout {1000 * statistics.median(seconds):.0f} ms, "
        f"first frame {page.milliseconds:.0f} ms, frames {in_words(near)}, from afar {in_words(far)}"
    )
    page.close()


def in_words(times: list[float]) -> str:
    """Return median and 95th percentile."""
    return f"{statistics.median(times):.0f} / {statistics.quantiles(times, n=20)[-1]:.0f} ms"


def inside(graph: Graph, group: str) -> int:
    """Return how many calls are right inside a group."""
    return sum(node.parent == group for node in graph.nodes)


def parent_of(graph: Graph, group: str) -> str:
    """Return the group around a group."""
    return next(node.parent for node in graph.nodes if node.address == group)


def growth(browser: Browser) -> None:
    """Print how the times grow with the number of boxes."""
    print("growth")
    for count in (125, 250, 500, 1000):
        row(browser, f"a chain of {count}", chain(count), ())
    for count in (125, 250, 500, 1000):
        row(browser, f"a scope of {count}", scopes([count]), ("model", "model/block_0"))


def main(names: list[str]) -> None:
    """Measure the graphs of these names, or all."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for name, graph in graphs():
            if not names or name in names:
                measure(browser, name, graph)
        growth(browser)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
