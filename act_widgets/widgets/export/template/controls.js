// Lists, graph, buttons and sliders.

// Stands in for the kernel's side of a widget.
class Model {
  constructor(values, saved = () => {}) {
    Object.assign(this, { values, saved, actions: {} });
  }
  get(name) { return this.values[name]; }
  set(name, value) {
    if (this.values[name] === value) return;
    this.values[name] = value;
    this.tell(name);
  }
  tell(name) { (this.actions[`change:${name}`] || []).forEach((action) => action()); }
  save_changes() { this.saved(this.values); }
  on(event, action) { (this.actions[event] ||= []).push(action); }
  off() {}
}

const layerList = new Model(
  { label: "layer", hint: "search name or type", rows: 9, search_from: 0, has_steps: true, chosen: "",
    options: data.layers.map(({ address }) => [address, ...data.listed[address]]) },
  ({ chosen: address }) => choose({ layer: data.layers.findIndex((layer) => layer.address === address) }),
);

const classList = new Model(
  { label: "class", hint: "search", rows: 5, search_from: 20, has_steps: false, chosen: "", options: [] },
  ({ chosen: unit }) => choose({ target: unit === "predicted" ? null : Number(unit) }),
);

const graph = new Model({ drawing: {}, selected: "", height: 420, index: [] });
graph.send = ({ type, address, opened }) => {
  const layer = data.graph.layers[address];
  if (type === "select" && layer !== undefined) choose({ layer });
  else if (type === "toggle") showGraph(opened);
  else graph.tell("selected");
};

// There are two drawings: all groups closed, and all open.
function showGraph(isOpen) {
  const { drawings, boxes } = data.graph;
  const place = isOpen ? drawings.length - 1 : 0;
  graph.boxes = boxes[place];
  graph.values.selected = graph.boxes[chosen.layer];
  graph.set("drawing", drawings[place]);
  const groups = place < drawings.length - 1 ? ", or to open all groups" : "";
  $("graph-note").textContent = `${drawings[place].nodes.length} boxes · click one to select it${groups}`;
}

let listed = null; // the sample whose classes are listed

function fillClasses() {
  if (listed === chosen.sample) return;
  listed = chosen.sample;
  const there = new Set(data.samples[listed].classes);
  const words = (unit) => {
    const value = values[listed][unit];
    return (data.probabilities ? percent(value) : general(value)) + (there.has(unit) ? "" : ", no map here");
  };
  const order = bestFirst(listed);
  const options = order.map((unit) => [String(unit), data.names[unit], words(unit), 0]);
  classList.set("options", [["predicted", "as predicted", data.names[order[0]], 0], ...options]);
}

function fillSamples() {
  const buttons = data.samples.map((sample, index) => {
    const button = element("button");
    const image = element("img", "small");
    Object.assign(image, { src: sample.photo, alt: "" });
    Object.assign(button, { type: "button", title: `Sample ${sample.number}` });
    button.setAttribute("aria-label", `Sample ${sample.number}`);
    button.addEventListener("click", () => choose({ sample: index }));
    button.append(image);
    return button;
  });
  $("photos").replaceChildren(...buttons);
}

// Opacity changes what is drawn already.
function showOpacity(id) {
  const range = $(id);
  range.nextElementSibling.textContent = `${Math.round(100 * range.value)}%`;
  document.documentElement.style.setProperty(`--${id}`, range.value);
}

function press(name) {
  for (const button of document.querySelectorAll(`[data-${name}]`)) {
    button.setAttribute("aria-pressed", String(button.dataset[name] === chosen[name]));
  }
}

function showControls(facts) {
  [...$("photos").children].forEach((button, i) => button.setAttribute("aria-pressed", String(i === chosen.sample)));
  $("sample-note").textContent = `number ${data.samples[chosen.sample].number} of the batch`;
  layerList.set("chosen", facts.address);
  fillClasses();
  classList.set("chosen", chosen.target === null ? "predicted" : String(chosen.target));
  const last = Math.max(facts.channels - 1, 0);
  Object.assign($("channel"), { max: last, value: chosen.channel, disabled: last === 0 });
  $("channel-out").textContent = numberOf(facts, chosen.channel);
  const which = `${numberOf(facts, chosen.channel)} of ${facts.total}, counted from 0`;
  $("channel-note").textContent = facts.channels ? which : "";
  $("channel-title").textContent = facts.of ? facts.of[0].toUpperCase() + facts.of.slice(1) : "Channel";
  const pages = Math.ceil(facts.channels / pageSize(facts));
  $("page-line").hidden = pages < 2;
  Object.assign($("page"), { max: Math.max(pages, 1), value: chosen.page + 1 });
  $("page-out").textContent = chosen.page + 1;
  for (const name of ["scale", "ground", "scope", "counts"]) press(name);
  if (data.graph) graph.set("selected", graph.boxes[chosen.layer]);
}

let player = null;

function play(isOn) {
  clearInterval(player);
  player = isOn ? setInterval(() => {
    const count = data.layers[chosen.layer].channels;
    if (count) choose({ channel: (chosen.channel + 1) % count });
  }, 250) : null;
  $("play").setAttribute("aria-pressed", String(isOn));
  $("play").textContent = isOn ? "⏸" : "▶";
}

function renderLists() {
  drawList(layerList, $("layers"));
  drawList(classList, $("classes"));
  reveal("graph-card", data.graph);
  if (!data.graph) return;
  showGraph(false);
  drawGraph(graph, $("graph"));
}

function listen() {
  const changed = (id, event, make) => $(id).addEventListener(event, () => choose(make($(id).value)));
  changed("channel", "input", (value) => ({ channel: Number(value) }));
  changed("page", "input", (value) => ({ page: Number(value) - 1 }));
  changed("colours", "change", (value) => ({ colours: value }));
  for (const id of ["opacity", "map-opacity"]) $(id).addEventListener("input", () => showOpacity(id));
  $("play").addEventListener("click", () => play(player === null));
  for (const name of ["scale", "ground", "scope", "counts"]) {
    for (const button of document.querySelectorAll(`[data-${name}]`)) {
      button.addEventListener("click", () => choose({ [name]: button.dataset[name] }));
    }
  }
  // A link to the page that is open already.
  window.addEventListener("hashchange", () => choose(chosenIn(location.hash)));
  $("grid").addEventListener("pointermove", readValue);
  $("grid").addEventListener("pointerleave", hint);
  $("grid").addEventListener("click", (event) => {
    const hit = pointed(event);
    if (hit) choose({ channel: hit.channel });
  });
}
