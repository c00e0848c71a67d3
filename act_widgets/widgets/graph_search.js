// A field that finds layers of the model graph, also those in closed groups.

class Search {
  // `names()` returns pairs of address and kind; `show(address)` brings one into sight.
  constructor(parent, names, show) {
    Object.assign(this, { names, show, found: [], place: -1 });
    this.root = html(parent, "div", "search");
    this.field = html(this.root, "input");
    Object.assign(this.field, { type: "search", placeholder: "find in the graph" });
    this.field.setAttribute("aria-label", "Find in the graph");
    this.field.dataset.lmSuppressShortcuts = "true"; // Shift+Enter is not JupyterLab's; for the drawing see keys.js
    this.count = html(this.root, "span", "count");
    this.count.setAttribute("role", "status");
    this.steps = [["▲", "Previous match", -1], ["▼", "Next match", 1]].map(([sign, label, step]) => {
      const button = html(this.root, "button", "", sign);
      Object.assign(button, { type: "button", title: label, onclick: () => this.go(step) });
      button.setAttribute("aria-label", label);
      return button;
    });
    this.field.addEventListener("input", () => this.seek());
    this.field.addEventListener("keydown", (event) => this.key(event));
    this.tell();
  }

  seek() {
    const words = this.field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = ([address, kind]) => {
      const text = `${address} ${kind}`.toLowerCase();
      return words.every((word) => text.includes(word));
    };
    this.found = words.length ? this.names().filter(fits).map(([address]) => address) : [];
    this.place = -1;
    this.tell();
  }

  key(event) {
    if (event.key === "Enter") this.go(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") this.clear();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  clear() {
    this.field.value = "";
    this.seek();
    this.show("");
  }

  go(step) {
    const { length } = this.found;
    if (!length) return;
    this.place = this.place < 0 && step < 0 ? length - 1 : (this.place + step + length) % length;
    this.tell();
    this.show(this.found[this.place]);
  }

  tell() {
    const { length } = this.found;
    const empty = this.field.value.trim() ? "none" : "";
    this.count.textContent = !length ? empty : this.place < 0 ? `${length} found` : `${this.place + 1} of ${length}`;
    this.steps.forEach((button) => { button.hidden = !length; });
  }
}
