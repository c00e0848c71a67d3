"""The canvas of the model graph in a page without a kernel: what it is told, and what it tells."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Browser, Locator, Page

from act_widgets.rendering.graph_layout import Drawing
from act_widgets.rendering.graph_svg import describe
from act_widgets.rendering.graph_tones import Tones
from act_widgets.widgets.graph_canvas import GraphCanvas

# A model as ipywidgets has it, and a drawn frame after each change.
SCRIPT = """
class Model {
  constructor(values) { Object.assign(this, { values, heard: {}, sent: [] }); }
  get(name) { return this.values[name]; }
  on(event, action) { (this.heard[event] ??= []).push(action); }
  off() {}
  send(message) { this.sent.push(message); }
  set(values) {
    Object.assign(this.values, values);
    for (const name of Object.keys(values)) {
      for (const action of this.heard["change:" + name] || []) action();
    }
  }
}
const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
async function begin(values) {
  const start = performance.now();
  window.model = new Model(values);
  draw(model, document.getElementById("graph"));
  await drawn();
  return performance.now() - start;
}
async function drag(steps, dx, dy, told) {
  const stage = document.querySelector(".stage svg");
  const { left, top, width, height } = stage.getBoundingClientRect();
  stage.setPointerCapture = () => {}; // there is no pointer to capture
  const [x, y] = [left + width / 2, top + height / 2];
  const send = (kind, i) => stage.dispatchEvent(new PointerEvent(kind, {
    clientX: x + i * dx, clientY: y + i * dy, button: 0, buttons: 1, pointerId: 1, bubbles: true }));
  const found = [];
  send("pointerdown", 0);
  let last = performance.now();
  for (let i = 1; i <= steps; i++) {
    send("pointermove", i);
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    found.push(told ? told() : now - last);
    last = now;
  }
  send("pointerup", steps);
  return found;
}
"""


class GraphPage:
    """One graph in a page of its own.

    Attributes
    ----------
    milliseconds : float
        From the first line of the script to the first frame with the drawing.
    """

    def __init__(self, browser: Browser, drawing: Drawing, tones: Tones | None = None, **traits: Any) -> None:
        context = browser.new_context(viewport={"width": 700, "height": 620}, reduced_motion="reduce")
        self.page: Page = context.new_page()
        self.page.set_default_timeout(10000)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.set_content('<body style="margin: 0"><div id="graph"></div></body>')
        self.page.add_script_tag(content=GraphCanvas.script + SCRIPT)
        values = {"drawing": describe(drawing, tones), "selected": "", "height": 480, **traits}
        self.milliseconds = self.page.evaluate("begin", values)

    def set(self, **traits: Any) -> None:
        """Tell the canvas what the kernel would."""
        self.page.evaluate("values => { model.set(values); return drawn(); }", traits)

    @property
    def sent(self) -> list[dict[str, Any]]:
        """What the canvas told."""
        messages: list[dict[str, Any]] = self.page.evaluate("model.sent")
        return messages

    def box(self, address: str) -> Locator:
        """Return the box or the name of a frame."""
        return self.page.locator(f'g.item[aria-label^="{address},"]')

    def is_in_sight(self, address: str) -> bool:
        """Whether a whole box is inside the panel."""
        inner, outer = (one.bounding_box() for one in (self.box(address), self.page.locator(".stage")))
        assert inner is not None and outer is not None
        return all(
            outer[start] - 4 <= inner[start] and inner[start] + inner[size] <= outer[start] + outer[size] + 4
            for start, size in (("x", "width"), ("y", "height"))
        )

    def drag(self, steps: int, dx: float, dy: float) -> list[float]:
        """Drag the drawing, one step for each frame; return how long each frame took, in ms."""
        times: list[float] = self.page.evaluate("([n, x, y]) => drag(n, x, y)", [steps, dx, dy])
        return times

    def close(self) -> None:
        """Close the page."""
        self.page.context.close()
        assert self.errors == []
