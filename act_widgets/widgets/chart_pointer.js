// Tells where the pointer is along the axis at the bottom of the chart in the same card.

// Its ticks tell, whatever the size of the chart and however it is zoomed.
function along(chart, x) {
  const ticks = [...chart.querySelectorAll('g.axis[text-anchor="middle"] g.tick')];
  if (!ticks.length) return null;
  const [first, last] = [ticks[0], ticks[ticks.length - 1]].map((tick) => ({
    value: Number(tick.__data__), // d3 keeps it there.
    x: tick.querySelector('line').getBoundingClientRect().left,
  }));
  const wide = last.x - first.x;
  return wide ? first.value + ((x - first.x) / wide) * (last.value - first.value) : first.value;
}

function draw(state, el) {
  // The pointer is told of once per frame: where it is then.
  let pointer = null;
  let waiting = 0;
  let isOver = false;

  function tell() {
    waiting = 0;
    state.send({ at: pointer });
  }

  function point(at) {
    pointer = at;
    waiting ||= requestAnimationFrame(tell);
  }

  function look(event) {
    const chart = event.target.closest?.('.bqplot');
    const wasOver = isOver;
    isOver = Boolean(chart && el.closest('.aw-card')?.contains(chart));
    if (isOver) point(along(chart, event.clientX));
    else if (wasOver) point(null);
  }

  document.addEventListener('pointermove', look, true);
  return () => {
    document.removeEventListener('pointermove', look, true);
    cancelAnimationFrame(waiting);
  };
}
