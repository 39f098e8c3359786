import { median, pairedRatio } from "../../src/cli/bench/statistics.js";
import { parsePattern } from "../../src/sparsity/index.js";
import type { Corner, InputFacts, LayerFacts, Reply, Request, Results } from "./messages.js";

const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const text = (id: string, content: string): void => {
  element(id).textContent = content;
};

const SENTENCE = "Moonshine tiny's encoder, and a spoken sentence";
const SECONDS = 3;
/** Sizes that named dimensions start with. */
const SEQUENCE = 64;

interface Chosen {
  readonly name: string;
  readonly bytes: ArrayBuffer;
  readonly audio?: Float32Array;
}

let chosen: Chosen | null = null;
/** Whether it can be pruned. */
let ready = false;
let worker: Worker | null = null;
let layers: LayerFacts[] = [];
let download: string | null = null;
let corner: Corner | null = null;

const form = element<HTMLFormElement>("form");
const pattern = element<HTMLInputElement>("pattern");
const start = element<HTMLButtonElement>("start");
const stop = element<HTMLButtonElement>("stop");

/** Sends one request to a worker of its own; the worker before it, and whatever it was at, ends. */
function ask(request: Request): void {
  worker?.terminate();
  worker = new Worker("worker.js", { type: "module" });
  worker.onmessage = ({ data }: MessageEvent<Reply>) => handle(data);
  worker.onerror = (event) => handle({ kind: "failed", reason: event.message || "the worker cannot start" });
  worker.postMessage(request);
}

function handle(reply: Reply): void {
  switch (reply.kind) {
    case "inspected":
      showInputs(reply.inputs, reply.weights);
      break;
    case "progress":
      showProgress(reply.stage, reply.share);
      break;
    case "layer":
      layers.push(reply.layer);
      break;
    case "done":
      finish();
      showResults(reply.results);
      break;
    case "failed":
      finish();
      fail(reply.reason);
      break;
  }
}

function fail(reason: string): void {
  const box = element("error");
  box.hidden = reason === "";
  box.textContent = reason;
}

function showProgress(stage: string, share: number): void {
  text("stage", stage);
  element<HTMLProgressElement>("progress").value = share;
}

/** Back to where a run can be started. */
function finish(): void {
  worker?.terminate();
  worker = null;
  element("working").hidden = true;
  stop.hidden = true;
  start.disabled = !ready;
}

function choose(next: Chosen): void {
  chosen = next;
  ready = false;
  fail("");
  element("results").hidden = true;
  element("player").hidden = next.audio === undefined;
  text("chosen", `${next.name}, ${bytes(next.bytes.byteLength)}`);
  text("inputs-note", "");
  element("dims").replaceChildren();
  start.disabled = true;
  ask({ kind: "inspect", bytes: next.bytes });
}

function showInputs(inputs: readonly InputFacts[], weights: number): void {
  ready = weights > 0;
  finish();
  const shapes = inputs.map(({ name, dtype, shape }) => `${name}: ${dtype} [${shape.join(", ")}]`).join("; ");
  text("inputs-note", weights === 0 ? "It has no weights to prune." : `${weights} weights to prune. Takes ${shapes}.`);
  if (chosen?.audio !== undefined) return;
  const names = new Set(inputs.flatMap(({ shape }) => shape.filter((dim) => typeof dim === "string")));
  element("dims").replaceChildren(
    ...[...names].map((name) => {
      const label = document.createElement("label");
      const size = Object.assign(document.createElement("input"), { type: "number", min: "0", name: `dim:${name}` });
      size.value = /batch|^n$/i.test(name) ? "1" : String(SEQUENCE);
      label.append(`${name} `, size);
      return label;
    }),
  );
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (chosen === null) return;
  fail("");
  try {
    parsePattern(pattern.value);
  } catch (error) {
    fail((error as Error).message);
    pattern.focus();
    return;
  }
  layers = [];
  element("results").hidden = true;
  element("working").hidden = false;
  stop.hidden = false;
  start.disabled = true;
  showProgress("starting", 0);
  const dims: Record<string, number> = {};
  new FormData(form).forEach((size, name) => {
    if (name.startsWith("dim:")) dims[name.slice("dim:".length)] = Number(size);
  });
  const values = element<HTMLSelectElement>("values").value as "" | "float16" | "int8";
  ask({
    kind: "run",
    bytes: chosen.bytes,
    pattern: pattern.value,
    ...(values === "" ? {} : { values }),
    dims,
    ...(chosen.audio === undefined ? {} : { audio: chosen.audio }),
    seconds: SECONDS,
  });
});

stop.addEventListener("click", finish);

