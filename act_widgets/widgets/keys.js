// Keeps the keys of a card's controls from the shortcuts of the notebook around it.

// JupyterLab and Notebook 7 leave a key alone if the element that has the focus has this attribute. That
// something around it has it is not enough: many shortcuts are for whatever has the focus in a cell.
const LEAVE_ALONE = 'data-lm-suppress-shortcuts';
const CONTROLS = '.aw-card :is([role="slider"], select, [role="tree"], .actw-graph svg, .actw-graph .item)';
const MOVES = ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'PageUp', 'PageDown', 'Home', 'End'];
const PRESSES = ['Enter', ' '];

/** Whether a key is one letter, figure or sign, which a list looks for and the graph's zoom takes. */
const isSign = (key) => [...key].length === 1;

/** Whether a key is the control's own; all others, such as Ctrl+S, Shift+Enter or F1, stay the notebook's. */
function isOwn(control, { key, ctrlKey, metaKey, altKey, shiftKey }) {
  if (ctrlKey || metaKey || altKey) return false;
  if (MOVES.includes(key)) return true;
  if (control.matches('[role="slider"]')) return false;
  if (PRESSES.includes(key)) return !shiftKey;
  if (key === 'Escape') return control.matches('.actw-graph *');
  return isSign(key);
}

function claim(event) {
  const control = event.target;
  if (control.matches?.(CONTROLS)) control.toggleAttribute(LEAVE_ALONE, isOwn(control, event));
}

/** Claim each key for the control that has the focus, if it is its own; returns what ends this. */
function keepKeys() {
  // The window hears a key first. Notebook 7 looks at it in the document, before the control can take it.
  window.addEventListener('keydown', claim, true);
  return () => window.removeEventListener('keydown', claim, true);
}
