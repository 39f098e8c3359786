import { bytes, milliseconds, percent } from "../output.js";
import { type LayerLine, type ReportData, titleOf } from "./data.js";
import { VIEWER } from "./viewer.js";

/** The report as one HTML page that needs nothing else: the data is in it as JSON (`<script id="report">`). */
export function reportPage(report: ReportData): string {
  const title = `${titleOf(report.input)}, pruned`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${text(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${text(title)}</h1>
${tiles(report)}
<h2>What was asked</h2>
<dl>${report.asked.map(([name, value]) => `<dt>${text(name)}</dt><dd>${text(value)}</dd>`).join("")}</dl>
<h2>Layers</h2>
${layersTable(report.layers)}
<h2 id="masks">Masks</h2>
<p class="controls"><label>Layer <select id="layer">${report.layers.map((layer) => `<option>${text(label(layer))}</option>`).join("")}</select></label>
<button id="in">Nearer</button> <button id="out">Farther</button> <button id="whole">Whole</button></p>
<canvas id="mask" width="768" height="512" tabindex="0" aria-label="mask of the layer; plus and minus zoom, arrows move"></canvas>
<p id="caption"></p>
<p class="key"><span class="kept"></span> kept <span class="pruned"></span> pruned</p>
<script id="report" type="application/json">${JSON.stringify(report).replace(/</g, "\\u003c")}</script>
<script type="module">${VIEWER}</script>
</body>
</html>
`;
}

const text = (raw: string): string => raw.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

const label = ({ nodes, name }: LayerLine): string => nodes[0] ?? name;

function tiles({ bytesBefore, bytesAfter, sparsity, speed, layers }: ReportData): string {
  const tile = (figure: string, what: string): string =>
    `<div class="tile"><strong>${figure}</strong><span>${text(what)}</span></div>`;
  const ofWeights = `of ${layers.reduce((sum, { rows, cols }) => sum + rows * cols, 0).toLocaleString("en-US")} weights are zero`;
  const all = [
    tile(percent(sparsity), ofWeights),
    tile(bytes(bytesAfter), `${percent(bytesAfter / bytesBefore)} of ${bytes(bytesBefore)}`),
  ];
  if (speed !== null) {
    const { ratio, sparseMs, denseMs, threads } = speed;
    const times = `${milliseconds(sparseMs)} a run, dense ${milliseconds(denseMs)}, ${threads} thread${threads > 1 ? "s" : ""}`;
    all.push(tile(`${ratio.toFixed(2)}×`, `as fast as dense: ${times}`));
  }
  return `<section class="tiles">${all.join("")}</section>`;
}

function layersTable(layers: readonly LayerLine[]): string {
  const worst = Math.max(0, ...layers.map(({ error }) => error ?? 0));
  const withErrors = layers.some(({ error }) => error !== null);
  const rows = layers.map((layer, i) => {
    const { shape, pattern, sparsity, error, layout, milliseconds: ms, denseBytes, bytes: now, notes } = layer;
    const errors = withErrors
      ? `<td class="bar">${error === null ? "" : bar(percent(error, 2), error / (worst || 1))}</td>`
      : "";
    const remarks = notes.map((note) => `<div class="note">${text(note)}</div>`).join("");
    return `<tr data-layer="${i}"><td><button>${text(label(layer))}</button>${remarks}</td><td>${shape.join("×")}</td><td>${text(pattern)}</td><td class="bar">${bar(percent(sparsity), sparsity)}</td>${errors}<td>${text(layout)}</td><td class="number">${bytes(denseBytes)}</td><td class="number">${bytes(now)}</td><td class="number">${milliseconds(ms)}</td></tr>`;
  });
  const error = withErrors
    ? '<th title="share of the energy of the layer\'s outputs over the calibration samples that is lost">error</th>'
    : "";
  return `<div class="scroll"><table>
<thead><tr><th>layer</th><th>shape</th><th>pattern</th><th>sparsity</th>${error}<th>layout</th><th>dense</th><th>now</th><th>pruned in</th></tr></thead>
<tbody>
${rows.join("\n")}
</tbody></table></div>`;
}

const bar = (figure: string, share: number): string =>
  `<span class="figure">${figure}</span><span class="track"><span style="width:${(100 * share).toFixed(1)}%"></span></span>`;

const STYLE = `
:root { color-scheme: light dark; --ink: #1f2328; --quiet: #59636e; --ground: #ffffff; --line: #d1d9e0; --kept: #0969da; --pruned: #eff2f5 }
@media (prefers-color-scheme: dark) { :root { --ink: #f0f6fc; --quiet: #9198a1; --ground: #0d1117; --line: #3d444d; --kept: #79c0ff; --pruned: #21262d } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--ground); max-width: 1100px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
.tiles { display: flex; flex-wrap: wrap; gap: 1rem }
.tile { border: 1px solid var(--line); border-radius: 8px; padding: .8rem 1.1rem; display: grid }
.tile strong { font-size: 1.7rem } .tile span, dt, #caption, .note { color: var(--quiet) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem } dd { margin: 0 }
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; vertical-align: top }
td.number { text-align: right; font-variant-numeric: tabular-nums }
td button { all: unset; cursor: pointer; text-decoration: underline dotted } td button:focus-visible { outline: 2px solid var(--kept) }
.figure { display: inline-block; min-width: 4.2em; font-variant-numeric: tabular-nums }
.track { display: inline-block; width: 6em; height: .6em; background: var(--pruned); border-radius: 3px } .track span { display: block; height: 100%; background: var(--kept); border-radius: 3px }
.note { font-size: .85em; white-space: normal; max-width: 26em }
canvas { max-width: 100%; border: 1px solid var(--line); touch-action: none; cursor: grab; image-rendering: pixelated }
.key span { display: inline-block; width: 1em; height: 1em; border: 1px solid var(--line); vertical-align: -.15em; margin-left: 1em } .key .kept { background: var(--kept); margin-left: 0 } .key .pruned { background: var(--pruned) }
`;
