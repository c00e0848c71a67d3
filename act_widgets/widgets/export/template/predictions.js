// The model's answer as bars.

function drawPredictions() {
  const single = data.units === 1;
  const shown = values[chosen.sample].slice(single ? 1 : 0);
  const target = single ? 0 : explained();
  const order = single ? [0] : bestFirst(chosen.sample).slice(0, 8);
  if (!order.includes(target)) order.push(target);
  const finite = order.map((unit) => (Number.isFinite(shown[unit]) ? shown[unit] : 0));
  const [low, high] = data.probabilities ? [0, 1] : [Math.min(0, ...finite), Math.max(0, ...finite)];
  const place = (value) => 100 * Math.min(Math.max((value - low) / Math.max(high - low, 1e-12), 0), 1);
  const rows = order.flatMap((unit, i) => {
    const mark = unit === target ? " aw-row-chosen" : "";
    const name = element("div", `aw-row-name${mark}`, data.names[single ? 1 : unit]);
    name.title = name.textContent;
    name.setAttribute("role", "listitem");
    const track = element("div", `aw-row-track${mark}`);
    const fill = element("div", "aw-row-fill");
    const [start, end] = [place(0), place(finite[i])].sort((a, b) => a - b);
    Object.assign(fill.style, { left: `${start}%`, width: `${end - start}%` });
    track.append(fill);
    const words = data.probabilities ? percent(shown[unit]) : number(shown[unit]);
    return [name, track, element("div", `aw-row-value${mark}`, words)];
  });
  $("predictions").replaceChildren(...rows);
  const kind = data.probabilities ? "probabilities" : "output values";
  const more = shown.length - order.length;
  $("prediction-note").textContent = more > 0 ? `${kind} · ${more} more` : kind;
}
