// Runs in the page: how long after a key or a press of the mouse the pixels of chosen elements are others.
window.bench = (() => {
  const SIDE = 64;
  const small = Object.assign(document.createElement('canvas'), { width: SIDE, height: SIDE });
  const context = small.getContext('2d', { willReadFrequently: true });
  let pressed = null;

  for (const kind of ['keydown', 'pointerdown']) {
    document.addEventListener(kind, () => (pressed ??= performance.now()), { capture: true });
  }

  /** What an element shows, as a number; null if it shows nothing just now. */
  function look(selector) {
    const element = [...document.querySelectorAll(selector)].pop();
    if (!element || (element.tagName === 'IMG' && !element.complete)) return null;
    context.clearRect(0, 0, SIDE, SIDE);
    context.drawImage(element, 0, 0, SIDE, SIDE);
    const pixels = context.getImageData(0, 0, SIDE, SIDE).data;
    let sum = 0;
    for (let i = 0; i < pixels.length; i++) sum = (sum * 31 + pixels[i]) | 0;
    return sum;
  }

  /** Wait for the next press, then for a frame in which each element looks different. */
  function watch(selectors) {
    pressed = null;
    const before = selectors.map(look);
    const took = selectors.map(() => null);
    const state = { took, done: false };
    function frame() {
      if (pressed !== null) {
        selectors.forEach((selector, i) => {
          const now = took[i] === null ? look(selector) : null;
          if (now !== null && now !== before[i]) took[i] = performance.now() - pressed;
        });
      }
      state.done = took.every(time => time !== null);
      if (!state.done) requestAnimationFrame(frame);
    }
    requestAnimationFrame(frame);
    window.bench.state = state;
  }

  return { watch, state: null };
})();
