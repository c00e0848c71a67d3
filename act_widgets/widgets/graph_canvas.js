// The model graph as SVG. Pan, zoom, search and highlight happen here; clicks are told to Python.

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
.actw-graph .ring, .actw-graph .chosen, .actw-graph .found { vector-effect: non-scaling-stroke; }
.actw-graph .item .ring { fill: none; stroke: none; pointer-events: none; }
.actw-graph .item:focus-visible .ring { stroke: var(--jp-brand-color1, #1976d2); stroke-width: 2;
  stroke-dasharray: 4 2; }
.actw-graph .chosen { fill: none; stroke: var(--jp-warn-color1, #ee7733); stroke-width: 3; pointer-events: none; }
.actw-graph .found { fill: none; stroke: var(--jp-brand-color1, #1976d2); stroke-width: 3; stroke-dasharray: 7 3; pointer-events: none; }
.actw-graph .body { stroke: var(--jp-layout-color1, #fff); stroke-width: 1; }
.actw-graph .group .body { stroke: #8f8770; }
.actw-graph .frame { fill: #7f8fa6; fill-opacity: 0.12; stroke: var(--jp-border-color1, #9a9a9a); }
.actw-graph .chip { fill: var(--jp-layout-color1, #fff); stroke: var(--jp-border-color1, #9a9a9a); }
.actw-graph .chip-text { fill: var(--jp-ui-font-color1, #222); font-weight: bold; }
.actw-graph .close-sign, .actw-graph .open-sign { stroke-width: 1.6; fill: none; pointer-events: none; }
.actw-graph .close-sign { stroke: var(--jp-ui-font-color1, #222); }
.actw-graph .search { display: flex; align-items: center; gap: 4px; padding: 0 0 4px; }
.actw-graph .search input { font: inherit; font-size: 13px; flex: 1 1 auto; min-width: 0; height: 26px; padding: 0 6px;
  box-sizing: border-box; border: 1px solid var(--jp-border-color1, #bdbdbd); border-radius: 2px;
  color: var(--jp-ui-font-color0, #111); background: var(--jp-layout-color1, #fff); }
.actw-graph .search input:focus-visible { outline-offset: -2px; }
.actw-graph .search input::placeholder { color: var(--jp-ui-font-color2, #616161); opacity: 1; }
.actw-graph .count { white-space: nowrap; font-variant-numeric: tabular-nums; }
.actw-graph .tip { position: absolute; z-index: 2; max-width: min(320px, calc(100% - 16px)); padding: 6px 8px; pointer-events: none;
  border: 1px solid var(--jp-border-color1, #bdbdbd); border-radius: 4px; box-shadow: 0 2px 8px rgba(0, 0, 0, 0.25); overflow-wrap: anywhere;
  color: var(--jp-ui-font-color0, #111); background: var(--jp-layout-color1, #fff); box-sizing: border-box; }
.actw-graph .tip[hidden] { display: none; }
.actw-graph .tip strong { display: block; }
.actw-graph .tip .facts { display: grid; grid-template-columns: auto 1fr; gap: 0 10px; }
.actw-graph .tip .what { color: var(--jp-ui-font-color2, #555); white-space: nowrap; }
.actw-graph .tip .value { font-variant-numeric: tabular-nums; }
.actw-graph .bar { display: flex; align-items: center; gap: 8px; }
.actw-graph .hint { flex: 1; }
.actw-graph .tools { display: flex; border-radius: 5px; border: 1px solid var(--jp-border-color2, #ccc); }
.actw-graph button { font: inherit; font-weight: 600; min-width: 24px; height: 24px; padding: 0 5px; cursor: pointer;
  border: 0; border-radius: 4px; color: var(--jp-ui-font-color1, #222); background: transparent; }
.actw-graph button:hover { background: var(--jp-layout-color2, #eee); }
.actw-graph .foot { padding: 6px 4px 2px; border-top: 1px solid var(--jp-border-color2, #ddd);
  font-size: 11px; color: var(--jp-ui-font-color2, #555); }
.actw-graph .legend { display: flex; flex-wrap: wrap; gap: 2px 10px; margin-bottom: 3px; }
.actw-graph .scale { display: grid; grid-template-columns: 1fr; gap: 1px; margin-bottom: 3px; }
.actw-graph .scale .colours { height: 10px; border-radius: 2px; border: 1px solid var(--jp-border-color2, #ccc); }
.actw-graph .scale .ticks { position: relative; height: 15px; font-variant-numeric: tabular-nums; }
.actw-graph .scale .ticks span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.actw-graph .scale .ticks span:first-child { transform: none; }
.actw-graph .scale .ticks span:last-child { transform: translateX(-100%); }
.actw-graph .hatched { background: repeating-linear-gradient(-45deg, #8a8a8a 0 2px, #d9d9d9 2px 5px); }
.actw-graph .legend i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 4px;
  vertical-align: -1px; border: 1px solid var(--jp-ui-font-color2, #616161); box-sizing: border-box; }
`;

// What is seen of an item: of a frame its name.
const spot = ({ box, head }) => (head ? { ...box, height: 20 } : box);

const isInside = ({ x, y }, frame) =>
  x > frame.x && x < frame.x + frame.width && y > frame.y && y < frame.y + frame.height;

// One displayed copy of the widget.
class GraphView {
  constructor(state, el) {
    this.state = state;
    this.anchor = null; // the group that was opened or closed, and where it was on the screen
    this.build(el);
    this.camera = new Camera(this.stage, this.layer, () => this.moved());
    this.shown = new Items(this.camera, this.sheet);
    this.tip = new Tip(this.stage);
    this.listen();
    this.draw();
  }

  build(el) {
    html(el, "style", "", STYLE);
    this.root = html(el, "div", "actw-graph");
    this.search = new Search(this.root, () => this.names(), (address) => this.seek(address));
    this.stage = html(this.root, "div", "stage");
    this.svg = svg(this.stage, "svg", { tabindex: -1, role: "group", "aria-label": "Model graph" });
    this.hatch = drawHatch(this.svg);
    this.layer = svg(this.svg, "g");
    this.grounds = svg(this.layer, "g");
    this.sheet = svg(this.layer, "g");
    this.ring = svg(this.layer, "rect", { class: "chosen", rx: 6 });
    this.mark = svg(this.layer, "rect", { class: "found", rx: 8, visibility: "hidden" });
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
                 "change:height": () => this.resize(), "change:flight": () => this.land() };
    for (const [event, action] of Object.entries(on)) state.on(event, action);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.stage);
    this.svg.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.svg.addEventListener("pointerdown", (event) => this.press(event));
    this.svg.addEventListener("click", (event) => this.endDrag(event), { capture: true });
    this.svg.addEventListener("keydown", (event) => this.key(event));
    this.svg.addEventListener("pointermove", (event) => this.hover(event));
    for (const name of ["pointerleave", "pointerdown"]) this.svg.addEventListener(name, () => this.tip.hide());
    this.dispose = () => {
      for (const [event, action] of Object.entries(on)) state.off(event, action);
      this.observer.disconnect();
      this.camera.stop();
    };
  }

  draw() {
    const drawing = this.state.get("drawing") || {};
    const { nodes = [], frames = [], edges = [], width = 1, height = 1 } = drawing;
    const same = this.drawing !== undefined && this.drawing.name === drawing.name;
    this.root.style.height = `${this.state.get("height")}px`;
    const [left, around] = [this.focused, (this.drawing || {}).frames];
    this.drawing = drawing;
    this.items = new Map(); // address -> what stands for it
    this.current = undefined;
    this.order = []; // what the keyboard walks through, from top to bottom
    this.grounds.replaceChildren();
    frames.forEach((frame) => rect(this.grounds, frame, 0, { class: "frame", rx: 6 }));
    nodes.forEach((node) => this.addNode(node));
    frames.forEach((frame) => this.addFrame(frame));
    const things = [...this.order];
    this.order.sort((a, b) => a.box.y - b.box.y || a.box.x - b.box.x);
    this.drawLegend(drawing);
    Object.assign(this.camera, { width, height });
    this.tip.hide();
    this.shown.show(things, edges, (item) => this.made(item));
    this.place(same);
    this.highlight(this.state.get("selected"));
    this.encircle(this.mark, this.marked);
    if (left) this.take(this.heir(left, around));
  }

  addNode(node) {
    this.add(node.address, node, (sheet) => drawNode(sheet, node, this.hatch), () => {
      // A block is nothing that could be looked at: it only opens.
      if (node.role !== "group" || node.selectable) this.select(node.address);
      if (node.role === "group") this.toggle(node.address, true);
    });
  }

  addFrame(frame) {
    // A group with several results keeps a node of its own, which has the address already.
    const choose = () => frame.selectable && this.select(frame.address);
    this.add(frame.address, frame, (sheet) => drawHead(sheet, frame), choose).head = true;
    this.order.push({ address: frame.address, box: { x: frame.x, y: frame.y, width: 20, height: 20 }, closes: true,
                      make: (sheet) => drawClose(sheet, frame), action: () => this.toggle(frame.address, false) });
  }

  add(address, box, make, action) {
    const entry = { address, box, make, action };
    this.items.set(address, entry);
    this.order.push(entry);
    return entry;
  }

  // Something came onto the page.
  made(item) {
    const chosen = this.state.get("selected");
    if (item.path) {
      item.element.setAttribute("class", [item.source, item.target].includes(chosen) ? "near" : "");
      return;
    }
    item.element.addEventListener("click", item.action);
    item.element.addEventListener("focus", () => { this.makeCurrent(item); this.describe(); });
    item.element.addEventListener("blur", () => this.tip.hide());
    item.element.thing = item;
    if (item === this.find(item.address)) item.element.setAttribute("aria-pressed", item.address === chosen);
  }

  elementOf(entry) {
    this.shown.pinned = entry;
    return this.shown.element(entry);
  }

  moved() {
    this.shown.update();
    this.describe(); // another layer may be under the pointer now
  }

  // Tell of what the keyboard is at as of what is under the pointer.
  describe() {
    const { element } = this.current || {};
    if (!element || !element.matches(":focus-visible")) return this.tip.hide();
    const box = spot(this.current);
    if (!box.facts || !this.camera.shows(box)) return this.tip.hide();
    const { x, y, scale } = this.camera;
    const [left, top] = [x + box.x * scale, y + box.y * scale];
    this.tip.show(this.current, { left, top, right: left + box.width * scale, bottom: top + box.height * scale });
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

  // Keep the view on a redraw of the same graph; begin at the top of a new one.
  place(same) {
    const { width } = this.camera.size;
    if (!width) return; // not on the screen yet: resize() comes back to this
    const held = same && this.placed && this.anchor && this.find(this.anchor.address);
    if (held) {
      const { scale } = this.camera;
      // A wide group shows its first layer where its box was.
      const left = (this.anchor.opened && this.first(held.box)) || held.box;
      this.camera.set(this.anchor.x - left.x * scale, this.anchor.y - held.box.y * scale);
      if (this.anchor.inSight) this.reveal(); // what was selected stays in sight
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

  // The topmost box inside a frame.
  first(frame) {
    const boxes = (this.drawing.nodes || []).filter((box) => isInside(box, frame));
    return boxes.reduce((top, box) => (!top || box.y < top.y ? box : top), undefined);
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
    for (const entry of this.items.values()) {
      if (entry.element) entry.element.setAttribute("aria-pressed", entry === chosen);
    }
    for (const edge of this.shown.edges) {
      if (edge.element) edge.element.setAttribute("class", [edge.source, edge.target].includes(address) ? "near" : "");
    }
    this.encircle(this.ring, address);
    this.makeCurrent(this.focused || chosen || this.current || this.order[0]);
  }

  encircle(ring, address) {
    // What is selected has a ring already.
    const entry = ring === this.mark && address === this.state.get("selected") ? undefined : this.find(address);
    ring.setAttribute("visibility", entry ? "visible" : "hidden");
    if (!entry) return;
    const grow = ring === this.mark ? 5 : 2;
    const { x, y, width, height } = entry.box;
    const sides = { x: x - grow, y: y - grow, width: width + 2 * grow, height: height + 2 * grow };
    for (const [name, value] of Object.entries(sides)) ring.setAttribute(name, value);
  }

  // Pairs of address and kind of all that can be found: a page without a kernel shows all of it.
  names() {
    const index = this.state.get("index") || [];
    return index.length ? index : (this.drawing.nodes || []).map((node) => [node.address, node.label]);
  }

  // Fly to a layer; one in a closed group is asked for. None: mark nothing any more.
  seek(address) {
    this.marked = address;
    if (!address || this.find(address)) this.fly(address);
    else this.state.send({ type: "reveal", address });
  }

  land() {
    const { address } = this.state.get("flight") || {};
    if (!address) return;
    this.marked = address;
    if (this.placed) this.fly(address);
  }

  fly(address) {
    const entry = this.find(address);
    if (entry) this.camera.fly(spot(entry));
    this.encircle(this.mark, address);
  }

  hover(event) {
    const element = event.target.closest(".item");
    const thing = element && element.thing;
    if (event.buttons || !thing || !thing.box.facts) this.tip.hide();
    else this.tip.show(thing, this.point(event));
  }

  point(event) {
    const { left, top } = this.stage.getBoundingClientRect();
    const [x, y] = [event.clientX - left, event.clientY - top];
    return { left: x, right: x, top: y, bottom: y };
  }

  // What the keyboard is at just now. It stays on the page, however far away: it would take the focus with it.
  get focused() {
    const { activeElement } = this.svg.getRootNode();
    return this.svg.contains(activeElement) ? activeElement.thing : undefined;
  }

  // What stands in a new drawing for an item of the one before: itself, or else the group around it.
  heir(item, frames) {
    const itself = this.order.find(({ address, closes }) => address === item.address && closes === item.closes);
    if (itself || this.find(item.address)) return itself || this.find(item.address);
    const around = frames.filter((frame) => isInside(item.box, frame) && this.find(frame.address));
    const inmost = around.reduce((frame, other) => (!frame || other.y > frame.y ? other : frame), undefined);
    return inmost ? this.find(inmost.address) : this.current;
  }

  // Tab reaches one layer at a time; the arrow keys walk on from it.
  makeCurrent(entry) {
    if (this.current && this.current.element) this.current.element.setAttribute("tabindex", -1);
    this.current = entry;
    if (entry) this.elementOf(entry).setAttribute("tabindex", 0);
  }

  select(address) {
    this.highlight(address); // at once: the kernel, which answers by setting `selected`, may be busy
    this.encircle(this.mark, (this.marked = undefined));
    this.state.send({ type: "select", address });
  }

  toggle(address, opened) {
    const { box } = this.find(address);
    const { x, y, scale } = this.camera;
    const chosen = this.find(this.state.get("selected"));
    const inSight = chosen && this.camera.shows(chosen.box);
    this.anchor = { address, opened, x: x + box.x * scale, y: y + box.y * scale, inSight };
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
      if (!e.buttons) return stop(); // let go outside of the panel
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
      Escape: () => this.tip.hide(),
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
    const centre = ({ box, head }) => head
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
    this.camera.reveal(spot(entry));
    this.take(entry);
  }

  // Have an item take the focus; where there is none, the empty panel does.
  take(entry) {
    (entry ? this.elementOf(entry) : this.svg).focus({ preventScroll: true });
  }
}

function draw(state, el) {
  const view = new GraphView(state, el);
  return () => view.dispose();
}
