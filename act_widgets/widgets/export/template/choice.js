// What is chosen, also in the page's address, so that a link shows it again.

const chosen = { layer: 0, channel: 0, sample: 0, target: null, scale: "per map", colours: "viridis", page: 0,
                 ground: "alone", scope: "channel", counts: "linear" };

function explained() {
  return chosen.target === null ? bestFirst(chosen.sample)[0] : chosen.target;
}

// Legal values only; the rest is drawn from them.
function choose(change) {
  Object.assign(chosen, change);
  const facts = data.layers[chosen.layer];
  if (chosen.channel >= Math.max(facts.channels, 1)) chosen.channel = 0;
  if ("channel" in change || "layer" in change) chosen.page = Math.floor(chosen.channel / pageSize(facts));
  // Browsers allow a page only so many changes of its address in a time.
  clearTimeout(later);
  later = setTimeout(writeAddress, 300);
  show();
}

let later = 0;

function writeAddress() {
  const facts = data.layers[chosen.layer];
  const where = new URLSearchParams({ layer: facts.address, channel: numberOf(facts, chosen.channel),
                                      sample: data.samples[chosen.sample].number });
  if (chosen.target !== null) where.set("class", chosen.target);
  history.replaceState(null, "", `#${where}`);
}

// What an address says, and what was chosen in the notebook where it says nothing.
function chosenIn(hash) {
  const where = new URLSearchParams(hash.slice(1));
  const wish = (name, usual) => (where.has(name) ? where.get(name) : usual);
  const begin = data.chosen;
  const layer = data.layers.findIndex((one) => one.address === wish("layer", begin.layer));
  const sample = data.samples.findIndex((one) => one.number === Number(wish("sample", begin.sample)));
  const target = where.has("class") ? Number(where.get("class")) : begin.target;
  const facts = data.layers[Math.max(layer, 0)];
  const number = Number(wish("channel", begin.channel));
  const channel = facts.kept ? facts.kept.indexOf(number) : number;
  return {
    layer: Math.max(layer, 0), sample: Math.max(sample, 0),
    channel: Number.isInteger(channel) && channel >= 0 && channel < facts.channels ? channel : 0,
    target: Number.isInteger(target) && target >= 0 && target < data.names.length ? target : null,
  };
}
