// All pictures of a layer, page by page.

// Where each picture of a page lies, in pixels of the grid's canvas.
let grid = null;

const pageSize = (facts) => (facts.plane.length ? 64 : 1024);

function lay(facts) {
  const most = pageSize(facts);
  const first = chosen.page * most;
  const count = Math.min(most, facts.channels - first);
  const tiles = [layBars, layRows, layMaps][facts.plane.length](facts, count);
  const rows = Math.ceil(count / tiles.columns);
  const wide = tiles.columns * (tiles.width + tiles.gap) - tiles.gap;
  const high = rows * (tiles.height + tiles.gap) - tiles.gap;
  return { first, count, rows, whole: [wide, high], shape: tiles.shape || `${wide} / ${high}`, ...tiles };
}

function layMaps(facts, count) {
  const times = Math.max(1, Math.ceil(24 / Math.max(facts.height, facts.width)));
  const [height, width] = [facts.height * times, facts.width * times];
  const columns = Math.min(count, Math.max(1, Math.round(Math.sqrt((count * (height + 1)) / (width + 1)))));
  return { times, height, width, columns, gap: 1 };
}

// Sequences are a heat map, one row each.
function layRows(facts, count) {
  const high = Math.min(560, Math.max(120, 24 * count));
  return { times: 1, height: 1, width: facts.width, columns: 1, gap: 0, shape: `560 / ${high}` };
}

function layBars(facts, count) {
  const rows = Math.ceil((count * 4) / 560);
  const columns = Math.ceil(count / rows);
  const height = Math.min(200, Math.max(45, Math.floor(360 / rows)));
  return { times: 1, height, width: Math.min(56, Math.floor(560 / columns)), columns, gap: 0 };
}

function corner(i) {
  const row = Math.floor(i / grid.columns);
  return [row * (grid.height + grid.gap), (i % grid.columns) * (grid.width + grid.gap)];
}

function drawGrid(facts, layer) {
  grid = lay(facts);
  const canvas = $("grid").querySelector("canvas");
  const context = resize(canvas, ...grid.whole);
  canvas.style.aspectRatio = grid.shape;
  const picture = context.createImageData(...grid.whole);
  const all = scaleOf(layer.low[facts.channels], layer.high[facts.channels]);
  const shared = chosen.scale === "per layer" || facts.height * facts.width === 1;
  const colours = all.signed ? DIVERGING : chosen.colours;
  for (let i = 0; i < grid.count; i++) {
    if (facts.plane.length) drawTile(picture, i, facts, layer, shared ? all : null, all.signed, PALETTES[colours]);
    else drawUnit(picture, i, layer, withZero(all));
  }
  context.putImageData(picture, 0, 0);
  reveal("maps-line", facts.plane.length);
  const ends = all.signed ? ["each map's −max", "+max"] : ["each map's lowest", "highest"];
  if (facts.plane.length) drawBar($("maps-bar"), colours, shared ? all : null, ends);
  else drawEnds($("maps-bar"), withZero(all));
  $("colours").disabled = all.signed;
  const more = facts.channels < facts.total ? `the ${facts.channels} strongest in this file` : "";
  note("maps-note", facts, [facts.words, more].filter(Boolean).join(" · "));
  drawFrame();
}

function drawTile(picture, i, facts, layer, shared, isSigned, colours) {
  const channel = grid.first + i;
  const [low, high] = [layer.low[channel], layer.high[channel]];
  const bound = Math.max(Math.abs(low), Math.abs(high));
  const levels = table(low, high, shared || (isSigned ? { low: -bound, high: bound } : { low, high }));
  const [top, left] = corner(i);
  for (let y = 0; y < grid.height; y++) {
    for (let x = 0; x < grid.width; x++) {
      const cell = (channel * facts.height + Math.floor(y / grid.times)) * facts.width + Math.floor(x / grid.times);
      putColour(picture.data, (top + y) * picture.width + left + x, colours, levels[layer.levels[cell]]);
    }
  }
}

const withZero = (scale) => ({ low: Math.min(0, scale.low), high: Math.max(0, scale.high) });

// The row of a value from the top, with a margin above and below.
function rowOf(value, scale, height) {
  const margin = Math.min(3, Math.floor(height / 8));
  const share = scale.high > scale.low ? (value - scale.low) / (scale.high - scale.low) : 0.5;
  return height - 1 - margin - Math.round(Math.min(Math.max(share, 0), 1) * (height - 1 - 2 * margin));
}

// A number is a bar from zero, up or down.
function drawUnit(picture, i, layer, scale) {
  const unit = grid.first + i;
  const isKnown = layer.levels[unit] !== NOT_FINITE;
  const zero = rowOf(0, scale, grid.height);
  const end = isKnown ? rowOf(layer.low[unit], scale, grid.height) : zero;
  const [top, left] = corner(i);
  const wide = grid.width > 2 ? grid.width - 1 : grid.width;
  const kindOf = (y) => {
    if (!isKnown) return NOT_FINITE;
    if (y === zero) return ZERO;
    if (y < zero) return y >= end ? UP : null;
    return y <= end ? DOWN : null;
  };
  for (let y = 0; y < grid.height; y++) {
    const kind = kindOf(y);
    if (kind === null) continue;
    for (let x = 0; x < (y === zero ? grid.width : wide); x++) {
      putColour(picture.data, (top + y) * picture.width + left + x, PALETTES.chart, kind);
    }
  }
}

function drawFrame() {
  const frame = $("grid").querySelector(".frame");
  const i = chosen.channel - grid.first;
  frame.hidden = i < 0 || i >= grid.count || grid.count < 2;
  const share = (part, whole) => `${(100 * part) / whole}%`;
  const [top, left] = corner(i);
  const [wide, high] = grid.whole;
  Object.assign(frame.style, {
    left: share(left, wide), top: share(top, high), width: share(grid.width, wide), height: share(grid.height, high),
  });
}
