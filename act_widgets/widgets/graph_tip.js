// What the colours of the model graph mean, and what is known of the layer under the pointer, or of that
// which the keyboard is at.

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

// A small card beside a layer.
class Tip {
  constructor(stage) {
    this.stage = stage;
    this.root = html(stage, "div", "tip");
    this.root.setAttribute("role", "tooltip");
    this.hide();
  }

  hide() {
    this.root.hidden = true;
    this.thing = null;
  }

  // `at`: what it must not cover, in pixels of the panel; without a size for a pointer.
  show(thing, at) {
    if (this.thing !== thing) this.write(thing);
    this.root.hidden = false;
    const { clientWidth: width, clientHeight: height } = this.stage;
    const { offsetWidth, offsetHeight } = this.root;
    const beside = at.right + 14 + offsetWidth <= width ? at.right + 14 : at.left - 14 - offsetWidth;
    const [x, y] = beside >= 0 ? [beside, at.top] : [at.left, at.bottom];
    const top = y + 14 + offsetHeight <= height ? y + 14 : at.top - 8 - offsetHeight;
    this.root.style.left = `${clamp(x, 4, width - offsetWidth - 4)}px`;
    this.root.style.top = `${clamp(top, 4, height - offsetHeight - 4)}px`;
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
