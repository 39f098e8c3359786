import { MACHINE_VERSION, type Machine } from "../../roofline/index.js";
import { calibrate } from "./calibrate.js";
import { type ProbeOptions, probePeaks } from "./peaks.js";

export interface MachineOptions extends ProbeOptions {
  readonly threads: number;
  /** Processor and engine, as the host knows them. */
  readonly name: string;
  readonly engine: string;
}

/** Shares of the time. */
const [PEAKS, ALL] = [0.1, 0.2];

/**
 * Measures what WebAssembly does here: peaks of one thread and of all, and how fast each family of kernels is.
 * About 10 seconds. @throws NonzeroError "aborted".
 */
export async function probeMachine({ threads, name, engine, ...options }: MachineOptions): Promise<Machine> {
  const within = (from: number, to: number): ProbeOptions => ({
    ...options,
    onProgress: (share, doing) => options.onProgress?.(from + (to - from) * share, doing),
  });
  const one = await probePeaks(1, within(0, PEAKS));
  const all = threads === 1 ? one : await probePeaks(threads, within(PEAKS, ALL));
  const families = await calibrate(all.peaks, within(threads === 1 ? PEAKS : ALL, 1));
  return {
    ...{ version: MACHINE_VERSION, device: "wasm", name, engine, software: false },
    ...{ threads: all.peaks.threads, one: one.peaks, all: all.peaks, launch: all.launch, families },
  };
}
