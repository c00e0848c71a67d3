// A list that opens at a click, of entries that change. What is chosen is told by its key.
function draw(state, el) {
  const label = Object.assign(document.createElement('label'), { className: 'widget-label' });
  const list = Object.assign(document.createElement('select'), { title: state.get('hint') });
  list.id = label.htmlFor = `aw-list-${Math.random().toString(36).slice(2)}`;
  label.textContent = state.get('label');
  // It looks as the lists of ipywidgets do.
  el.classList.add('jupyter-widgets', 'widget-inline-hbox', 'widget-dropdown');
  el.append(...(label.textContent ? [label, list] : [list]));

  function fill() {
    list.replaceChildren(...state.get('options').map(([key, words]) => new Option(words, key)));
    choose();
  }

  function choose() {
    list.value = state.get('chosen');
  }

  list.addEventListener('change', () => {
    state.set('chosen', list.value);
    state.save_changes();
  });
  state.on('change:options', fill);
  state.on('change:chosen', choose);
  fill();
  return () => {
    state.off('change:options', fill);
    state.off('change:chosen', choose);
  };
}
