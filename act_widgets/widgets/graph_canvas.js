// The model graph as SVG. Pan, zoom and highlight happen here; clicks are told to Python.
// Names come from models and are only ever set as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";
const MOVE_THRESHOLD = 4; // pixels that make a press a drag
const MIN_SCALE = 0.01;
const TEXT_SCALE = 0.3; // below it no text is drawn: it could not be read
const MAX_SCALE = 3;
const EDGE = 24; // pixels kept free around a layer that is moved into view
const DURATION = 220; // milliseconds
const ZOOM_KEY = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘" : "Ctrl";

const STYLE = `
.actw-graph { position: relative; width: 100%; overflow: hidden; border-radius: 6px;
  font: 12px var(--jp-ui-font-family, system-ui, sans-serif); display: flex; flex-direction: column;
  color: var(--jp-ui-font-color1, #222); background: var(--jp-layout-color1, #fff); }
.actw-graph .stage { position: relative; flex: 1; min-height: 0; }
.actw-graph svg { position: absolute; inset: 0; width: 100%; height: 100%; cursor: grab; touch-action: none;
  font-size: 12px; user-select: none; -webkit-user-select: none; }
.actw-graph svg.dragging { cursor: grabbing; }
.actw-graph svg:focus-visible, .actw-graph button:focus-visible {
  outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: -2px; }
.actw-graph .edge { fill: none; stroke: var(--jp-ui-font-color3, #8c8c8c); stroke-width: 1.5; }
.actw-graph .arrow { fill: var(--jp-ui-font-color3, #8c8c8c); }
.actw-graph .near .edge { stroke: var(--jp-ui-font-color1, #222); stroke-width: 2; }
.actw-graph .near .arrow { fill: var(--jp-ui-font-color1, #222); }
.actw-graph .far text { display: none; }
.actw-graph .item { cursor: pointer; outline: none; }
.actw-graph .item:hover .body { filter: brightness(1.08); }
.actw-graph .item .ring { fill: none; stroke: none; pointer-events: none; }
.actw-graph .item:focus-visible .ring { stroke: var(--jp-brand-color1, #1976d2); stroke-width: 2;
  stroke-dasharray: 4 2; }
.actw-graph .chosen { fill: none; stroke: var(--jp-warn-color1, #ee7733); stroke-width: 3; pointer-events: none; }
.actw-graph .body { stroke: var(--jp-layout-color1, #fff); stroke-width: 1; }
.actw-graph .group .body { stroke: #8f8770; }
.actw-graph .frame { fill: #7f8fa6; fill-opacity: 0.12; stroke: var(--jp-border-color1, #9a9a9a); }
.actw-graph .chip { fill: var(--jp-layout-color1, #fff); stroke: var(--jp-border-color1, #9a9a9a); }
.actw-graph .chip-text { fill: var(--jp-ui-font-color1, #222); font-weight: bold; }
.actw-graph .close-sign, .actw-graph .open-sign { stroke-width: 1.6; fill: none; pointer-events: none; }
.actw-graph .close-sign { stroke: var(--jp-ui-font-color1, #222); }
.actw-graph .bar { display: flex; align-items: center; gap: 8px; }
.actw-graph .hint { flex: 1; }
.actw-graph .tools { display: flex; border-radius: 5px; border: 1px solid var(--jp-border-color2, #ccc); }
.actw-graph button { font: inherit; font-weight: 600; min-width: 24px; height: 24px; padding: 0 5px; cursor: pointer;
  border: 0; border-radius: 4px; color: var(--jp-ui-font-color1, #222); background: transparent; }
.actw-graph button:hover { background: var(--jp-layout-color2, #eee); }
.actw-graph .foot { padding: 6px 4px 2px; border-top: 1px solid var(--jp-border-color2, #ddd);
  font-size: 11px; color: var(--jp-ui-font-color2, #555); }
.actw-graph .legend { display: flex; flex-wrap: wrap; gap: 2px 10px; margin-bottom: 3px; }
.actw-graph .legend i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 4px;
  vertical-align: -1px; border: 1px solid var(--jp-border-color2, #ccc); box-sizing: border-box; }
`;

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
  constructor(stage, layer) {
    Object.assign(this, { stage, layer, x: 0, y: 0, scale: 1, width: 0, height: 0, frame: 0 });
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

function drawNode(parent, node) {
  const item = svg(parent, "g", {
    class: `item ${node.role}`, role: "button", tabindex: -1, "aria-label":
      node.role === "group" ? `${node.label}. Closed; Enter opens it.` : node.label,
  });
  svg(item, "title", {}, node.title);
  const corners = { rx: node.role === "row" ? 2 : 4, fill: node.fill };
  if (node.role === "group") rect(item, { ...node, x: node.x + 3, y: node.y + 3 }, 0, { ...corners, class: "body" });
  rect(item, node, 0, { ...corners, class: "body" });
  const single = node.lines.length === 1;
  node.lines.forEach((line, i) => svg(item, "text", {
    x: node.x + node.width / 2, y: single ? node.y + node.height / 2 + 4 : node.y + 17 + 15 * i,
    "text-anchor": "middle", fill: node.ink, "font-weight": single || i ? "normal" : "bold",
  }, line));
  if (node.role === "group") {
    svg(item, "path", { class: "open-sign", stroke: node.ink, d: `M${node.x + 10} ${node.y + 13}h8m-4 -4v8` });
  }
  return item;
}

function drawFrameHead(parent, frame) {
  const close = svg(parent, "g", { class: "item close", role: "button", tabindex: -1,
                                   "aria-label": `Close ${frame.label}` });
  svg(close, "title", {}, `Close ${frame.address}`);
  const square = { x: frame.x, y: frame.y, width: 20, height: 20 };
  rect(close, square, 0, { class: "chip body", rx: 4 });
  svg(close, "path", { class: "close-sign", d: `M${frame.x + 6} ${frame.y + 10}h8` });
  rect(close, square, 1, { class: "ring", rx: 4 });
  const head = svg(parent, "g", { class: "item head", role: "button", tabindex: -1, "aria-label": frame.label });
  svg(head, "title", {}, frame.title);
  const ground = { x: frame.x + 20, y: frame.y, width: frame.text_width + 12, height: 20 };
  rect(head, ground, 0, { class: "chip body", rx: 4 });
  svg(head, "text", { class: "chip-text", x: frame.x + 26, y: frame.y + 14 }, frame.text);
  rect(head, frame, 2, { class: "ring", rx: 7 });
  return { close, head };
}

// One displayed copy of the widget.
class GraphView {
  constructor(state, el) {
    this.state = state;
    this.anchor = null; // the group that was opened or closed, and where it was on the screen
    this.build(el);
    this.camera = new Camera(this.stage, this.layer);
    this.listen();
    this.draw();
  }

  build(el) {
    html(el, "style", "", STYLE);
    this.root = html(el, "div", "actw-graph");
    this.root.dataset.lmSuppressShortcuts = "true"; // JupyterLab must not take Enter, arrows or + from us
    this.stage = html(this.root, "div", "stage");
    this.svg = svg(this.stage, "svg", { tabindex: -1, role: "group", "aria-label": "Model graph" });
    this.layer = svg(this.svg, "g");
    const foot = html(this.root, "div", "foot");
    this.legend = html(foot, "div", "legend");
    const bar = html(foot, "div", "bar");
    html(bar, "span", "hint", `Drag to move, ${ZOOM_KEY} + wheel to zoom`).title =
      "After a click into the graph the wheel scrolls it. Keys: arrows, Enter, + − 0";
    const tools = html(bar, "span", "tools");
    const tool = (text, label, action) => {
      const button = html(tools, "button", "", text);
      Object.assign(button, { type: "button", title: label, onclick: action });
      button.setAttribute("aria-label", label);
    };
    tool("+", "Zoom in", () => this.camera.zoom(1.25));
    tool("−", "Zoom out", () => this.camera.zoom(0.8));
    tool("Fit", "Show the whole graph", () => this.camera.whole());
    tool("1:1", "Readable size, at the selected layer", () => this.goReadable());
  }

  listen() {
    const { state } = this;
    const on = { "change:drawing": () => this.draw(), "change:selected": () => this.follow(),
                 "change:height": () => this.resize() };
    for (const [event, action] of Object.entries(on)) state.on(event, action);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.stage);
    this.svg.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.svg.addEventListener("pointerdown", (event) => this.press(event));
    this.svg.addEventListener("click", (event) => this.endDrag(event), { capture: true });
    this.svg.addEventListener("keydown", (event) => this.key(event));
    this.dispose = () => {
      for (const [event, action] of Object.entries(on)) state.off(event, action);
      this.observer.disconnect();
      this.camera.stop();
    };
  }

  draw() {
    const drawing = this.state.get("drawing") || {};
    const { nodes = [], frames = [], edges = [], width = 1, height = 1, legend = [] } = drawing;
    const same = this.drawing !== undefined && this.drawing.name === drawing.name;
    this.root.style.height = `${this.state.get("height")}px`;
    this.drawing = drawing;
    const focused = this.svg.contains(this.svg.getRootNode().activeElement) && this.current && this.current.address;
    this.layer.replaceChildren();
    this.items = new Map(); // address -> { box, element, group }
    this.current = undefined;
    this.order = []; // what the keyboard walks through, from top to bottom
    frames.forEach((frame) => rect(this.layer, frame, 0, { class: "frame", rx: 6 }));
    this.edges = edges.map((edge) => this.drawEdge(edge));
    nodes.forEach((node) => this.addNode(node));
    frames.forEach((frame) => this.addFrame(frame));
    this.order.sort((a, b) => a.box.y - b.box.y || a.box.x - b.box.x);
    this.drawLegend(legend);
    Object.assign(this.camera, { width, height });
    this.ring = svg(this.layer, "rect", { class: "chosen", rx: 6 });
    this.place(same);
    this.highlight(this.state.get("selected"));
    if (focused && this.find(focused)) this.find(focused).element.focus({ preventScroll: true });
  }

  drawEdge(edge) {
    const element = svg(this.layer, "g", {});
    svg(element, "path", { class: "edge", d: edge.path });
    svg(element, "path", { class: "arrow", d: edge.arrow });
    return { ...edge, element };
  }

  addNode(node) {
    const element = drawNode(this.layer, node);
    rect(element, node, 2, { class: "ring", rx: 6 });
    this.add(node.address, element, node, () => {
      this.select(node.address);
      if (node.role === "group") this.toggle(node.address, true);
    });
  }

  addFrame(frame) {
    const parts = drawFrameHead(this.layer, frame);
    const at = { x: frame.x, y: frame.y, width: 20, height: 20 };
    // A group with several results keeps a node of its own, which has the address already.
    this.add(frame.address, parts.head, frame, () => this.select(frame.address));
    // A page without a kernel shows all groups open, for good.
    if (this.state.get("fixed")) parts.close.remove();
    else this.enter(parts.close, { box: at, address: frame.address, element: parts.close },
                    () => this.toggle(frame.address, false));
  }

  add(address, element, box, action) {
    const entry = { address, element, box };
    this.items.set(address, entry);
    this.enter(element, entry, action);
  }

  enter(element, entry, action) {
    entry.action = action;
    element.addEventListener("click", action);
    element.addEventListener("focus", () => this.makeCurrent(entry));
    this.order.push(entry);
  }

  drawLegend(legend) {
    this.legend.replaceChildren();
    legend.forEach(({ text, fill }) => {
      const entry = html(this.legend, "span");
      html(entry, "i").style.background = fill;
      entry.append(text);
    });
  }

  // Keep the view on a redraw of the same graph; begin at the top of a new one.
  place(same) {
    const { width } = this.camera.size;
    if (!width) return; // not on the screen yet: resize() comes back to this
    const held = same && this.placed && this.anchor && this.find(this.anchor.address);
    if (held) {
      const { scale } = this.camera;
      this.camera.set(this.anchor.x - held.box.x * scale, this.anchor.y - held.box.y * scale);
    } else if (same && this.placed) {
      this.camera.set(this.camera.x, this.camera.y);
    } else {
      this.camera.readable((this.drawing.nodes || [])[0]);
      this.reveal();
    }
    this.placed = true;
    this.anchor = null;
  }

  resize() {
    this.root.style.height = `${this.state.get("height")}px`;
    if (!this.placed) this.place(false);
    else this.camera.set(this.camera.x, this.camera.y);
  }

  find(address) {
    return this.items.get(address);
  }

  goReadable() {
    const chosen = this.find(this.state.get("selected"));
    this.camera.readable(chosen ? chosen.box : (this.drawing.nodes || [])[0]);
    this.reveal();
  }

  reveal() {
    const chosen = this.find(this.state.get("selected"));
    if (chosen) this.camera.reveal(chosen.box);
  }

  follow() {
    this.highlight(this.state.get("selected"));
    if (this.placed) this.reveal();
  }

  highlight(address) {
    const chosen = this.find(address);
    for (const entry of this.items.values()) entry.element.setAttribute("aria-pressed", entry === chosen);
    for (const edge of this.edges) {
      edge.element.setAttribute("class", [edge.source, edge.target].includes(address) ? "near" : "");
    }
    this.ring.setAttribute("visibility", chosen ? "visible" : "hidden");
    if (chosen) this.encircle(chosen.box);
    this.makeCurrent(chosen || this.current || this.order[0]);
  }

  encircle({ x, y, width, height }) {
    const sides = { x: x - 2, y: y - 2, width: width + 4, height: height + 4 };
    for (const [name, value] of Object.entries(sides)) this.ring.setAttribute(name, value);
  }

  // Tab reaches one layer at a time; the arrow keys walk on from it.
  makeCurrent(entry) {
    if (this.current) this.current.element.setAttribute("tabindex", -1);
    this.current = entry;
    if (entry) entry.element.setAttribute("tabindex", 0);
  }

  select(address) {
    this.highlight(address); // at once: the kernel, which answers by setting `selected`, may be busy
    this.state.send({ type: "select", address });
  }

  toggle(address, opened) {
    const { box } = this.find(address);
    const { x, y, scale } = this.camera;
    this.anchor = { address, x: x + box.x * scale, y: y + box.y * scale };
    this.state.send({ type: "toggle", address, opened });
  }

  wheel(event) {
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      const at = this.svg.getBoundingClientRect();
      this.camera.zoom(Math.exp(-event.deltaY * 0.002), event.clientX - at.left, event.clientY - at.top);
      return;
    }
    // The page keeps its wheel until the user has clicked into the graph, and again at the graph's ends.
    if (!this.root.contains(document.activeElement)) return;
    const unit = event.deltaMode === 1 ? 16 : 1;
    const [dx, dy] = event.shiftKey ? [event.deltaY, 0] : [event.deltaX, event.deltaY];
    const { x, y } = this.camera;
    this.camera.stop();
    this.camera.set(x - dx * unit, y - dy * unit);
    if (this.camera.x !== x || this.camera.y !== y) event.preventDefault();
  }

  press(event) {
    if (event.button !== 0) return;
    this.dragged = false;
    const { x, y } = this.camera;
    const move = (e) => {
      const [dx, dy] = [e.clientX - event.clientX, e.clientY - event.clientY];
      if (!this.dragged && Math.hypot(dx, dy) < MOVE_THRESHOLD) return;
      if (!this.dragged) this.svg.setPointerCapture(event.pointerId);
      this.dragged = true;
      this.svg.classList.add("dragging");
      this.camera.stop();
      this.camera.set(x + dx, y + dy);
    };
    const stop = () => {
      this.svg.classList.remove("dragging");
      this.svg.removeEventListener("pointermove", move);
      for (const name of ["pointerup", "pointercancel"]) this.svg.removeEventListener(name, stop);
    };
    this.svg.addEventListener("pointermove", move);
    for (const name of ["pointerup", "pointercancel"]) this.svg.addEventListener(name, stop);
  }

  // The click that ends a drag chooses nothing.
  endDrag(event) {
    if (this.dragged) event.stopPropagation();
    this.dragged = false;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const actions = {
      Enter: () => this.current && this.current.action(),
      " ": () => this.current && this.current.action(),
      ArrowDown: () => this.walk(0, 1), ArrowUp: () => this.walk(0, -1),
      ArrowLeft: () => this.walk(-1, 0), ArrowRight: () => this.walk(1, 0),
      Home: () => this.focus(this.order[0]), End: () => this.focus(this.order[this.order.length - 1]),
      "+": () => this.camera.zoom(1.25), "-": () => this.camera.zoom(0.8), 0: () => this.camera.whole(),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    actions[event.key]();
  }

  // Focus the nearest item in the direction (dx, dy); being off to the side counts double.
  walk(dx, dy) {
    if (!this.current) return;
    const centre = ({ box, element }) => element.classList.contains("head")
      ? [box.x + 40, box.y + 10] : [box.x + box.width / 2, box.y + box.height / 2];
    const [x, y] = centre(this.current);
    let best, least = Infinity;
    for (const entry of this.order) {
      const [ex, ey] = centre(entry);
      const ahead = (ex - x) * dx + (ey - y) * dy;
      const aside = Math.abs((ex - x) * dy) + Math.abs((ey - y) * dx);
      if (ahead > 1 && ahead + 2 * aside < least) [best, least] = [entry, ahead + 2 * aside];
    }
    this.focus(best);
  }

  focus(entry) {
    if (!entry) return;
    entry.element.focus({ preventScroll: true });
    const head = entry.element.classList.contains("head");
    this.camera.reveal(head ? { ...entry.box, height: 20 } : entry.box);
  }
}

function draw(state, el) {
  const view = new GraphView(state, el);
  return () => view.dispose();
}
