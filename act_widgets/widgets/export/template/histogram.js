// Counts as bars.

// The ends of the bins: values closer together than numbers can tell get bins around them.
function ends(low, high) {
  const least = high > low ? Math.max(Math.abs(low), Math.abs(high), 1e-300) * 1e-9 : (Math.abs(low) || 1) / 2;
  return high - low < least ? [low - least, high + least] : [low, high];
}

function ticks(highest, log) {
  if (log) return [...Array(Math.ceil(Math.log10(Math.max(highest, 1))) + 1).keys()].map((i) => 10 ** i);
  const power = 10 ** Math.floor(Math.log10(Math.max(highest, 1)));
  const step = [0.2, 0.5, 1, 2, 5].map((share) => share * power).find((s) => highest / s <= 5 && s >= 1) || power;
  return [...Array(Math.floor(highest / step) + 1).keys()].map((i) => i * step);
}

function drawHistogram(facts, layer) {
  const isChannel = facts.has_channels && chosen.scope === "channel";
  const which = isChannel ? chosen.channel : facts.channels;
  const counts = layer.counts.slice(which * BINS, (which + 1) * BINS);
  const [low, high] = ends(layer.first[which], layer.last[which]);
  const log = chosen.counts === "log";
  const [left, right, top, bottom] = [48, 328, 10, 162];
  const highest = Math.max(...counts, 1);
  const level = (count) => (log ? Math.log10(Math.max(count, 0.8) / 0.8) : count);
  const y = (count) => bottom - (level(count) / level(highest)) * (bottom - top);
  const step = (right - left) / BINS;
  const parts = [];
  for (const tick of ticks(highest, log)) {
    if (tick > highest * 1.001) continue;
    parts.push(svg("line", { x1: left, x2: right, y1: y(tick), y2: y(tick) }));
    const words = tick >= 10000 ? `${general(tick / 1000)}k` : String(tick);
    parts.push(svg("text", { x: left - 5, y: y(tick) + 4, "text-anchor": "end" }, words));
  }
  counts.forEach((count, i) => {
    if (!count) return;
    const place = { x: left + i * step, width: step * 0.92, y: y(count), height: bottom - y(count) };
    const bar = svg("rect", { ...place, "data-count": count });
    const at = (k) => number(low + (k / BINS) * (high - low));
    bar.append(svg("title", {}, `${at(i)} to ${at(i + 1)}: ${count}`));
    parts.push(bar);
  });
  parts.push(svg("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }));
  for (let i = 0; i < 4; i++) {
    const anchor = i === 3 ? "end" : i ? "middle" : "start";
    const place = left + ((right - left) * i) / 3;
    parts.push(svg("text", { x: place, y: bottom + 14, "text-anchor": anchor }, number(low + ((high - low) * i) / 3)));
  }
  parts.push(svg("text", { x: (left + right) / 2, y: bottom + 31, "text-anchor": "middle" }, "activation"));
  const turned = `translate(11 ${(top + bottom) / 2}) rotate(-90)`;
  parts.push(svg("text", { transform: turned, "text-anchor": "middle" }, log ? "count (log)" : "count"));
  $("histogram").replaceChildren(...parts);
  note("histogram-note", facts, isChannel ? `channel ${numberOf(facts, chosen.channel)}` : "all channels");
}
