// What the pointer does in the model graph: it drags, scrolls and zooms, and asks what lies under it.

class Pointer {
  constructor({ root, stage, svg }, camera, tip) {
    Object.assign(this, { root, stage, svg, camera, tip, dragged: false });
    svg.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    svg.addEventListener("pointerdown", (event) => this.press(event));
    svg.addEventListener("click", (event) => this.endDrag(event), { capture: true });
    svg.addEventListener("pointermove", (event) => this.hover(event));
    for (const name of ["pointerleave", "pointerdown"]) svg.addEventListener(name, () => tip.hide());
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
}
