import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadRival, type RivalName, type RivalSession } from "../../src/cli/bench/onnxruntime.js";
import type { Contestant, Timed } from "../../src/cli/bench/paired.js";
import { writeModelFile } from "../../src/formats/onnx/node.js";
import type { Model } from "../../src/graph/index.js";
import { Runner } from "../../src/runtime/index.js";
import { NonzeroError, type Tensor } from "../../src/tensor/index.js";
import { type Bench, timed } from "./bench.js";
import { type Case, type Row, timesOf } from "./results.js";

/** A model in one of its forms. */
export interface Variant {
  readonly name: string;
  readonly model: Model;
  readonly pattern?: string;
  readonly layout?: string;
  readonly sparsity?: number;
  /** What its output may differ from onnxruntime's by, as a share of that output's largest value; rounding in other orders where it is left out. */
  readonly tolerance?: number;
}

/** A peer that runs one of the variants. */
export interface PeerVariant {
  readonly name: string;
  readonly by: RivalName;
  /** Forms of the same function: the one that is faster here counts. */
  readonly of: readonly string[];
}

export interface Models {
  readonly title: string;
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** Made one after the other; the first is what the others are compared with. */
  readonly variants: readonly (() => Promise<Variant>)[];
  readonly peers: readonly PeerVariant[];
  /** Contestants take turns, or where they are too large for one memory each runs by itself. */
  readonly inTurn: boolean;
}

/** Float32 results of two runtimes may differ by this share of the largest value. */
const TOLERANCE = 1e-3;

/**
 * Times a model's variants and the peers. Each variant's output is compared with that of onnxruntime-node on the same weights first, its zeros
 * explicit. Peak memory is that of processes which only open the model's file and run it.
 */
export async function timeModels(bench: Bench, models: Models): Promise<Case | null> {
  const { title, feeds, inTurn } = models;
  const folder = mkdtempSync(join(tmpdir(), "nonzero-talk-"));
  const missing = [...bench.missing];
  const say = (line: string): void => bench.say(`${title}: ${line}`);
  const contestants: Contestant[] = [];
  const alone = new Map<string, Timed>();
  const rows = new Map<string, Omit<Row, "median_ms" | "quartiles_ms" | "samples_ms" | "against">>();
  const releases: (() => void | Promise<void>)[] = [];
  const files = new Map<string, string>();
  const give = async (contestant: Contestant, release: () => void | Promise<void>): Promise<void> => {
    if (inTurn) {
      contestants.push(contestant);
      releases.push(release);
    } else {
      alone.set(contestant.name, { name: contestant.name, samples: await aloneRun(contestant) });
      await release();
      bench.add(caseOf(alone));
    }
  };
  const caseOf = (times: ReadonlyMap<string, Timed>): Case => {
    const [first] = times.keys();
    const others = [first!, ...models.peers.map(({ name }) => name)].filter((name) => times.has(name));
    const measured = [...rows.values()].flatMap((row): Row[] => {
      const own = times.get(row.name);
      if (own === undefined) return [];
      return [{ ...row, ...timesOf(own, Object.fromEntries(others.map((name) => [name, times.get(name)]))) }];
    });
    return { title, rows: measured, missing };
  };
  try {
    for (const make of models.variants) {
      if (bench.signal.aborted) break;
      const made = await attempt(make, (why) => missing.push(why), say);
      if (made === null) continue;
      const { name, model, tolerance = TOLERANCE, ...about } = made;
      say(`${name}: compiling, and comparing with onnxruntime`);
      await attempt(
        async () => {
          const bytes = bytesOf(model);
          const runner = new Runner(model, { threads: bench.threads });
          const { run, outputs } = ready(runner, feeds);
          const difference = shareApart(outputs(), await referenceOutputs(model, feeds, bench.threads, folder));
          if (!(difference <= tolerance)) {
            runner.release();
            throw new Error(
              `its output differs from onnxruntime's by ${difference.toExponential(1)} of the largest value`,
            );
          }
          const file = join(folder, `${files.size}.onnx`);
          await writeModelFile(file, model);
          files.set(name, file);
          const peak = peakMemory("nonzero", file, bench.threads, feeds);
          rows.set(name, { name, by: "nonzero", threads: runner.threads, bytes, difference, ...about, ...peak });
          await give({ name, run }, () => runner.release());
        },
        (why) => missing.push(`${name}: ${why}`),
        say,
      );
    }
    for (const { name, by, of } of models.peers) {
      if (bench.signal.aborted) break;
      say(`${name}: opening`);
      await attempt(
        async () => {
          const opened = await fastest(
            by,
            of.flatMap((one) => files.get(one) ?? []),
            feeds,
            bench.threads,
          );
          bench.versions[by] = opened.version;
          const peak = peakMemory(by, opened.file, bench.threads, feeds);
          rows.set(name, { name, by, threads: bench.threads, ...peak });
          await give({ name, run: opened.run, settle: opened.settle }, opened.release);
        },
        (why) => missing.push(`${name}: ${why}`),
        say,
      );
    }
    if (inTurn && bench.signal.aborted) return null;
    const times = inTurn ? await timed(bench, contestants) : alone;
    if (times === null || times.size === 0) return null;
    return caseOf(times);
  } finally {
    for (const release of releases) await release();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What `work` gives, or null where it throws: said and noted. */
async function attempt<T>(
  work: () => Promise<T>,
  missing: (why: string) => void,
  say: (line: string) => void,
): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    const why = (error as Error).message;
    missing(why);
    say(why);
    return null;
  }
}

