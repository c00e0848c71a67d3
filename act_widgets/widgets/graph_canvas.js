// The model graph as SVG. Pan, zoom, search and highlight happen here; clicks are told to Python.

// One displayed copy of the widget.
class GraphView {
  constructor(state, el) {
    this.state = state;
    this.anchor = null; // the group that was opened or closed, and where it was on the screen
    this.panel = new Panel(el, this.tools(), (root) =>
      new Search(root, () => this.names(), (address) => this.seek(address)));
    this.camera = new Camera(this.panel.stage, this.panel.layer, () => this.moved());
    this.shown = new Items(this.camera, this.panel.sheet);
    this.tip = new Tip(this.panel.stage);
    this.keyboard = new Keyboard(this.panel.svg, this.camera, this.shown, this.tip);
    this.pointer = new Pointer(this.panel, this.camera, this.tip);
    this.listen();
    this.draw();
  }

  tools() {
    return [
      ["+", "Zoom in", () => this.camera.zoom(1.25)],
      ["−", "Zoom out", () => this.camera.zoom(0.8)],
      ["Fit", "Show the whole graph", () => this.camera.whole()],
      ["1:1", "Readable size, at the selected layer", () => this.goReadable()],
    ];
  }

  listen() {
    const { state } = this;
    const on = { "change:drawing": () => this.draw(), "change:selected": () => this.follow(),
                 "change:height": () => this.resize(), "change:flight": () => this.land() };
    for (const [event, action] of Object.entries(on)) state.on(event, action);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.panel.stage);
    this.dispose = () => {
      for (const [event, action] of Object.entries(on)) state.off(event, action);
      this.observer.disconnect();
      this.camera.stop();
    };
  }

  draw() {
    const { keyboard, panel } = this;
    const [left, before] = [keyboard.focused, this.drawing || {}];
    const drawing = (this.drawing = this.state.get("drawing") || {});
    const { nodes = [], frames = [], edges = [], width = 1, height = 1 } = drawing;
    panel.height = this.state.get("height");
    panel.drawGrounds(frames);
    panel.drawLegend(drawing);
    this.lay(nodes, frames);
    Object.assign(this.camera, { width, height });
    this.tip.hide();
    keyboard.show(this.items, this.things);
    this.shown.show(this.things, edges, (item) => this.made(item));
    this.place(before.name === drawing.name);
    this.highlight(this.state.get("selected"));
    this.mark(this.marked);
    if (left) keyboard.inherit(left, before.frames);
  }

  // What is in the drawing: `things`, and by address what stands for a node or a group.
  lay(nodes, frames) {
    this.items = new Map();
    this.things = [];
    nodes.forEach((node) => this.addNode(node));
    frames.forEach((frame) => this.addFrame(frame));
  }

  addNode(node) {
    this.add(node.address, node, (sheet) => drawNode(sheet, node, this.panel.hatch), () => {
      // A block is nothing that could be looked at: it only opens.
      if (node.role !== "group" || node.selectable) this.select(node.address);
      if (node.role === "group") this.toggle(node.address, true);
    });
  }

  addFrame(frame) {
    // A group with several results keeps a node of its own, which has the address already.
    const choose = () => frame.selectable && this.select(frame.address);
    this.add(frame.address, frame, (sheet) => drawHead(sheet, frame), choose).head = true;
    this.things.push({ address: frame.address, box: { x: frame.x, y: frame.y, width: 20, height: 20 }, closes: true,
                       make: (sheet) => drawClose(sheet, frame), action: () => this.toggle(frame.address, false) });
  }

  add(address, box, make, action) {
    const entry = { address, box, make, action };
    this.items.set(address, entry);
    this.things.push(entry);
    return entry;
  }

  find(address) {
    return this.items.get(address);
  }

  // Something came onto the page.
  made(item) {
    const chosen = this.state.get("selected");
    if (item.path) {
      item.element.setAttribute("class", [item.source, item.target].includes(chosen) ? "near" : "");
      return;
    }
    item.element.addEventListener("click", item.action);
    item.element.thing = item;
    this.keyboard.hear(item);
    if (item === this.find(item.address)) item.element.setAttribute("aria-pressed", item.address === chosen);
  }

  moved() {
    this.shown.update();
    this.keyboard.describe(); // another layer may be under the pointer now
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

  // The topmost box inside a frame.
  first(frame) {
    const boxes = (this.drawing.nodes || []).filter((box) => isInside(box, frame));
    return boxes.reduce((top, box) => (!top || box.y < top.y ? box : top), undefined);
  }

  resize() {
    this.panel.height = this.state.get("height");
    if (!this.placed) this.place(false);
    else this.camera.set(this.camera.x, this.camera.y);
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
    this.panel.encircle(this.panel.ring, chosen && chosen.box);
    this.keyboard.offer(chosen);
  }

  // Mark what was found; what is selected has a ring already.
  mark(address) {
    const found = address === this.state.get("selected") ? undefined : this.find(address);
    this.panel.encircle(this.panel.mark, found && found.box);
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
    this.mark(address);
  }

  select(address) {
    this.highlight(address); // at once: the kernel, which answers by setting `selected`, may be busy
    this.mark((this.marked = undefined));
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
}

function draw(state, el) {
  const view = new GraphView(state, el);
  return () => view.dispose();
}
