/*
 * The page of the browser benchmark. Nonzero is bundled into it; onnxruntime-web is what its package ships, loaded by URL.
 */
import { InferenceSession, Tensor } from "../../src/index.js";
import { type Adapter, type Contestant, cellsOf, HEAD, linesOf, nameOf, type Report, type Result } from "./report.js";

type OnnxRuntimeWeb = typeof import("onnxruntime-web");
type Device = Contestant["device"];

export interface Options {
  readonly rounds: number;
  /** Where to run; "webgpu" is left out where there is no adapter. */
  readonly devices: readonly Device[];
  /** Of the WebAssembly contestants. */
  readonly threads: number;
  /** How much of the recording is the input, from its beginning; null for all. */
  readonly seconds: number | null;
}

/** What the site tells its page. */
export interface Site {
  readonly model: string;
  readonly input: string;
  readonly output: string;
  /** Samples of the input in a second. */
  readonly sampleRate: number;
  /** Patterns with a model each: `/models/N.onnx`, with explicit zeros `/models/N-explicit.onnx`. */
  readonly patterns: readonly string[];
  /** Patterns that run on WebAssembly, too. */
  readonly onWebAssembly: readonly string[];
  readonly versions: Readonly<Record<string, string>>;
}

const WARM_UPS = 3;
/** onnxruntime-web's threads look for work in a busy loop for 20 ms after a run. */
const REST_MS = 60;
/** float32 sums of up to 1152 products in another order, over six layers. */
const TOLERANCE = 1e-3;

const rest = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, REST_MS));

/** A model ready to run on the page's input. */
interface Ready {
  run(): Promise<Float32Array>;
  release(): Promise<void>;
}

async function timed<T>(body: () => Promise<T>): Promise<[T, number]> {
  const start = performance.now();
  const result = await body();
  return [result, performance.now() - start];
}

/** onnxruntime-web's module with that provider. */
async function onnxRuntime(device: Device, threads: number): Promise<OnnxRuntimeWeb> {
  const url = device === "webgpu" ? "/ort/ort.webgpu.min.mjs" : "/ort/ort.wasm.min.mjs";
  const ort: OnnxRuntimeWeb = await import(url);
  ort.env.wasm.wasmPaths = new URL("/ort/", location.href).href;
  ort.env.wasm.numThreads = threads;
  return ort;
}

async function adapterOf(): Promise<Adapter | null> {
  const adapter = (await navigator.gpu?.requestAdapter()) ?? null;
  if (adapter === null) return null;
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
  return { vendor, architecture, device, description, fallback: isFallbackAdapter };
}

function differenceOf(actual: Float32Array, expected: Float32Array): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return actual.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0) / largest;
}

