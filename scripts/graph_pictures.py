"""Draw the graphs of models that everybody knows, as they are seen first and with a group open.

Run it by ``make graphs``. Each drawing is checked: nothing in it may lie on anything else. The pictures, in
``build/graphs``, are to be looked at.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from act_widgets.rendering.graph_blocks import with_blocks  # noqa: E402  (what stands below is found only now)
from act_widgets.rendering.graph_layout import groups, lay_out  # noqa: E402
from act_widgets.rendering.graph_svg import to_svg  # noqa: E402
from tests.drawings import faults  # noqa: E402
from tests.models_with_graphs import graphs  # noqa: E402

FOLDER = ROOT / "build" / "graphs"
# Larger drawings are checked with their outermost groups open only.
MOST = 1500


def main() -> int:
    """Draw and check all; return how many drawings have faults."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    bad = 0
    for name, graph in graphs(more=True):
        found = with_blocks(graph)
        every = groups(found)
        outermost = [node.address for node in found.nodes if node.address in every and not node.parent]
        states = {
            "closed": [],
            "first open": outermost[:1],
            "middle open": outermost[len(outermost) // 2 :][:1],
        }
        if every and len(found.nodes) < MOST:
            states["all open"] = list(every)
        for words, opened in states.items():
            drawing = lay_out(found, opened)
            wrong = faults(drawing)
            bad += bool(wrong)
            file = FOLDER / f"{name.replace(' ', '-').replace(',', '')}-{words.replace(' ', '-')}.svg"
            file.write_text(to_svg(drawing), "utf-8")
            print(f"{name}, {words}: {len(drawing.boxes)} boxes, {drawing.width:.0f} × {drawing.height:.0f}")
            print(*(f"  {fault}" for fault in wrong[:5]), sep="\n", end="\n" if wrong else "")
    return bad


if __name__ == "__main__":
    sys.exit(main())
