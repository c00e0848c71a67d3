// What of the model graph is on the page: all of it where that is little, else what is near the panel.

const FEW = 400; // so many boxes and lines may be on the page at once, however little of them is seen
const MARGIN = 0.75; // panels around the panel in which things are kept on the page

function drawNode(parent, node, hatch) {
  const item = svg(parent, "g", {
    class: `item ${node.role}`, role: "button", tabindex: -1, "aria-label":
      node.role === "group" ? `${node.label}. Closed; Enter opens it.` : node.label,
  });
  const corners = { rx: node.role === "row" ? 2 : 4, fill: node.fill };
  if (node.role === "group") rect(item, { ...node, x: node.x + 3, y: node.y + 3 }, 0, { ...corners, class: "body" });
  rect(item, node, 0, { ...corners, class: "body" });
  if (node.blank) rect(item, node, 0, { ...corners, fill: `url(#${hatch})`, "pointer-events": "none" });
  const single = node.lines.length === 1;
  node.lines.forEach((line, i) => svg(item, "text", {
    x: node.x + node.width / 2, y: single ? node.y + node.height / 2 + 4 : node.y + 17 + 15 * i,
    "text-anchor": "middle", fill: node.ink, "font-weight": single || i ? "normal" : "bold",
  }, line));
  if (node.role === "group") {
    svg(item, "path", { class: "open-sign", stroke: node.ink, d: `M${node.x + 10} ${node.y + 13}h8m-4 -4v8` });
  }
  rect(item, node, 2, { class: "ring", rx: 6 });
  return item;
}

function drawClose(parent, frame) {
  const close = svg(parent, "g", { class: "item close", role: "button", tabindex: -1,
                                   "aria-label": `Close ${frame.label}` });
  svg(close, "title", {}, `Close ${frame.address}`);
  const square = { x: frame.x, y: frame.y, width: 20, height: 20 };
  rect(close, square, 0, { class: "chip body", rx: 4 });
  svg(close, "path", { class: "close-sign", d: `M${frame.x + 6} ${frame.y + 10}h8` });
  rect(close, square, 1, { class: "ring", rx: 4 });
  return close;
}

function drawHead(parent, frame) {
  const head = svg(parent, "g", { class: "item head", role: "button", tabindex: -1, "aria-label": frame.label });
  const ground = { x: frame.text_x, y: frame.y, width: frame.text_width + 12, height: 20 };
  rect(head, ground, 0, { class: "chip body", rx: 4 });
  svg(head, "text", { class: "chip-text", x: frame.text_x + 6, y: frame.y + 14 }, frame.text);
  rect(head, frame, 2, { class: "ring", rx: 7 });
  return head;
}

function drawEdge(parent, edge) {
  const element = svg(parent, "g", {});
  svg(element, "path", { class: "edge", d: edge.path });
  svg(element, "path", { class: "arrow", d: edge.arrow });
  return element;
}

// The box around an edge's path.
function extent(path) {
  const numbers = path.match(/-?[\d.]+/g).map(Number);
  const [xs, ys] = [numbers.filter((_, i) => i % 2 === 0), numbers.filter((_, i) => i % 2)];
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
}

// What is seen of an item: of a frame its name.
const spot = ({ box, head }) => (head ? { ...box, height: 20 } : box);

const isInside = ({ x, y }, frame) =>
  x > frame.x && x < frame.x + frame.width && y > frame.y && y < frame.y + frame.height;

// Things with a place in the drawing, of which those near the panel are elements of the page.
class Items {
  constructor(camera, layer) {
    this.camera = camera;
    this.layer = layer;
    this.all = [];
  }

  // Begin anew. `made(item)` is told of each that came onto the page for the first time.
  show(things, edges, made) {
    this.layer.replaceChildren();
    this.sheets = Object.fromEntries(["overview", "lines", "boxes"].map((n) => [n, svg(this.layer, "g", { class: n })]));
    this.things = things;
    this.edges = edges.map((edge) => ({ ...edge, box: extent(edge.path), make: (sheet) => drawEdge(sheet, edge) }));
    this.edges.forEach((edge) => { edge.sheet = this.sheets.lines; });
    things.forEach((thing) => { thing.sheet = this.sheets.boxes; });
    this.all = [...this.edges, ...things];
    this.made = made;
    this.kept = null; // the part of the drawing that is on the page
    this.isLarge = this.all.length > FEW;
    this.overview = false;
    if (!this.isLarge) this.all.forEach((item) => this.element(item));
    this.update();
  }

  element(item) {
    if (!item.element) {
      item.element = item.make(item.sheet);
      this.made(item);
    } else if (!item.element.isConnected) {
      item.sheet.append(item.element);
    }
    return item.element;
  }

  update() {
    if (!this.isLarge || !this.camera.size.width) return;
    const far = this.camera.scale < TEXT_SCALE;
    if (far !== this.overview) this.setOverview(far);
    if (far) return;
    const seen = this.camera.window();
    const { kept } = this;
    if (kept && kept.scale === this.camera.scale && seen.left >= kept.left && seen.right <= kept.right &&
        seen.top >= kept.top && seen.bottom <= kept.bottom) return;
    this.keep(this.camera.window(MARGIN));
  }

  keep(part) {
    const { left, top, right, bottom } = part;
    this.kept = { ...part, scale: this.camera.scale };
    for (const item of this.all) {
      const { x, y, width, height } = item.box;
      const near = x < right && x + width > left && y < bottom && y + height > top;
      if (near || item === this.pinned) this.element(item);
      else if (item.element && item.element.isConnected) item.element.remove();
    }
  }

  // From far away: all boxes of one colour as one shape, and all lines as one. What the keyboard is at
  // stays on the page: it would lose its place.
  setOverview(far) {
    this.overview = far;
    if (far) this.keep({ left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity });
    this.kept = null;
    const { overview } = this.sheets;
    overview.setAttribute("visibility", far ? "visible" : "hidden");
    if (!far || overview.childElementCount) return;
    svg(overview, "path", { class: "edge", d: this.edges.map((edge) => edge.path).join("") });
    const byFill = new Map();
    for (const { box } of this.things) {
      if (!box.fill) continue; // the head of a frame
      if (!byFill.has(box.fill)) byFill.set(box.fill, []);
      byFill.get(box.fill).push(`M${box.x} ${box.y}h${box.width}v${box.height}h${-box.width}z`);
    }
    for (const [fill, paths] of byFill) svg(overview, "path", { fill, d: paths.join("") });
  }
}
