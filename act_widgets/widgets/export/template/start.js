"use strict";
// The explorer's own scripts, each with names of its own; of each the page takes the function that draws.
const drawGraph = (() => {
/* GRAPH */
return draw;
})();
const drawList = (() => {
/* LIST */
return draw;
})();

const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
// What Python draws with: palettes as base64, and how numbers are packed.
const KNOWN = /* KNOWN */;
const { SEQUENTIAL, DIVERGING, BINS, NOT_FINITE, UP, DOWN, ZERO } = KNOWN;
const TOP = KNOWN.LEVELS - 1;
const PALETTES = Object.fromEntries(Object.entries(KNOWN.PALETTES).map(([name, text]) => [name, bytesOf(text)]));

function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function svg(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// SVG knows no property `hidden`.
const reveal = (id, isShown) => $(id).toggleAttribute("hidden", !isShown);

// The number of a picture in its layer, by its place among those in the file.
const numberOf = (facts, place) => (facts.kept ? facts.kept[place] : place);

const many = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;

function note(id, layer, words) {
  $(id).textContent = [layer && layer.name, words].filter(Boolean).join(" · ");
  $(id).title = [layer && layer.address, words].filter(Boolean).join(" · ");
}
