// The map that explains a class, over the input.

// Linear interpolation at the centres of cells.
function weights(old, size) {
  return [...Array(size).keys()].map((i) => {
    const centre = Math.min(Math.max(((i + 0.5) * old) / size - 0.5, 0), old - 1);
    const below = Math.min(Math.floor(centre), Math.max(old - 2, 0));
    return [below, Math.min(below + 1, old - 1), centre - below];
  });
}

function drawHeat(canvas, map, width, height) {
  const context = resize(canvas, width, height);
  const picture = context.createImageData(width, height);
  const colours = PALETTES[map.colours];
  const across = weights(map.w, width);
  weights(map.h, height).forEach(([above, below, down], y) => {
    across.forEach(([left, right, along], x) => {
      const row = (i) => map.levels[i * map.w + left] * (1 - along) + map.levels[i * map.w + right] * along;
      putColour(picture.data, y * width + x, colours, Math.floor(row(above) * (1 - down) + row(below) * down + 0.5));
    });
  });
  context.putImageData(picture, 0, 0);
}

function drawOverlay(map, photo) {
  const canvas = $("overlay").querySelector("canvas");
  const isSigned = Boolean(map) && map.colours === DIVERGING;
  const size = photo ? photo.size : [map.w, map.h];
  shape("overlay", ...size);
  showUnder($("overlay"), photo, true, isSigned);
  canvas.classList.toggle("over", Boolean(photo));
  reveal("opacity-line", photo);
  $("overlay").querySelector("img").classList.toggle("small", Math.max(...size) <= 112);
  const times = Math.max(1, Math.ceil(112 / Math.max(...size)));
  canvas.hidden = !(map && map.h);
  if (!canvas.hidden) drawHeat(canvas, map, size[0] * times, size[1] * times);
  $("attribution-bar").replaceChildren();
  if (!canvas.hidden) drawBar($("attribution-bar"), map.colours, { ...map, signed: isSigned });
  note("attribution-note", null, data.names[explained()]);
}

function overlayWords(map, facts) {
  if (!map) {
    const there = data.samples[chosen.sample].classes.map((unit) => data.names[unit]).join(", ");
    return there ? `This file explains ${there} for this sample.` : "This file holds no attribution.";
  }
  const isElsewhere = map.h && map.layer !== facts.address && data.ofLayers;
  const placeless = isElsewhere ? `'${facts.address}' has no spatial axes.` : "";
  return [map.said, placeless, map.more].filter(Boolean).join(" ");
}
