// A list to choose from: a tree where entries hold others, with a search box and steps above it.

const OPEN_AT_FIRST = 150; // A longer list begins with its groups closed.

function made(tag, name, attributes = {}) {
  const element = document.createElement(tag);
  element.className = name;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** Entries as objects that know what holds them. */
function linked(options) {
  const holders = [];
  return options.map(([key, name, facts, depth], index) => {
    const entry = { key, name, facts, depth, index, holder: holders[depth - 1] ?? null, holds: false };
    if (entry.holder) entry.holder.holds = true;
    holders.length = depth;
    holders[depth] = entry;
    return entry;
  });
}

function draw(state, el) {
  const own = Math.random().toString(36).slice(2); // Each list runs a script of its own: none can count them.
  const label = state.get("label");
  el.classList.add("aw-choices");
  const head = made("div", "aw-choices-head");
  const search = made("input", "aw-choices-search", {
    type: "search", placeholder: state.get("hint"), "aria-label": `Search ${label}`, spellcheck: "false",
  });
  search.dataset.lmSuppressShortcuts = "true"; // Keys of the box are not JupyterLab's; for the tree see keys.js.
  const back = step("▲", `Previous ${label}`, -1);
  const on = step("▼", `Next ${label}`, 1);
  const found = made("span", "aw-choices-found", { role: "status" });
  const list = made("div", "aw-choices-list", { role: "tree", tabindex: "0", "aria-label": label });
  head.append(search, found, ...(state.get("has_steps") ? [back, on] : []));
  el.append(head, list);

  let entries = [];
  let open = null; // Keys of the groups that are open; null for all.

  function step(sign, words, by) {
    const button = made("button", "aw-choices-step", { type: "button", title: words, "aria-label": words });
    button.textContent = sign;
    button.addEventListener("click", () => move(by));
    return button;
  }

  function row(entry) {
    const element = made("div", "aw-choice", {
      role: "treeitem", id: `aw-choice-${own}-${entry.index}`, "aria-level": entry.depth + 1, title: entry.key,
    });
    const name = made("span", "aw-choice-name");
    name.style.paddingLeft = `${entry.depth * 12}px`;
    if (entries.some((other) => other.holds)) {
      const arrow = made("span", "aw-choice-arrow", { "aria-hidden": "true" });
      arrow.addEventListener("click", (event) => {
        event.stopPropagation();
        toggle(entry);
      });
      name.append(arrow);
    }
    const words = made("bdi", "");
    words.textContent = entry.name;
    name.append(words);
    const facts = made("span", "aw-choice-facts");
    facts.textContent = entry.facts;
    element.append(name, facts);
    element.addEventListener("click", () => choose(entry));
    return element;
  }

  function rebuild() {
    entries = linked(state.get("options"));
    if (open === null && entries.length > OPEN_AT_FIRST) open = new Set();
    for (const entry of entries) entry.element = row(entry);
    // Always as high, whatever is open or found: what lies below must not jump.
    const rows = Math.min(entries.length, state.get("rows"));
    list.style.height = `calc(${rows} * var(--aw-choice-height))`;
    list.replaceChildren(...entries.map((entry) => entry.element));
    head.hidden = entries.length < state.get("search_from") && !state.get("has_steps");
    search.hidden = entries.length < state.get("search_from");
    follow();
  }

  const isOpen = (entry) => open === null || open.has(entry.key);
  const seen = () => entries.filter((entry) => !entry.element.hidden);
  const chosen = () => entries.find((entry) => entry.key === state.get("chosen")) ?? null;

  function toggle(entry) {
    open ??= new Set(entries.filter((other) => other.holds).map((other) => other.key));
    if (!open.delete(entry.key)) open.add(entry.key);
    show();
  }

  /** Show what matches and what holds it, or else what lies in open groups. */
  function show() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const current = chosen();
    let count = 0;
    for (const entry of entries) {
      entry.matches = words.every((word) => `${entry.key} ${entry.name} ${entry.facts}`.toLowerCase().includes(word));
      count += entry.matches;
      let hidden = false;
      for (let holder = entry.holder; holder; holder = holder.holder) hidden ||= !isOpen(holder);
      entry.element.hidden = words.length ? !entry.matches && entry !== current : hidden;
      if (words.length && entry.matches) {
        for (let holder = entry.holder; holder; holder = holder.holder) holder.element.hidden = false;
      }
    }
    for (const entry of entries) {
      const { element } = entry;
      element.classList.toggle("aw-choice-beside", words.length > 0 && !entry.matches);
      element.setAttribute("aria-selected", entry === current);
      if (entry.holds) element.setAttribute("aria-expanded", words.length > 0 || isOpen(entry));
    }
    list.setAttribute("aria-activedescendant", current?.element.id ?? "");
    found.textContent = words.length ? `${count} of ${entries.length}` : "";
    back.disabled = on.disabled = seen().length < 2;
  }

  /** Show the chosen entry, with what holds it opened; only the list scrolls, never the page. */
  function follow() {
    const current = chosen();
    for (let holder = current?.holder; holder; holder = holder.holder) open?.add(holder.key);
    show();
    if (!current) return;
    // What comes before and after it is seen too.
    const height = current.element.offsetHeight;
    const top = current.element.offsetTop - list.offsetTop - height;
    const bottom = top + 3 * height;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
  }

  function choose(entry) {
    if (!entry || entry.key === state.get("chosen")) return;
    state.set("chosen", entry.key);
    state.save_changes();
  }

  function move(by) {
    const there = seen();
    const at = there.indexOf(chosen());
    choose(there[Math.min(Math.max(at + by, 0), there.length - 1)]);
  }

  list.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const current = chosen();
    const page = Math.max(1, state.get("rows") - 1);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -entries.length, End: entries.length };
    if (event.key in moves) move(moves[event.key]);
    else if (event.key === "ArrowRight" && current?.holds && !isOpen(current)) toggle(current);
    else if (event.key === "ArrowLeft" && current?.holds && isOpen(current)) toggle(current);
    else if (event.key === "ArrowLeft") choose(current?.holder);
    else if (event.key.length === 1 && event.key.trim() && !search.hidden) search.focus();
    else return;
    // A letter goes into the search box, which has the focus now.
    if (event.key.length > 1) event.preventDefault();
    event.stopPropagation();
  });
  search.addEventListener("input", () => (search.value ? show() : follow()));
  search.addEventListener("keydown", (event) => {
    const first = seen().find((entry) => entry.matches);
    if (event.key === "Enter") choose(first);
    else if (event.key === "ArrowDown") {
      list.focus();
      if (!chosen()?.matches) choose(first);
    } else return;
    event.preventDefault();
  });
  state.on("change:options", rebuild);
  state.on("change:chosen", follow);
  rebuild();
  // Nothing can scroll before it has its place on the page.
  const placed = new ResizeObserver(follow);
  placed.observe(list);
  return () => {
    placed.disconnect();
    state.off("change:options", rebuild);
    state.off("change:chosen", follow);
  };
}
