// Points on a canvas, with pictures beside some of them, and a card beside the pointer.

const RING = [['#ffffff', 5], ['#d55e00', 3]]; // Seen on every ground.
const NEAR = 12; // Pixels from a point within which the pointer means it.

function made(tag, name, attributes = {}) {
  const element = document.createElement(tag);
  element.className = name;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** Numbers of a trait of bytes, which may begin anywhere in its buffer. */
function numbers(view, Kind) {
  if (!view || !view.byteLength) return new Kind(0);
  return new Kind(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

function draw(state, el) {
  el.classList.add('aw-scatter');
  const stage = made('div', 'aw-scatter-stage', {
    tabindex: '0', role: 'slider', 'aria-label': 'Sample, by its point',
    'aria-description': 'Arrow keys choose the nearest sample in their direction, Page Up and Page Down the one before and after.',
  });
  const canvas = made('canvas', 'aw-points', { 'aria-hidden': 'true' });
  const tip = made('div', 'aw-scatter-tip', { 'aria-hidden': 'true' });
  const photo = tip.appendChild(made('img', '', { alt: '' }));
  const words = tip.appendChild(made('bdi', ''));
  const [across, up] = ['across', 'up'].map((way) => made('div', `aw-scatter-title aw-scatter-${way}`));
  stage.append(canvas, tip);
  el.append(up, stage, across);
  const context = canvas.getContext('2d');

  let points = new Float32Array(0);
  let kinds = new Uint16Array(0);
  let sheet = null; // The pictures, once they are decoded.
  let sheetOf = null;
  let pointed = -1;

  const count = () => kinds.length;
  const isThere = (sample) => sample >= 0 && sample < count() && Number.isFinite(points[2 * sample]);
  const zoom = () => canvas.clientWidth / state.get('size')[0] || 1;
  const at = (sample) => [points[2 * sample] * zoom(), points[2 * sample + 1] * zoom()];
  const name = (sample) => state.get('names')[kinds[sample]] ?? '';
  const mark = (sample) => {
    const marks = state.get('marks');
    return marks[Math.min(kinds[sample], marks.length - 1)];
  };
  const pinned = () => (sheet ? state.get('thumbnails').pinned : []);

  function read() {
    points = numbers(state.get('places'), Float32Array);
    kinds = numbers(state.get('kinds'), Uint16Array);
    const { png } = state.get('thumbnails');
    if (png === sheetOf) return;
    [sheet, sheetOf] = [null, png];
    if (!png) return;
    createImageBitmap(new Blob([png], { type: 'image/png' })).then((bitmap) => {
      if (png !== sheetOf) return;
      sheet = bitmap;
      show();
    });
  }

  function polygon([colour, corners], x, y, radius) {
    context.beginPath();
    for (const [dx, dy] of corners) context.lineTo(x + radius * dx, y + radius * dy);
    context.closePath();
    context.fillStyle = colour;
    context.fill();
  }

  /** Draw pictures beside their points, each with a line that leads there. */
  function pin(side) {
    const { columns, cell } = state.get('thumbnails');
    pinned().forEach(([sample, ...corner], i) => {
      const [left, top] = corner.map((v) => v * zoom());
      Object.assign(context, { strokeStyle: mark(sample)[0], lineWidth: 1 });
      context.beginPath();
      context.moveTo(left + side / 2, top + side / 2);
      context.lineTo(...at(sample));
      context.stroke();
      const from = [(i % columns) * cell, Math.floor(i / columns) * cell, cell, cell];
      context.drawImage(sheet, ...from, left, top, side, side);
      context.lineWidth = 2;
      context.strokeRect(left + 1, top + 1, side - 2, side - 2);
    });
  }

  function show() {
    const [width, height, side] = state.get('size');
    const wide = canvas.clientWidth;
    if (!wide) return; // It is not on the page yet.
    const density = window.devicePixelRatio || 1;
    const size = [Math.round(wide * density), Math.round(((wide * height) / width) * density)];
    if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, wide, size[1]);
    const radius = state.get('radius');
    const chosen = state.get('chosen');
    pin(side * zoom());
    for (let sample = 0; sample < count(); sample += 1) {
      if (isThere(sample)) polygon(mark(sample), ...at(sample), radius);
    }
    if (isThere(chosen)) {
      polygon(mark(chosen), ...at(chosen), radius); // Above all others.
      for (const [strokeStyle, lineWidth] of RING) {
        Object.assign(context, { strokeStyle, lineWidth });
        context.beginPath();
        context.arc(...at(chosen), radius + 5, 0, 2 * Math.PI);
        context.stroke();
      }
    }
    stage.setAttribute('aria-valuemin', 0);
    stage.setAttribute('aria-valuemax', Math.max(count() - 1, 0));
    stage.setAttribute('aria-valuenow', chosen);
    stage.setAttribute('aria-valuetext', `sample ${chosen}${isThere(chosen) ? `, ${name(chosen)}` : ', left out'}`);
    [across.textContent, up.textContent] = state.get('titles');
    stage.dataset.drawn = count(); // So that who looks at the page knows.
  }

  /** The sample that the pointer means, or -1: a point that it is near to, or the picture that it is over. */
  function under(event) {
    const box = canvas.getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    let [best, least] = [-1, NEAR];
    for (let sample = 0; sample < count(); sample += 1) {
      if (!isThere(sample)) continue;
      const [x, y] = at(sample);
      const far = Math.hypot(x - px, y - py);
      if (far < least) [best, least] = [sample, far];
    }
    if (best >= 0) return best;
    const side = state.get('size')[2] * zoom();
    const isIn = (v, from) => v >= from * zoom() && v <= from * zoom() + side;
    return pinned().find(([, left, top]) => isIn(px, left) && isIn(py, top))?.[0] ?? -1;
  }

  function tell() {
    tip.hidden = pointed < 0;
    if (pointed < 0) return;
    const told = state.get('tip');
    const isTold = told.sample === pointed && told.png;
    words.textContent = isTold ? told.words : `sample ${pointed} · ${name(pointed)}`;
    photo.hidden = !isTold;
    if (isTold && photo.told !== told.png) {
      photo.told = told.png;
      photo.onload = () => URL.revokeObjectURL(photo.src);
      photo.src = URL.createObjectURL(new Blob([told.png], { type: 'image/png' }));
    }
    const [x, y] = at(pointed);
    // Beside the point, never over it.
    tip.style.left = `${x + 16 + tip.offsetWidth <= canvas.clientWidth ? x + 16 : Math.max(0, x - 16 - tip.offsetWidth)}px`;
    tip.style.top = `${Math.max(0, Math.min(y - 12, canvas.clientHeight - tip.offsetHeight))}px`;
  }

  function point(sample) {
    if (sample === pointed) return;
    pointed = sample;
    canvas.style.cursor = sample < 0 ? '' : 'pointer';
    if (sample >= 0 && state.get('tip').sample !== sample) state.send({ sample });
    tell();
  }

  /** What lay under the pointer lies elsewhere now. */
  function lose() {
    point(-1);
  }

  function choose(sample) {
    if (sample < 0 || sample === state.get('chosen')) return;
    state.set('chosen', sample);
    state.save_changes();
  }

  /** The nearest sample in a direction; what lies aside counts twice. */
  function beside([dx, dy]) {
    const chosen = state.get('chosen');
    const from = isThere(chosen) ? at(chosen) : [canvas.clientWidth / 2, canvas.clientHeight / 2];
    let [best, least] = [-1, Infinity];
    for (let sample = 0; sample < count(); sample += 1) {
      if (!isThere(sample) || sample === chosen) continue;
      const [x, y] = at(sample);
      const on = (x - from[0]) * dx + (y - from[1]) * dy;
      const aside = Math.abs((x - from[0]) * dy + (y - from[1]) * dx);
      if (on > 0.01 && on + 2 * aside < least) [best, least] = [sample, on + 2 * aside];
    }
    return best;
  }

  /** The next sample that has a point, from one on. */
  function next(sample, by) {
    for (let i = sample; i >= 0 && i < count(); i += by) if (isThere(i)) return i;
    return -1;
  }

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  stage.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const chosen = state.get('chosen');
    if (event.key in ARROWS) choose(beside(ARROWS[event.key]));
    else if (event.key === 'PageDown') choose(next(chosen + 1, 1));
    else if (event.key === 'PageUp') choose(next(chosen - 1, -1));
    else if (event.key === 'Home') choose(next(0, 1));
    else if (event.key === 'End') choose(next(count() - 1, -1));
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  let waiting = 0;
  let last = null;
  canvas.addEventListener('pointermove', (event) => {
    last = event;
    waiting ||= requestAnimationFrame(() => {
      waiting = 0;
      point(under(last));
    });
  });
  canvas.addEventListener('pointerleave', () => {
    cancelAnimationFrame(waiting);
    waiting = 0;
    point(-1);
  });
  canvas.addEventListener('click', (event) => choose(under(event)));

  function redraw() {
    read();
    show();
    tell();
  }

  state.on('change:places', lose);
  state.on('change', redraw);
  const placed = new ResizeObserver(show);
  placed.observe(canvas);
  redraw();
  return () => {
    state.off('change', redraw);
    state.off('change:places', lose);
    placed.disconnect();
    cancelAnimationFrame(waiting);
  };
}
