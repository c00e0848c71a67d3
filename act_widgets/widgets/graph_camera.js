// The camera over the model graph, and what every part of its script makes elements with.
// Names come from models and are only ever set as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";
const MOVE_THRESHOLD = 4; // pixels that make a press a drag
const MIN_SCALE = 0.01;
const TEXT_SCALE = 0.3; // below it no text is drawn: it could not be read
const READABLE = 0.75; // what is flown to is shown at least so large
const MAX_SCALE = 3;
const EDGE = 24; // pixels kept free around a layer that is moved into view
const DURATION = 220; // milliseconds
const ZOOM_KEY = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘" : "Ctrl";


function html(parent, tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  parent.append(element);
  return element;
}

function svg(parent, tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

function rect(parent, box, grow, attributes) {
  return svg(parent, "rect", {
    x: box.x - grow, y: box.y - grow, width: box.width + 2 * grow, height: box.height + 2 * grow, ...attributes,
  });
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), Math.max(low, high));

// Where the drawing lies in the panel: its position and scale, and moving between them.
class Camera {
  constructor(stage, layer, moved) {
    Object.assign(this, { stage, layer, moved, x: 0, y: 0, scale: 1, width: 0, height: 0, frame: 0 });
  }

  get size() {
    return { width: this.stage.clientWidth, height: this.stage.clientHeight };
  }

  // Keep some of the drawing in the panel: all of it where it fits, no empty ground beyond its ends else.
  set(x, y, scale = this.scale) {
    this.scale = clamp(scale, MIN_SCALE, MAX_SCALE);
    const { width, height } = this.size;
    this.x = this.bounded(x, this.width * this.scale, width, 0.5);
    this.y = this.bounded(y, this.height * this.scale, height, 0);
    this.layer.classList.toggle("far", this.scale < TEXT_SCALE);
    this.layer.setAttribute("transform", `translate(${this.x} ${this.y}) scale(${this.scale})`);
    this.moved();
  }

  // What of the drawing lies in the panel, or within `margin` panels around it.
  window(margin = 0) {
    const { width, height } = this.size;
    const [w, h] = [width / this.scale, height / this.scale];
    const [x, y] = [-this.x / this.scale, -this.y / this.scale];
    return { left: x - margin * w, top: y - margin * h, right: x + (1 + margin) * w, bottom: y + (1 + margin) * h };
  }

  shows(box) {
    const { left, top, right, bottom } = this.window();
    return box.x < right && box.x + box.width > left && box.y < bottom && box.y + box.height > top;
  }

  bounded(start, extent, room, align) {
    return extent <= room ? (room - extent) * align : clamp(start, room - extent, 0);
  }

  stop() {
    cancelAnimationFrame(this.frame);
  }

  zoom(factor, px = this.size.width / 2, py = this.size.height / 2) {
    this.stop();
    const scale = clamp(this.scale * factor, MIN_SCALE, MAX_SCALE);
    const ratio = scale / this.scale;
    this.set(px - (px - this.x) * ratio, py - (py - this.y) * ratio, scale);
  }

  whole() {
    this.stop();
    const { width, height } = this.size;
    this.set(0, 0, Math.min(1, width / this.width, height / this.height));
  }

  // Texts at 12 pixels, the given box centred from side to side, the top of the drawing in view.
  readable(box) {
    this.stop();
    const middle = box ? box.x + box.width / 2 : this.width / 2;
    this.set(this.size.width / 2 - middle, 0, 1);
  }

  // Move by as little as puts the box into view.
  reveal(box) {
    const { width, height } = this.size;
    const axis = (start, extent, at, room) => {
      const edge = Math.min(EDGE, Math.max(0, (room - extent) / 2));
      return clamp(at, edge - start, room - edge - start - extent);
    };
    const s = this.scale;
    this.glide(axis(box.x * s, box.width * s, this.x, width),
               axis(box.y * s, Math.min(box.height * s, height - 2 * EDGE), this.y, height));
  }

  // Bring a box to the middle, large enough to be read.
  fly(box) {
    const { width, height } = this.size;
    const scale = Math.max(this.scale, READABLE);
    if (scale > this.scale) this.zoom(scale / this.scale);
    const tall = Math.min(box.height * scale, height - 2 * EDGE);
    this.glide(width / 2 - (box.x + box.width / 2) * scale, height / 2 - box.y * scale - tall / 2);
  }

  glide(x, y) {
    this.stop();
    const [x0, y0, start] = [this.x, this.y, performance.now()];
    if (Math.hypot(x - x0, y - y0) < 1) return;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.set(x, y);
    const step = (now) => {
      const t = clamp((now - start) / DURATION, 0, 1);
      const eased = t * (2 - t);
      this.set(x0 + (x - x0) * eased, y0 + (y - y0) * eased);
      if (t < 1) this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }
}
