// Two fields for the ends of a range, and a button that clears it. Nothing is sent unless somebody asks for it.
const LABELS = ['Light up', 'to'];
const NAMES = ['Light up values from', 'Light up values to'];

function written(number) {
  return String(Number(number.toPrecision(4)));
}

function draw(state, el) {
  const boxes = NAMES.map((name) => {
    const box = document.createElement('input');
    box.type = 'number';
    box.setAttribute('aria-label', name);
    // JupyterLab leaves the keys of this element alone: Ctrl+A selects the number, not the cells.
    box.setAttribute('data-lm-suppress-shortcuts', 'true');
    return box;
  });
  const words = LABELS.map((label) => Object.assign(document.createElement('span'), { textContent: label }));
  const clear = Object.assign(document.createElement('button'), { type: 'button', textContent: 'Clear' });
  el.classList.add('aw-range');
  el.tabIndex = -1;
  el.append(words[0], boxes[0], words[1], boxes[1], clear);

  function show() {
    const chosen = state.get('chosen');
    boxes.forEach((box, end) => {
      box.placeholder = written(state.get('ends')[end]);
      box.step = state.get('step');
      box.value = chosen.length ? written(chosen[end]) : '';
    });
    clear.disabled = !chosen.length;
  }

  function choose(chosen) {
    state.set('chosen', chosen);
    state.save_changes();
  }

  // A field shows few digits: an end that nobody changed stays what it is.
  function read() {
    const before = state.get('chosen');
    const isEmpty = boxes.every((box) => box.value === '');
    const end = (box, i) => (before.length && box.value === written(before[i]) ? before[i] : Number(box.value));
    choose(isEmpty ? [] : boxes.map((box, i) => (box.value === '' ? state.get('ends')[i] : end(box, i))));
  }

  function press(event) {
    if (event.key === 'Enter' && boxes.includes(event.target)) read();
    const up = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
    const at = boxes.indexOf(event.target);
    if (!up || at < 0) return;
    event.preventDefault();
    if (event.target.value === '') event.target.value = event.target.placeholder;
    event.target.value = written(Number(event.target.value) + up * state.get('step'));
    read();
  }

  function isHere(target) {
    return el.closest('.aw-card')?.contains(target) && !target.closest('.aw-code');
  }

  function leave(event) {
    if (event.key !== 'Escape' || !state.get('chosen').length || !isHere(event.target)) return;
    event.stopPropagation();
    choose([]);
  }

  // Who drew a range in the chart has its keys, too.
  function take(event) {
    if (isHere(event.target) && event.target.closest('.bqplot')) {
      document.addEventListener('pointerup', () => el.focus({ preventScroll: true }), { once: true });
    }
  }

  boxes.forEach((box) => box.addEventListener('change', read));
  el.addEventListener('keydown', press);
  clear.addEventListener('click', () => choose([]));
  document.addEventListener('keydown', leave, true);
  document.addEventListener('pointerdown', take, true);
  state.on('change', show);
  show();
  return () => {
    state.off('change', show);
    document.removeEventListener('keydown', leave, true);
    document.removeEventListener('pointerdown', take, true);
  };
}
