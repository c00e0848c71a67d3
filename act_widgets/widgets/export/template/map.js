// The chosen picture: a map, the line of a sequence, or a number among its layer's.

function drawMap(facts, layer, photo) {
  const channel = chosen.channel;
  const rank = facts.plane.length;
  reveal("map", rank !== 1);
  reveal("map-bar", rank !== 1);
  reveal("line", rank === 1);
  reveal("ground-line", facts.is_spatial);
  reveal("map-opacity-line", facts.is_spatial && photo && chosen.ground !== "alone");
  [drawStroke, drawLine, drawPlane][rank](facts, layer, photo);
  const over = facts.is_spatial && chosen.ground !== "alone" && facts.over;
  const words = rank ? summary(layer, channel) : standing(facts, layer, channel);
  $("map-under").textContent = [words, over].filter(Boolean).join(" · ");
  note("map-note", facts, facts.of && `${facts.of} ${numberOf(facts, channel)}`);
}

function drawPlane(facts, layer, photo) {
  const channel = chosen.channel;
  const [low, high] = [layer.low[channel], layer.high[channel]];
  const scale = scaleOf(low, high);
  const levels = table(low, high, scale);
  const colours = scale.signed ? DIVERGING : SEQUENTIAL[0];
  const over = Boolean(facts.is_spatial && photo && chosen.ground === "over the input");
  const canvas = $("map").querySelector("canvas");
  const context = resize(canvas, facts.width, facts.height);
  const picture = context.createImageData(facts.width, facts.height);
  const size = facts.height * facts.width;
  for (let i = 0; i < size; i++) {
    putColour(picture.data, i, PALETTES[colours], levels[layer.levels[channel * size + i]]);
  }
  context.putImageData(picture, 0, 0);
  showUnder($("map"), photo, over, scale.signed);
  shape("map", ...(over ? photo.size : [facts.width, facts.height]));
  canvas.classList.toggle("over", over);
  drawBar($("map-bar"), colours, scale);
}

// What is much higher than wide does not fill the card's width.
function shape(id, width, height) {
  $(id).style.maxWidth = `${Math.min(100, (130 * width) / height)}%`;
}

// Under a signed map the input is grey: every hue is the map's.
function showUnder(place, photo, isShown, isGrey) {
  const image = place.querySelector("img");
  image.hidden = !(isShown && photo);
  if (photo) image.src = photo.url;
  image.classList.toggle("grey", isGrey);
}

// A number lies among those of its layer: a stroke for each, a thick one for the chosen.
function drawStroke(facts, layer, photo) {
  const [wide, high] = [560, 64];
  const canvas = $("map").querySelector("canvas");
  const context = resize(canvas, wide, high);
  showUnder($("map"), photo, false, false);
  shape("map", wide, high);
  canvas.classList.remove("over");
  const scale = withZero(scaleOf(layer.low[facts.channels], layer.high[facts.channels]));
  const x = (value) => wide - 1 - rowOf(value, scale, wide);
  const stroke = (place, kind, from, to, thick) => {
    context.fillStyle = colourOf("chart", kind);
    context.fillRect(place, from, thick, to - from);
  };
  for (let unit = 0; unit < facts.channels; unit++) {
    if (layer.levels[unit] !== NOT_FINITE) stroke(x(layer.low[unit]), UP, 16, 48, 1);
  }
  stroke(x(0), ZERO, 0, high, 1);
  const mine = chosen.channel;
  if (layer.levels[mine] !== NOT_FINITE) stroke(Math.max(0, x(layer.low[mine]) - 2), DOWN, 0, high, 5);
  drawEnds($("map-bar"), scale);
}

function drawLine(facts, layer) {
  const [left, right, top, bottom] = [62, 328, 10, 162];
  const [low, high] = [layer.low[chosen.channel], layer.high[chosen.channel]];
  const cells = [...layer.levels.slice(chosen.channel * facts.width, (chosen.channel + 1) * facts.width)];
  const x = (i) => left + ((right - left) * i) / Math.max(cells.length - 1, 1);
  const y = (value) => (high > low ? bottom - ((value - low) / (high - low)) * (bottom - top) : (top + bottom) / 2);
  const value = (level) => low + (level / TOP) * (high - low);
  const moves = cells.map((level, i) => (level === NOT_FINITE ? "" :
    `${i && cells[i - 1] !== NOT_FINITE ? "L" : "M"}${x(i).toFixed(1)} ${y(value(level)).toFixed(1)}`));
  const axis = svg("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom });
  const parts = [svg("path", { d: moves.join("") }), axis];
  for (const end of low === high ? [low] : [low, high]) {
    parts.push(svg("text", { x: left - 5, y: y(end) + 4, "text-anchor": "end" }, number(end)));
  }
  [0, facts.full[1] - 1].forEach((place, i) => {
    parts.push(svg("text", { x: i ? right : left, y: bottom + 14, "text-anchor": i ? "end" : "start" }, place));
  });
  parts.push(svg("text", { x: (left + right) / 2, y: bottom + 31, "text-anchor": "middle" }, facts.plane[0]));
  $("line").replaceChildren(...parts);
}

function summary(layer, channel) {
  const lost = layer.lost[channel];
  if (lost === 100) return "no finite value";
  const bad = lost ? ` · ${fixed(lost, 1)}% NaN or infinite` : "";
  return `mean ${number(layer.mean[channel])} · max ${number(layer.high[channel])} · zeros ${layer.zeros[channel]}%${bad}`;
}

const written = (facts, value) => (facts.is_whole ? String(value) : number(value));

function standing(facts, layer, unit) {
  if (layer.levels[unit] === NOT_FINITE) return "no finite value";
  const value = layer.low[unit];
  const above = layer.low.slice(0, facts.channels).filter((other) => other > value).length;
  const rank = facts.channels === facts.total && `${above} of ${facts.total} are higher`;
  return [written(facts, value), rank].filter(Boolean).join(" · ");
}