async function measure({ rounds, devices, threads, seconds }: Options): Promise<Report> {
  const site = (await (await fetch("/site.json")).json()) as Site;
  const recording = new Float32Array(await (await fetch("/input")).arrayBuffer());
  const samples = seconds === null ? recording : recording.slice(0, seconds * site.sampleRate);
  const shape = [1, samples.length];
  const adapter = await adapterOf();
  const used = devices.filter((device) => device === "wasm" || adapter !== null);

  const modules = new Map<Device, OnnxRuntimeWeb>();
  for (const device of new Set<Device>(["wasm", ...used])) modules.set(device, await onnxRuntime(device, threads));
  const rival = async (device: Device, model: string): Promise<Ready> => {
    const ort = modules.get(device)!;
    const session = await ort.InferenceSession.create(model, { executionProviders: [device], logSeverityLevel: 3 });
    const feeds = () => ({ [site.input]: new ort.Tensor("float32", samples, shape) });
    return {
      run: async () => (await session.run(feeds()))[site.output]!.data as Float32Array,
      release: () => session.release(),
    };
  };
  const own = async (device: Device, model: string): Promise<Ready> => {
    const session = await InferenceSession.create(model, {
      executionProviders: [{ name: "nonzero", device, threads }],
    });
    const feeds = { [site.input]: new Tensor("float32", samples, shape) };
    return {
      run: async () => (await session.run(feeds))[site.output]!.data as Float32Array,
      release: () => session.release(),
    };
  };

  const patternsOn = (device: Device) => (device === "webgpu" ? site.patterns : site.onWebAssembly);
  const field = used.flatMap((device): Contestant[] => [
    ...patternsOn(device).map((pattern) => ({ runtime: "nonzero", device, pattern }) as const),
    { runtime: "onnxruntime-web", device, pattern: "dense" },
  ]);

  say("computing what to compare with");
  const expected = new Map<string, Map<Device, Float32Array>>();
  for (const [n, pattern] of site.patterns.entries()) {
    const outputs = new Map<Device, Float32Array>();
    for (const device of pattern === "dense" ? modules.keys() : (["wasm"] as const)) {
      const reference = await rival(device, `/models/${n}-explicit.onnx`);
      outputs.set(device, (await reference.run()).slice());
      await reference.release();
    }
    expected.set(pattern, outputs);
  }

  const entries: (Contestant & { ready: Ready; load: number; first: number; differences: Record<string, number> })[] =
    [];
  for (const contestant of field) {
    const { runtime, device, pattern } = contestant;
    say(`loading ${nameOf(contestant)}`);
    const model = `/models/${site.patterns.indexOf(pattern)}.onnx`;
    const [ready, load] = await timed(() => (runtime === "nonzero" ? own : rival)(device, model));
    const [output, first] = await timed(() => ready.run());
    const differences: Record<string, number> = {};
    for (const [on, reference] of expected.get(pattern)!) {
      if (runtime === "onnxruntime-web" && on === device) continue;
      const difference = differenceOf(output, reference);
      if (!(difference <= TOLERANCE))
        throw new Error(`${nameOf(contestant)} is ${difference} apart from onnxruntime-web, ${on}: no figures`);
      differences[on] = difference;
    }
    entries.push({ ...contestant, ready, load, first, differences });
  }

  const times = entries.map((): number[] => []);
  for (let round = -WARM_UPS; round < rounds; round++) {
    say(round < 0 ? "warming up" : `round ${round + 1} of ${rounds}`);
    for (const [i, { ready }] of entries.entries()) {
      await rest();
      const [, ms] = await timed(() => ready.run());
      if (round >= 0) times[i]!.push(ms);
    }
  }
  for (const { ready } of entries) await ready.release();

  const results = entries.map(
    ({ runtime, device, pattern, load, first, differences }, i): Result => ({
      ...{ runtime, device, pattern, load_ms: load, first_ms: first, samples_ms: times[i]! },
      from_onnxruntime_web: differences,
    }),
  );
  return {
    date: new Date().toISOString(),
    model: site.model,
    adapter: used.includes("webgpu") ? adapter : null,
    user_agent: navigator.userAgent,
    cross_origin_isolated: globalThis.crossOriginIsolated,
    threads,
    versions: site.versions,
    seconds: samples.length / site.sampleRate,
    rounds,
    results,
  };
}

const element = (id: string): HTMLElement => document.getElementById(id)!;
const say = (text: string): void => {
  element("progress").textContent = text;
  console.info(text);
};

function show(report: Report): void {
  const { adapter } = report;
  say(
    adapter === null
      ? "no WebGPU adapter"
      : [adapter.vendor, adapter.architecture, adapter.description, adapter.fallback ? "(software)" : ""].join(" "),
  );
  const table = element("table") as HTMLTableElement;
  table.replaceChildren();
  for (const cells of [HEAD, ...linesOf(report).map(cellsOf)]) {
    const row = table.insertRow();
    for (const text of cells) row.insertCell().textContent = text;
  }
  const href = URL.createObjectURL(new Blob([JSON.stringify(report, null, 1)], { type: "application/json" }));
  const link = Object.assign(document.createElement("a"), { href, download: "nonzero-browser.json" });
  link.textContent = "Download as JSON";
  element("download").replaceChildren(link);
}

/** Measures, shows the table and offers the report as a file. */
async function run(options: Options): Promise<Report> {
  const report = await measure(options);
  show(report);
  return report;
}

element("start").addEventListener("click", async ({ currentTarget }) => {
  const button = currentTarget as HTMLButtonElement;
  button.disabled = true;
  const threads = globalThis.crossOriginIsolated ? Math.min(8, navigator.hardwareConcurrency) : 1;
  try {
    await run({ rounds: 20, devices: ["wasm", "webgpu"], threads, seconds: null });
  } catch (error) {
    say(String(error));
  }
  button.disabled = false;
});

const api = { run };
export type NonzeroBench = typeof api;
Object.assign(globalThis, { nonzeroBench: api });