/** Milliseconds of one run; everything has run before, to be checked. */
async function aloneRun({ run, settle }: Contestant): Promise<number[]> {
  const start = performance.now();
  await run();
  const ms = performance.now() - start;
  await settle?.();
  return [ms];
}

/** Runs of a model with inputs and outputs bound, or where values decide shapes, copied. */
function ready(
  runner: Runner,
  feeds: Models["feeds"],
): { run: () => void; outputs: () => Readonly<Record<string, Tensor>> } {
  try {
    const binding = runner.ioBinding(feeds);
    for (const [input, tensor] of Object.entries(feeds))
      (binding.inputs[input]!.data as Float32Array).set(tensor.data as Float32Array);
    binding.run();
    return { run: () => binding.run(), outputs: () => binding.outputs };
  } catch (error) {
    if (!(error instanceof NonzeroError) || error.code !== "unsupported") throw error;
    const outputs = runner.run(feeds);
    return { run: () => void runner.run(feeds), outputs: () => outputs };
  }
}

function bytesOf({ graph }: Model): number {
  let bytes = 0;
  for (const constant of graph.constants.values()) bytes += constant.byteLength;
  return bytes;
}

/** A file in a peer. @throws whatever the peer says of it; Error where the peer is not installed. */
async function openFile(by: RivalName, file: string, feeds: Models["feeds"], threads: number): Promise<Opened> {
  const rival = await loadRival(by, threads);
  if (rival === null) throw new Error(`${by} is not installed`);
  return { ...(await rival.openFile(file, feeds)), version: rival.version, file };
}

interface Opened extends RivalSession {
  readonly version: string;
  readonly file: string;
}

async function referenceOutputs(
  model: Model,
  feeds: Models["feeds"],
  threads: number,
  folder: string,
): Promise<Readonly<Record<string, Tensor>>> {
  const file = join(folder, "reference.onnx");
  await writeModelFile(file, model, { sparse: "dense" });
  const session = await openFile("onnxruntime-node", file, feeds, threads);
  try {
    return await session.outputs();
  } finally {
    await session.release();
    rmSync(file);
    rmSync(`${file}.data`, { force: true });
  }
}

/** Of files with the same function, the one that the peer runs faster; one at a time, since onnxruntime-web's memory holds 4 GB in all. */
async function fastest(
  by: RivalName,
  files: readonly string[],
  feeds: Models["feeds"],
  threads: number,
): Promise<Opened> {
  let best: { ms: number; file: string } | null = null;
  for (const file of files.length > 1 ? files : []) {
    try {
      const open = await openFile(by, file, feeds, threads);
      await open.run();
      const start = performance.now();
      await open.run();
      const ms = performance.now() - start;
      await open.release();
      if (best === null || ms < best.ms) best = { ms, file };
    } catch {
      // if it takes none of them, opening the first below says why
    }
  }
  const file = best?.file ?? files[0];
  if (file === undefined) throw new Error("none of its models was made");
  const open = await openFile(by, file, feeds, threads);
  await open.run();
  return open;
}

/** Largest |difference| over the largest |expected|, of the output where that is the most. */
function shareApart(actual: Readonly<Record<string, Tensor>>, expected: Readonly<Record<string, Tensor>>): number {
  const shares = Object.entries(expected).map(([name, { shape, data }]) => {
    if (actual[name]?.shape.join() !== shape.join()) return Number.POSITIVE_INFINITY;
    const [a, b] = [actual[name].data as Float32Array, data as Float32Array];
    let [apart, largest] = [0, 0];
    for (let i = 0; i < b.length; i++) {
      const difference = Math.abs(a[i]! - b[i]!);
      apart = difference <= apart ? apart : difference;
      largest = Math.max(largest, Math.abs(b[i]!));
    }
    return apart === 0 ? 0 : apart / largest;
  });
  return Number(Math.max(...shares).toPrecision(3));
}

const PEAK_MEMORY = fileURLToPath(new URL("peak-memory.ts", import.meta.url));

function peakMemory(
  by: "nonzero" | RivalName,
  file: string,
  threads: number,
  feeds: Models["feeds"],
): { peak_memory_mb?: number } {
  if (Object.values(feeds).some(({ dtype }) => dtype !== "float32")) return {};
  const shapes = Object.entries(feeds).map(([name, { shape }]) => `${name}=${shape.join("x")}`);
  const args = ["--import", "tsx", PEAK_MEMORY, by, file, `${threads}`, ...shapes];
  const { status, stdout } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  return status === 0 ? { peak_memory_mb: Number(stdout) } : {};
}
