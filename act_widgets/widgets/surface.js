// Pictures and frames on a canvas. It is drawn at once if the page has all its pictures, else when they are decoded.

const FRAME = [['#ffffff', 5], ['#d55e00', 3]]; // Seen on every ground.

function draw(state, el) {
  const canvas = document.createElement('canvas');
  canvas.className = 'aw-canvas';
  el.append(canvas);
  const context = canvas.getContext('2d');
  const decoded = new Map(); // By name: a bitmap, or the promise of one.

  let slider = null; // The model that the drawing follows by itself.

  function decode() {
    const sheets = { ...state.get('ground'), ...state.get('sheets') };
    for (const name of decoded.keys()) if (!(name in sheets)) decoded.delete(name);
    for (const [name, png] of Object.entries(sheets)) {
      if (decoded.has(name)) continue;
      const coming = createImageBitmap(new Blob([png], { type: 'image/png' })).then(bitmap => {
        if (decoded.get(name) !== coming) return;
        decoded.set(name, bitmap);
        show();
      });
      decoded.set(name, coming);
    }
  }

  function show() {
    const { placed, frames } = state.get('scenes')[slider?.get('value')] ?? state.get('scene');
    const grounds = Object.keys(state.get('ground')).map(name => decoded.get(name));
    const bitmaps = placed.map(({ sheet }) => decoded.get(sheet));
    if (![...grounds, ...bitmaps].every(bitmap => bitmap instanceof ImageBitmap)) return; // What is shown stays.
    const [width, height] = state.get('size');
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    context.clearRect(0, 0, width, height);
    context.imageSmoothingEnabled = false;
    for (const ground of grounds) context.drawImage(ground, 0, 0, width, height);
    placed.forEach(({ box, part, opacity, smooth }, i) => {
      context.imageSmoothingEnabled = smooth;
      context.globalAlpha = opacity;
      context.drawImage(bitmaps[i], ...(part ?? [0, 0, bitmaps[i].width, bitmaps[i].height]), ...box);
    });
    context.globalAlpha = 1;
    for (const box of frames) {
      for (const [colour, line] of FRAME) {
        Object.assign(context, { strokeStyle: colour, lineWidth: line });
        context.strokeRect(...box);
      }
    }
  }

  function redraw() {
    decode();
    show();
  }

  async function follow() {
    const reference = state.get('_slider');
    const id = reference?.slice('IPY_MODEL_'.length);
    const next = state.widget_manager.has_model(id) ? await state.widget_manager.get_model(id) : null;
    if (reference !== state.get('_slider')) return;
    slider?.off('change:value', show);
    slider = next;
    slider?.on('change:value', show);
    show();
  }

  const at = event => {
    const box = canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) * canvas.width) / box.width,
      ((event.clientY - box.top) * canvas.height) / box.height
    ];
  };
  // The pointer is told of once per frame: where it is then.
  let pointer = null;
  let waiting = 0;
  function tell() {
    waiting = 0;
    state.send(pointer);
  }
  function point(message) {
    pointer = message;
    waiting ||= requestAnimationFrame(tell);
  }
  canvas.addEventListener('pointerdown', event => state.send({ event: 'click', at: at(event) }));
  canvas.addEventListener('pointermove', event => point({ event: 'point', at: at(event) }));
  canvas.addEventListener('pointerleave', () => point({ event: 'leave', at: [] }));

  state.on('change', redraw);
  state.on('change:_slider', follow);
  redraw();
  follow();
  return () => {
    state.off('change', redraw);
    state.off('change:_slider', follow);
    slider?.off('change:value', show);
    cancelAnimationFrame(waiting);
  };
}
