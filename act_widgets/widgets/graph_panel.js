// The panel of the model graph: its elements, and what stands below the drawing.

class Panel {
  // `tools`: sign, name and action of each button. `drawSearch(root)` puts the field for it above the drawing.
  constructor(el, tools, drawSearch) {
    html(el, "style", "", STYLE);
    this.root = html(el, "div", "actw-graph");
    drawSearch(this.root);
    this.stage = html(this.root, "div", "stage");
    this.svg = svg(this.stage, "svg", { tabindex: -1, role: "group", "aria-label": "Model graph" });
    this.hatch = drawHatch(this.svg);
    this.layer = svg(this.svg, "g");
    this.grounds = svg(this.layer, "g");
    this.sheet = svg(this.layer, "g");
    this.ring = svg(this.layer, "rect", { class: "chosen", rx: 6 });
    this.mark = svg(this.layer, "rect", { class: "found", rx: 8, visibility: "hidden" });
    this.drawFoot(tools);
  }

  drawFoot(tools) {
    const foot = html(this.root, "div", "foot");
    this.legend = html(foot, "div", "legend");
    const bar = html(foot, "div", "bar");
    html(bar, "span", "hint", `Drag to move, ${ZOOM_KEY} + wheel to zoom`).title =
      "After a click into the graph the wheel scrolls it. Keys: arrows, Enter, + − 0";
    const room = html(bar, "span", "tools");
    for (const [text, label, action] of tools) {
      const button = html(room, "button", "", text);
      Object.assign(button, { type: "button", title: label, onclick: action });
      button.setAttribute("aria-label", label);
    }
  }

  set height(pixels) {
    this.root.style.height = `${pixels}px`;
  }

  drawGrounds(frames) {
    this.grounds.replaceChildren();
    frames.forEach((frame) => rect(this.grounds, frame, 0, { class: "frame", rx: 6 }));
  }

  drawLegend({ legend = [], scale }) {
    this.legend.replaceChildren();
    if (scale) drawScale(this.legend, scale);
    legend.forEach(({ text, fill }) => {
      const entry = html(this.legend, "span");
      const sample = html(entry, "i", fill ? "" : "hatched");
      if (fill) sample.style.background = fill;
      entry.append(text);
    });
  }

  // Draw the ring of what is selected, or the one of what was found, around a box; around none: hide it.
  encircle(ring, box) {
    ring.setAttribute("visibility", box ? "visible" : "hidden");
    if (!box) return;
    const grow = ring === this.mark ? 5 : 2;
    const { x, y, width, height } = box;
    const sides = { x: x - grow, y: y - grow, width: width + 2 * grow, height: height + 2 * grow };
    for (const [name, value] of Object.entries(sides)) ring.setAttribute(name, value);
  }
}
