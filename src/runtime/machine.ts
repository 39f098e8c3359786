import { type Machine, machineFrom } from "../backends/roofline/index.js";
import { detectDevice } from "../backends/wasm/index.js";
import { type ProbeOptions, probeMachine } from "../backends/wasm/probe/index.js";
import { NonzeroError } from "../tensor/index.js";

/** What a host knows of itself, and where it keeps what was measured. */
export interface MachineHost {
  /** Processor and engine. */
  readonly name: string;
  readonly engine: string;
  /** Bytes of the caches that one processor reaches, the smallest first; null where the host does not tell. */
  readonly caches: readonly number[] | null;
  /** The text that was kept under a key, or null. */
  read(key: string): string | null;
  write(key: string, text: string): void;
}

export interface MachineRequest extends Pick<ProbeOptions, "signal" | "onProgress" | "budget"> {
  /** Default "wasm". A GPU has peaks, but no families: predictions are made for WebAssembly alone. */
  readonly device?: Machine["device"];
  /** Default: all processors, at most 8. */
  readonly threads?: number;
  /** Measure even where a measurement is kept. */
  readonly fresh?: boolean;
}

const pages = new Map<string, string>();

let host: MachineHost = {
  name: "a page",
  engine: globalThis.navigator?.userAgent ?? "unknown engine",
  caches: null,
  read: (key) => pages.get(key) ?? null,
  write: (key, text) => void pages.set(key, text),
};

/** Puts another host in place; `nonzero/node` does. */
export function setMachineHost(replacement: MachineHost): void {
  host = replacement;
}

/**
 * This machine's WebAssembly, or its GPU, as the cost model knows it: measured (about 10 seconds) where it was not before with this processor, engine
 * and number of threads. Node keeps measurements in the user's cache folder, a page for as long as it is open.
 * Where they cannot be kept they last as long as the process.
 * @throws NonzeroError "aborted"; "device" where there is no GPU.
 */
export async function thisMachine(request: MachineRequest = {}): Promise<Machine> {
  const { device, threads, fresh = false, ...options } = request;
  if (device === "webgpu") return thisGpu(fresh, options);
  const { relaxed, threads: count } = detectDevice(threads);
  const key = `${host.name}, ${host.engine}, ${relaxed ? "relaxed simd" : "simd"}, ${count} threads`;
  const known = fresh ? null : keptMachine(key);
  if (known !== null) return known;
  const { name, engine, caches } = host;
  const machine = await probeMachine({ ...options, ...(caches && { caches }), threads: count, name, engine });
  keep(key, machine);
  return machine;
}

async function thisGpu(
  fresh: boolean,
  options: Omit<MachineRequest, "device" | "threads" | "fresh">,
): Promise<Machine> {
  const { holdGpu, probeGpu } = await import("../backends/webgpu/index.js"); // loaded by those who use it
  const { gpu, release } = await holdGpu();
  try {
    const key = `webgpu, ${gpu.description}, ${host.engine}`;
    const known = fresh ? null : keptMachine(key);
    if (known !== null) return known;
    const machine = await probeGpu(gpu, { ...options, engine: host.engine });
    keep(key, machine);
    return machine;
  } finally {
    release();
  }
}

/** In the process, and beyond where the host can. */
function keep(key: string, machine: Machine): void {
  const text = `${JSON.stringify(machine)}\n`;
  pages.set(key, text);
  try {
    host.write(key, text);
  } catch {
    // A folder that cannot be written: the next process measures again.
  }
}

/** What was kept; null where there is nothing, or nothing that this version reads. */
function keptMachine(key: string): Machine | null {
  const text = host.read(key) ?? pages.get(key) ?? null;
  if (text === null) return null;
  try {
    return machineFrom(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof NonzeroError) return null;
    throw error;
  }
}
