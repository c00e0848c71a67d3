// What the keyboard does in the model graph: Tab reaches one item at a time, the arrow keys walk on from it.

class Keyboard {
  constructor(svg, camera, shown, tip) {
    Object.assign(this, { svg, camera, shown, tip, items: new Map(), order: [], current: undefined });
    svg.addEventListener("keydown", (event) => this.key(event));
  }

  // Begin anew. `items`: by address; `things`: these, and the signs that close a group.
  show(items, things) {
    this.items = items;
    this.order = [...things].sort((a, b) => a.box.y - b.box.y || a.box.x - b.box.x);
    this.current = undefined;
  }

  // Hear when an item that came onto the page gets the focus.
  hear(item) {
    item.element.addEventListener("focus", () => { this.makeCurrent(item); this.describe(); });
    item.element.addEventListener("blur", () => this.tip.hide());
  }

  // What the keyboard is at just now. It stays on the page, however far away: it would take the focus with it.
  get focused() {
    const { activeElement } = this.svg.getRootNode();
    return this.svg.contains(activeElement) ? activeElement.thing : undefined;
  }

  // What Tab is to reach, unless the keyboard is at something.
  offer(entry) {
    this.makeCurrent(this.focused || entry || this.current || this.order[0]);
  }

  makeCurrent(entry) {
    if (this.current && this.current.element) this.current.element.setAttribute("tabindex", -1);
    this.current = entry;
    if (entry) this.elementOf(entry).setAttribute("tabindex", 0);
  }

  elementOf(entry) {
    this.shown.pinned = entry;
    return this.shown.element(entry);
  }

  // Give the focus to what stands in this drawing for an item of the one before, which had these frames.
  inherit(item, frames) {
    this.take(this.heir(item, frames));
  }

  // Itself, or else the group around it, or else what Tab reaches.
  heir(item, frames) {
    const itself = this.order.find(({ address, closes }) => address === item.address && closes === item.closes);
    if (itself || this.items.has(item.address)) return itself || this.items.get(item.address);
    const around = frames.filter((frame) => isInside(item.box, frame) && this.items.has(frame.address));
    const inmost = around.reduce((frame, other) => (!frame || other.y > frame.y ? other : frame), undefined);
    return inmost ? this.items.get(inmost.address) : this.current;
  }

  // Have an item take the focus; where there is none, the empty panel does.
  take(entry) {
    (entry ? this.elementOf(entry) : this.svg).focus({ preventScroll: true });
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

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const actions = {
      Enter: () => this.current && this.current.action(),
      " ": () => this.current && this.current.action(),
      ArrowDown: () => this.walk(0, 1), ArrowUp: () => this.walk(0, -1),
      ArrowLeft: () => this.walk(-1, 0), ArrowRight: () => this.walk(1, 0),
      Home: () => this.go(this.order[0]), End: () => this.go(this.order[this.order.length - 1]),
      Escape: () => this.tip.hide(),
      "+": () => this.camera.zoom(1.25), "-": () => this.camera.zoom(0.8), 0: () => this.camera.whole(),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    actions[event.key]();
  }

  // Go to the nearest item in the direction (dx, dy); being off to the side counts double.
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
    this.go(best);
  }

  go(entry) {
    if (!entry) return;
    this.camera.reveal(spot(entry));
    this.take(entry);
  }
}
