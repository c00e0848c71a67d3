// The whole: draws what is chosen, and begins.

let wish = 0;

async function show() {
  const mine = ++wish;
  const facts = data.layers[chosen.layer];
  const sample = data.samples[chosen.sample];
  showControls(facts);
  drawPredictions();
  const target = explained();
  const [layer, map, photo] = await Promise.all([
    facts.error ? null : layerOf(chosen.sample, chosen.layer),
    sample.classes.includes(target) ? overlayOf(chosen.sample, target, chosen.layer) : null,
    photoOf(sample, facts.under),
  ]);
  const ground = await photoOf(sample, map && map.h ? map.under : 0);
  if (mine !== wish) return; // something else was chosen meanwhile
  drawn = layer;
  drawLayer(facts, layer, photo);
  drawOverlay(map, ground);
  $("attribution-under").textContent = overlayWords(map, facts);
  document.body.dataset.shown = wish;
}

function drawLayer(facts, layer, photo) {
  const pictures = ["grid", "map", "line", "histogram", "maps-bar", "map-bar", "maps-line", "ground-line"];
  for (const id of pictures) reveal(id, layer);
  hint();
  if (layer) {
    drawGrid(facts, layer);
    drawMap(facts, layer, photo);
    drawHistogram(facts, layer);
  } else {
    $("map-under").textContent = facts.error;
    for (const id of ["maps-note", "map-note", "histogram-note"]) note(id, facts, "");
  }
}

// An input as a picture; null where a map is drawn alone.
async function photoOf(sample, index) {
  if (index === null) return null;
  const url = index ? sample.under[index] : sample.photo;
  return { url, size: await sizeOf(url) };
}

const sizes = new Map();

async function sizeOf(photo) {
  if (!sizes.has(photo)) {
    const image = new Image();
    image.src = photo;
    await image.decode();
    sizes.set(photo, [image.naturalWidth, image.naturalHeight]);
  }
  return sizes.get(photo);
}

function tellWhatIsIn() {
  $("name").textContent = $("name").title = data.name;
  $("facts").textContent = data.facts;
  $("layer-note").textContent = many(data.layers.length, "layer");
  $("made").textContent = `Written by act_widgets ${data.version}. Attribution: ${data.method}.`;
  if (!data.left_out.length) return;
  const parts = [many(data.layers.length, "layer"), many(data.samples.length, "sample")];
  $("size").textContent = `${parts.join(" and ")} in this file`;
  reveal("left-out", true);
  const short = data.left_out.map((words) => words[0].toLowerCase() + words.slice(1).split(/[.:]/)[0]);
  $("left-out").querySelector("summary").textContent = `This file leaves out: ${short.join("; ")}.`;
  $("left-out").querySelector("ul").append(...data.left_out.map((words) => element("li", "", words)));
}

function begin() {
  if (!("DecompressionStream" in window)) {
    $("name").textContent = "This page needs a browser of 2023 or newer.";
    return;
  }
  tellWhatIsIn();
  $("colours").append(...SEQUENTIAL.map((name) => new Option(name, name)));
  fillSamples();
  renderLists();
  for (const id of ["opacity", "map-opacity"]) showOpacity(id);
  listen();
  choose(chosenIn(location.hash));
  clearTimeout(later); // nobody chose this
}

begin();
