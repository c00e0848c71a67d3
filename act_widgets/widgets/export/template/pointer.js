// What lies under the pointer.

let drawn = null; // the layer on the screen

function pointed(event) {
  if (!grid) return null;
  const box = $("grid").getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * grid.whole[0];
  const y = ((event.clientY - box.top) / box.height) * grid.whole[1];
  const [across, down] = [grid.width + grid.gap, grid.height + grid.gap];
  const [column, row] = [Math.floor(x / across), Math.floor(y / down)];
  const i = row * grid.columns + column;
  if (x < 0 || y < 0 || column >= grid.columns || i >= grid.count) return null;
  const facts = data.layers[chosen.layer];
  const at = (place, cells) => Math.min(Math.floor(place / grid.times), cells - 1);
  return { channel: grid.first + i, row: at(y % down, facts.height), column: at(x % across, facts.width) };
}

const capital = (words) => words[0].toUpperCase() + words.slice(1);

function hint() {
  const facts = data.layers[chosen.layer];
  const parts = [];
  if (facts.error) parts.push(facts.error);
  else {
    if (facts.remark) parts.push(`${facts.remark}.`);
    if (facts.plane.length === 1 && facts.of) parts.push(`${capital(facts.of)}s down, ${facts.plane[0]} across.`);
    parts.push(`Point at it to read values${facts.of ? `; click to choose a ${facts.of}` : ""}.`);
  }
  $("maps-under").textContent = parts.join(" ");
}

// What a cell of a picture says: its ends as they are, what lies between them to one part in 253.
function cellWords(facts, { channel, row, column }) {
  const level = drawn.levels[(channel * facts.height + row) * facts.width + column];
  if (level === NOT_FINITE) return "NaN or infinite";
  const [low, high] = [drawn.low[channel], drawn.high[channel]];
  if (low === high || level === 0) return written(facts, low);
  if (level === TOP) return written(facts, high);
  return `≈ ${number(low + (level / TOP) * (high - low))}`;
}

// Which places of the layer a cell stands for.
function placesOf(facts, { row, column }) {
  const span = (i, cells, full) => {
    const [from, to] = [Math.floor((i * full) / cells), Math.floor(((i + 1) * full) / cells) - 1];
    return from >= to ? `${from}` : `${from} to ${to}`;
  };
  const both = [span(row, facts.height, facts.full[0]), span(column, facts.width, facts.full[1])];
  return both.slice(2 - facts.plane.length);
}

function readValue(event) {
  const hit = drawn && pointed(event);
  if (!hit) {
    hint();
    return;
  }
  const facts = data.layers[chosen.layer];
  const places = placesOf(facts, hit);
  const where = facts.plane.map((axis, i) => `${axis} ${places[i]}`).join(", ");
  const largest = places.some((place) => place.includes("to")) ? "largest " : "";
  const words = [facts.of && `${facts.of} ${numberOf(facts, hit.channel)}`, where, largest + cellWords(facts, hit)];
  $("maps-under").textContent = words.filter(Boolean).join(" · ");
}
