// Levels, scales and colours.

// The ends of the colours, symmetric where there are values of both signs.
function scaleOf(low, high) {
  const bound = Math.max(-low, high);
  return low < 0 && high > 0 ? { low: -bound, high: bound, signed: true } : { low, high, signed: false };
}

// From the levels of a map, which lie between its own ends, to those of a scale.
function table(low, high, scale) {
  const made = new Uint8Array(256).fill(NOT_FINITE);
  const extent = scale.high - scale.low;
  for (let level = 0; level <= TOP; level++) {
    const share = (low + (level / TOP) * (high - low) - scale.low) / extent;
    const same = low === scale.low && high === scale.high;
    made[level] = !(extent > 0) ? 0 : same ? level : Math.min(TOP, Math.max(0, Math.floor(share * TOP + 0.5)));
  }
  return made;
}

const colourOf = (colours, level) => `rgb(${PALETTES[colours].slice(3 * level, 3 * level + 3)})`;

function putColour(pixels, at, colours, level) {
  pixels[4 * at] = colours[3 * level];
  pixels[4 * at + 1] = colours[3 * level + 1];
  pixels[4 * at + 2] = colours[3 * level + 2];
  pixels[4 * at + 3] = 255;
}

function resize(canvas, width, height) {
  Object.assign(canvas, { width, height });
  return canvas.getContext("2d");
}

function drawBar(place, colours, scale, ends) {
  const bar = element("div", "aw-bar");
  const line = element("div", "aw-bar-colours");
  const stops = [...Array(16).keys()].map((i) => colourOf(colours, Math.round((i * TOP) / 15)));
  line.style.background = `linear-gradient(to right, ${stops})`;
  if (scale ? scale.signed : colours === DIVERGING) line.append(element("span", "aw-bar-zero", "0"));
  const [low, high] = scale ? [number(scale.low), number(scale.high)] : ends;
  bar.append(element("span", "", low), line, element("span", "", high));
  place.replaceChildren(bar);
}

function drawEnds(place, scale) {
  const bar = element("div", "aw-bar aw-ends");
  bar.append(element("span", "", number(scale.low)), element("span", "", number(scale.high)));
  place.replaceChildren(bar);
}