const chips = document.querySelectorAll<HTMLButtonElement>("#chips button");
const markChips = (): void =>
  chips.forEach((chip) => chip.setAttribute("aria-pressed", String(chip.textContent === pattern.value)));
chips.forEach((chip) =>
  chip.addEventListener("click", () => {
    pattern.value = chip.textContent ?? "";
    markChips();
  }),
);
pattern.addEventListener("input", markChips);

const file = element<HTMLInputElement>("file");
const open = async (picked: File | undefined): Promise<void> => {
  if (picked !== undefined) choose({ name: picked.name, bytes: await picked.arrayBuffer() });
};
file.addEventListener("change", () => open(file.files?.[0]));
const drop = element("drop");
for (const kind of ["dragover", "dragleave", "drop"] as const) {
  drop.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop") void open(event.dataTransfer?.files[0]);
  });
}

element("sentence").addEventListener("click", async () => {
  fail("");
  text("chosen", "loading …");
  text("inputs-note", "");
  try {
    const [model, wav] = await Promise.all([fetched("moonshine.onnx"), fetched("sentence.wav")]);
    const sound = await new OfflineAudioContext(1, 1, 16_000).decodeAudioData(wav);
    choose({ name: SENTENCE, bytes: model, audio: sound.getChannelData(0).slice() });
  } catch (error) {
    text("chosen", "");
    fail((error as Error).message);
  }
});

async function fetched(path: string): Promise<ArrayBuffer> {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: the server answered ${response.status}`);
  return response.arrayBuffer();
}

function showResults({ denseBytes, sparseBytes, sparsity, denseMs, sparseMs, threads, file, ...rest }: Results): void {
  const [denseTime, sparseTime] = [median(denseMs), median(sparseMs)];
  bar("size", denseBytes, sparseBytes, bytes);
  bar("latency", denseTime, sparseTime, milliseconds);
  text("size-note", `${percent(sparseBytes / denseBytes)} of the bytes`);
  text("latency-note", `${pairedRatio(sparseMs, denseMs).toFixed(2)}× as fast`);
  text("sparsity-note", `${percent(sparsity)} zeros in ${layers.length} weights`);
  const host = globalThis.crossOriginIsolated ? "" : "; the page is not cross-origin isolated";
  text("how", `Medians of ${denseMs.length} rounds in turn, ${threads} thread${threads === 1 ? "" : "s"}${host}.`);
  element("results").hidden = false;
  corner = rest.corner;
  drawCorner();
  element("layers").replaceChildren(
    ...layers.map((layer) => {
      const row = document.createElement("tr");
      const cells = [
        layer.name,
        `${layer.rows} × ${layer.cols}`,
        layer.layout,
        percent(layer.sparsity),
        bytes(layer.denseBytes),
        bytes(layer.bytes),
      ];
      row.append(...cells.map((content) => Object.assign(document.createElement("td"), { textContent: content })));
      return row;
    }),
  );
  if (download !== null) URL.revokeObjectURL(download);
  download = URL.createObjectURL(new Blob([file], { type: "application/octet-stream" }));
  element<HTMLAnchorElement>("download").href = download;
}

function bar(id: string, dense: number, sparse: number, format: (value: number) => string): void {
  const largest = Math.max(dense, sparse);
  for (const [name, value] of [
    ["dense", dense],
    ["sparse", sparse],
  ] as const) {
    element(`${id}-${name}`).style.setProperty("--share", String(value / largest));
    text(`${id}-${name}-value`, format(value));
  }
}

/** Draws what was kept; the colour is the style sheet's. */
function drawCorner(): void {
  const canvas = element<HTMLCanvasElement>("corner");
  element("corner-figure").hidden = corner === null;
  if (corner === null) return;
  const { rows, cols, magnitudes, name } = corner;
  const cell = 8;
  canvas.width = cols * cell;
  canvas.height = rows * cell;
  const context = canvas.getContext("2d")!;
  context.fillStyle = getComputedStyle(canvas).color;
  magnitudes.forEach((magnitude, i) => {
    if (magnitude === 0) return;
    context.globalAlpha = 0.4 + 0.6 * magnitude;
    context.fillRect((i % cols) * cell, Math.floor(i / cols) * cell, cell - 1, cell - 1);
  });
  text("corner-name", `The first ${rows} rows and ${cols} columns of ${name}: what was kept, darker where larger.`);
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCorner);

function bytes(count: number): string {
  const unit = count < 1e6 ? (["kB", 1e3] as const) : (["MB", 1e6] as const);
  return `${(count / unit[1]).toPrecision(3)} ${unit[0]}`;
}
const milliseconds = (ms: number): string => `${ms.toFixed(ms < 10 ? 2 : 1)} ms`;
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
