// What the colours of the model graph mean, and what is known of the layer under the pointer.

// Stripes over what has no value. Returns the name that a fill uses.
function drawHatch(parent) {
  const id = `actw-hatch-${Math.random().toString(36).slice(2)}`;
  const pattern = svg(svg(parent, "defs"), "pattern", {
    id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)",
  });
  svg(pattern, "rect", { width: 2, height: 6, fill: "#000", "fill-opacity": 0.22 });
  return id;
}

function drawScale(parent, scale) {
  const root = html(parent, "div", "scale");
  root.style.width = "100%";
  html(root, "span", "", scale.title);
  html(root, "div", "colours").style.background = `linear-gradient(to right, ${scale.colours.join(",")})`;
  const ticks = html(root, "div", "ticks");
  scale.ticks.forEach(([share, text]) => { html(ticks, "span", "", text).style.left = `${100 * share}%`; });
}

// A small card beside the pointer.
class Tip {
  constructor(stage) {
    this.stage = stage;
    this.root = html(stage, "div", "tip");
    this.hide();
  }

  hide() {
    this.root.hidden = true;
    this.thing = null;
  }

  show(thing, event) {
    if (this.thing !== thing) this.write(thing);
    this.root.hidden = false;
    const at = this.stage.getBoundingClientRect();
    const { offsetWidth, offsetHeight } = this.root;
    const [x, y] = [event.clientX - at.left, event.clientY - at.top];
    // Beside the pointer, never under it.
    const left = x + 14 + offsetWidth <= at.width ? x + 14 : x - 14 - offsetWidth;
    const top = y + 14 + offsetHeight <= at.height ? y + 14 : y - 8 - offsetHeight;
    this.root.style.left = `${clamp(left, 4, at.width - offsetWidth - 4)}px`;
    this.root.style.top = `${clamp(top, 4, at.height - offsetHeight - 4)}px`;
  }

  write(thing) {
    this.thing = thing;
    this.root.replaceChildren();
    html(this.root, "strong", "", thing.box.name);
    const facts = html(this.root, "div", "facts");
    for (const [what, value] of thing.box.facts) {
      html(facts, "span", "what", what);
      html(facts, "span", "value", value);
    }
  }
}
