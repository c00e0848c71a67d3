// Says what the pictures and controls of a card are, where the libraries that draw them do not.

/** Set an attribute where it is another: setting one anew would call us again. */
function tell(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function nameAll(card) {
  const heading = card.querySelector(".aw-heading")?.closest(".widget-html");
  if (!heading) return; // On its way onto the page, or off it.
  heading.id ||= `aw-heading-${Math.random().toString(36).slice(2)}`;
  const title = heading.querySelector(".aw-title").textContent;
  tell(card, "role", "group");
  tell(card, "aria-label", title);
  for (const canvas of card.querySelectorAll("canvas.aw-canvas")) {
    tell(canvas, "role", "img");
    tell(canvas, "aria-labelledby", heading.id);
  }
  for (const [ground, chart] of [...card.querySelectorAll(".bqplot.figure")].map((one) => one.querySelectorAll("svg"))) {
    tell(ground, "aria-hidden", "true");
    tell(chart, "role", "img");
    tell(chart, "aria-labelledby", heading.id);
  }
  for (const slider of card.querySelectorAll(".widget-slider")) {
    const name = slider.querySelector(".widget-label").textContent || title;
    const readout = slider.querySelector(".widget-readout");
    tell(slider.querySelector(".noUi-handle"), "aria-label", name);
    tell(readout, "role", "textbox");
    tell(readout, "aria-label", `${name}, typed in`);
  }
  for (const list of card.querySelectorAll("select[title]")) tell(list, "aria-label", list.title);
  for (const play of card.querySelectorAll(".widget-play")) {
    const [start, stop] = play.querySelectorAll("button");
    tell(start, "aria-label", `${title}: ${start.querySelector(".fa-pause") ? "pause" : "play"}`);
    tell(stop, "aria-label", `${title}: back to the first`);
  }
  // A button that shows an icon alone.
  for (const button of card.querySelectorAll("button.widget-button[title]")) {
    if (!/\w/.test(button.textContent)) tell(button, "aria-label", button.title);
  }
  // The label of "aw-stop" says what a press does, and so tells its state already.
  for (const button of card.querySelectorAll("button.widget-toggle-button:not(.aw-stop), .widget-toggle-buttons button")) {
    tell(button, "aria-pressed", String(button.classList.contains("mod-active")));
  }
}

/** Name what is in the card around an element, whenever something changes there; returns what ends this. */
function keepNamed(el) {
  const changes = new MutationObserver(() => el.isConnected && nameAll(el.closest(".aw-card")));
  // There is no card around it before it has its place on the page.
  const placed = new ResizeObserver(() => {
    const card = el.closest(".aw-card");
    if (!card) return;
    placed.disconnect();
    nameAll(card);
    changes.observe(card, { childList: true, subtree: true, attributeFilter: ["class"] });
  });
  placed.observe(el);
  return () => {
    placed.disconnect();
    changes.disconnect();
  };
}
