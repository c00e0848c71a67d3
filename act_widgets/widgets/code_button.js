// A button that shows code and copies it. The code is asked for when it is wanted.
// Beside it: the keys of what is in cards, and the names of it (keys.js and names.js stand before this).

function element(name, properties, attributes = {}) {
  const made = Object.assign(document.createElement(name), properties);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

async function copied(box) {
  try {
    await navigator.clipboard.writeText(box.value);
    return true;
  } catch {
    // Not allowed, or the page is not served safely: the old way needs a selection.
    return document.execCommand('copy');
  }
}

function draw(state, el) {
  el.classList.add('aw-code');
  const button = element(
    'button',
    { className: 'aw-code-button', textContent: '</>', title: 'Copy as code', type: 'button' },
    { 'aria-label': 'Copy as code', 'aria-expanded': 'false' }
  );
  const panel = element('div', { className: 'aw-code-panel', hidden: true });
  // JupyterLab leaves the keys of this element alone: Ctrl+A selects the code, not the cells.
  const box = element(
    'textarea',
    { readOnly: true, spellcheck: false, wrap: 'off' },
    { 'aria-label': 'Code', 'data-lm-suppress-shortcuts': 'true' }
  );
  const told = element('div', { className: 'aw-code-told' }, { role: 'status' });
  panel.append(box, told);
  el.append(button, panel);

  function open(isOpen) {
    panel.hidden = !isOpen;
    button.setAttribute('aria-expanded', String(isOpen));
  }

  function ask() {
    if (!panel.hidden) {
      open(false);
      return;
    }
    open(true);
    box.value = '';
    told.textContent = 'Asking the kernel …';
    state.set('asked', state.get('asked') + 1);
    state.save_changes();
  }

  async function answer() {
    if (panel.hidden || state.get('answered') !== state.get('asked')) return;
    box.value = state.get('code');
    box.rows = box.value.split('\n').length;
    box.focus();
    box.select();
    told.textContent = (await copied(box)) ? 'Copied.' : 'Selected: press Ctrl+C or ⌘C to copy.';
  }

  function key(event) {
    event.stopPropagation();
    if (event.key === 'Escape') {
      open(false);
      button.focus();
    }
  }

  button.addEventListener('click', ask);
  panel.addEventListener('keydown', key);
  state.on('change:answered', answer);
  const endKeys = keepKeys();
  const endNames = keepNamed(el);
  return () => {
    endKeys();
    endNames();
    state.off('change:answered', answer);
  };
}
