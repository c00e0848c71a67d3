// What the model graph looks like, in the colours of the page around it.

const STYLE = `
.actw-graph { position: relative; width: 100%; overflow: hidden; border-radius: 6px;
  font: 12px var(--jp-ui-font-family, system-ui, sans-serif); display: flex; flex-direction: column;
  color: var(--jp-ui-font-color1, #222); background: var(--jp-layout-color1, #fff); }
.actw-graph .stage { position: relative; flex: 1; min-height: 0; }
.actw-graph svg { position: absolute; inset: 0; width: 100%; height: 100%; cursor: grab; touch-action: none;
  font-size: 12px; user-select: none; -webkit-user-select: none; }
.actw-graph svg.dragging { cursor: grabbing; }
.actw-graph svg:focus-visible, .actw-graph button:focus-visible {
  outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: -2px; }
.actw-graph .edge { fill: none; stroke: var(--jp-ui-font-color3, #8c8c8c); stroke-width: 1.5; }
.actw-graph .arrow { fill: var(--jp-ui-font-color3, #8c8c8c); }
.actw-graph .near .edge { stroke: var(--jp-ui-font-color1, #222); stroke-width: 2; }
.actw-graph .near .arrow { fill: var(--jp-ui-font-color1, #222); }
.actw-graph .far text { display: none; }
.actw-graph .item { cursor: pointer; outline: none; }
.actw-graph .item:hover .body { filter: brightness(1.08); }
.actw-graph .ring, .actw-graph .chosen, .actw-graph .found { vector-effect: non-scaling-stroke; }
.actw-graph .item .ring { fill: none; stroke: none; pointer-events: none; }
.actw-graph .item:focus-visible .ring { stroke: var(--jp-brand-color1, #1976d2); stroke-width: 2;
  stroke-dasharray: 4 2; }
.actw-graph .chosen { fill: none; stroke: var(--jp-warn-color1, #ee7733); stroke-width: 3; pointer-events: none; }
.actw-graph .found { fill: none; stroke: var(--jp-brand-color1, #1976d2); stroke-width: 3; stroke-dasharray: 7 3; pointer-events: none; }
.actw-graph .body { stroke: var(--jp-layout-color1, #fff); stroke-width: 1; }
.actw-graph .group .body { stroke: #8f8770; }
.actw-graph .frame { fill: #7f8fa6; fill-opacity: 0.12; stroke: var(--jp-border-color1, #9a9a9a); }
.actw-graph .chip { fill: var(--jp-layout-color1, #fff); stroke: var(--jp-border-color1, #9a9a9a); }
.actw-graph .chip-text { fill: var(--jp-ui-font-color1, #222); font-weight: bold; }
.actw-graph .close-sign, .actw-graph .open-sign { stroke-width: 1.6; fill: none; pointer-events: none; }
.actw-graph .close-sign { stroke: var(--jp-ui-font-color1, #222); }
.actw-graph .search { display: flex; align-items: center; gap: 4px; padding: 0 0 4px; }
.actw-graph .search input { font: inherit; font-size: 13px; flex: 1 1 auto; min-width: 0; height: 26px; padding: 0 6px;
  box-sizing: border-box; border: 1px solid var(--jp-border-color1, #bdbdbd); border-radius: 2px;
  color: var(--jp-ui-font-color0, #111); background: var(--jp-layout-color1, #fff); }
.actw-graph .search input:focus-visible { outline-offset: -2px; }
.actw-graph .search input::placeholder { color: var(--jp-ui-font-color2, #616161); opacity: 1; }
.actw-graph .count { white-space: nowrap; font-variant-numeric: tabular-nums; }
.actw-graph .tip { position: absolute; z-index: 2; max-width: min(320px, calc(100% - 16px)); padding: 6px 8px; pointer-events: none;
  border: 1px solid var(--jp-border-color1, #bdbdbd); border-radius: 4px; box-shadow: 0 2px 8px rgba(0, 0, 0, 0.25); overflow-wrap: anywhere;
  color: var(--jp-ui-font-color0, #111); background: var(--jp-layout-color1, #fff); box-sizing: border-box; }
.actw-graph .tip[hidden] { display: none; }
.actw-graph .tip strong { display: block; }
.actw-graph .tip .facts { display: grid; grid-template-columns: auto 1fr; gap: 0 10px; }
.actw-graph .tip .what { color: var(--jp-ui-font-color2, #555); white-space: nowrap; }
.actw-graph .tip .value { font-variant-numeric: tabular-nums; }
.actw-graph .bar { display: flex; align-items: center; gap: 8px; }
.actw-graph .hint { flex: 1; }
.actw-graph .tools { display: flex; border-radius: 5px; border: 1px solid var(--jp-border-color2, #ccc); }
.actw-graph button { font: inherit; font-weight: 600; min-width: 24px; height: 24px; padding: 0 5px; cursor: pointer;
  border: 0; border-radius: 4px; color: var(--jp-ui-font-color1, #222); background: transparent; }
.actw-graph button:hover { background: var(--jp-layout-color2, #eee); }
.actw-graph .foot { padding: 6px 4px 2px; border-top: 1px solid var(--jp-border-color2, #ddd);
  font-size: 11px; color: var(--jp-ui-font-color2, #555); }
.actw-graph .legend { display: flex; flex-wrap: wrap; gap: 2px 10px; margin-bottom: 3px; }
.actw-graph .scale { display: grid; grid-template-columns: 1fr; gap: 1px; margin-bottom: 3px; }
.actw-graph .scale .colours { height: 10px; border-radius: 2px; border: 1px solid var(--jp-border-color2, #ccc); }
.actw-graph .scale .ticks { position: relative; height: 15px; font-variant-numeric: tabular-nums; }
.actw-graph .scale .ticks span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.actw-graph .scale .ticks span:first-child { transform: none; }
.actw-graph .scale .ticks span:last-child { transform: translateX(-100%); }
.actw-graph .hatched { background: repeating-linear-gradient(-45deg, #8a8a8a 0 2px, #d9d9d9 2px 5px); }
.actw-graph .legend i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 4px;
  vertical-align: -1px; border: 1px solid var(--jp-ui-font-color2, #616161); box-sizing: border-box; }
`;
