import { NonzeroError } from "../../tensor/index.js";
import { KERNEL_TERMS, kernelFamily, PRODUCT_TERMS } from "./families.js";

/** A cache, or the memory behind all of them. */
export interface Level {
  /** `L1`, `L2`, `L3`, `memory`. */
  readonly name: string;
  /** What it holds; null for memory. */
  readonly capacity: number | null;
  /** Bytes a second: read in order by loads that depend on nothing, and copied (read and written counted, both). */
  readonly read: number;
  readonly copy: number;
}

/** What a device can do at most, with so many threads. Rates are a second's. */
export interface Peaks {
  readonly threads: number;
  /** Multiply-adds of float32 (fused where the device fuses). */
  readonly float32: number;
  /** Multiply-adds of integers: `i32x4.dot_i16x8_s` with its sum; null where the device was not asked. */
  readonly int16: number | null;
  /** Relaxed SIMD's dot of bytes with 7-bit bytes; null where the engine has none. */
  readonly int8: number | null;
  /** The smallest first. */
  readonly levels: readonly Level[];
}

/** What a family of kernels takes: seconds by term, in the order of the family's terms (see `families.ts`). */
export interface Family {
  readonly seconds: readonly number[];
  /** Share of memory's bandwidth that it reaches where it is bound by that; 1 where that was not measured. */
  readonly memory: number;
  /** Measurements that the terms were fitted to, and the median of their relative errors after that. */
  readonly points: number;
  readonly error: number;
}

/** A device as the cost model knows it: peaks that a probe measured, and families of kernels calibrated on it. Plain data. */
export interface Machine {
  readonly version: typeof MACHINE_VERSION;
  readonly device: "wasm" | "webgpu";
  /** Processor or adapter, and what generates the code for it. */
  readonly name: string;
  readonly engine: string;
  /** True for a processor that plays GPU. */
  readonly software: boolean;
  /** Threads that the families were calibrated with. */
  readonly threads: number;
  /** One thread's peaks, and those of all `threads`. */
  readonly one: Peaks;
  readonly all: Peaks;
  /** Seconds that a launch takes besides its work. */
  readonly launch: number;
  readonly families: Readonly<Record<string, Family>>;
}

export const MACHINE_VERSION = 3;

/** The smallest level that holds so many bytes. */
export function levelFor({ levels }: Peaks, bytes: number): Level {
  return levels.find(({ capacity }) => capacity === null || bytes <= capacity) ?? levels[levels.length - 1]!;
}

/** A machine from JSON. @throws NonzeroError "invalid-argument" naming the field that is not as it should be. */
export function machineFrom(json: unknown): Machine {
  const machine = json as Machine;
  const fail = (field: string): never => {
    throw new NonzeroError("invalid-argument", "this is no machine as the probe writes it", { field });
  };
  if (typeof json !== "object" || json === null || machine.version !== MACHINE_VERSION) fail("version");
  if (machine.device !== "wasm" && machine.device !== "webgpu") fail("device");
  for (const field of ["name", "engine"] as const) if (typeof machine[field] !== "string") fail(field);
  if (typeof machine.software !== "boolean") fail("software");
  if (!isCount(machine.threads)) fail("threads");
  if (!isTime(machine.launch)) fail("launch");
  for (const field of ["one", "all"] as const) if (!arePeaks(machine[field])) fail(field);
  if (machine.all.levels.length !== machine.one.levels.length) fail("all");
  const families: unknown = machine.families;
  if (typeof families !== "object" || families === null || !Object.entries(families).every(isFamily)) fail("families");
  return machine;
}

const isRate = (value: unknown): boolean => typeof value === "number" && Number.isFinite(value) && value > 0;
const MOST_THREADS = 1024;
const isCount = (value: unknown): boolean =>
  Number.isSafeInteger(value) && isRate(value) && (value as number) <= MOST_THREADS;
const isTime = (value: unknown): boolean => typeof value === "number" && Number.isFinite(value) && value >= 0;
const isLevel = (level: unknown): boolean => {
  const { name, capacity, read, copy } = (level ?? {}) as Partial<Level>;
  return typeof name === "string" && (capacity === null || isRate(capacity)) && isRate(read) && isRate(copy);
};
const arePeaks = (peaks: unknown): boolean => {
  const { threads, float32, int16, int8, levels } = (peaks ?? {}) as Partial<Peaks>;
  const dots = [int16, int8].every((rate) => rate === null || isRate(rate));
  return (
    isRate(threads) && isRate(float32) && dots && Array.isArray(levels) && levels.length > 0 && levels.every(isLevel)
  );
};
const isFamily = ([name, family]: [name: string, family: unknown]): boolean => {
  const { seconds, memory, points, error } = (family ?? {}) as Partial<Family>;
  const terms = name.startsWith(kernelFamily("")) ? KERNEL_TERMS : PRODUCT_TERMS;
  const known = Array.isArray(seconds) && seconds.length === terms.length && seconds.every(isTime);
  return known && isRate(memory) && isTime(points) && isTime(error);
};
