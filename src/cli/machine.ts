import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { type Machine, machineFrom } from "../backends/roofline/index.js";
import { thisMachine } from "../runtime/machine.js";
import { locate, NonzeroError } from "../tensor/index.js";
import { wholeNumber } from "./arguments.js";
import { interruptible } from "./progress.js";

export interface MachineOptions {
  readonly machine?: string;
  readonly threads?: number;
  readonly fresh?: boolean;
  readonly device?: Machine["device"];
}

/** The options that say which machine a prediction is for. */
export const withMachine = (command: Command): Command =>
  command
    .option("--machine <file>", "a machine that `nonzero machine --json` wrote (default: this one)")
    .option("--threads <n>", "threads of this machine (default: all processors, at most 8)", wholeNumber(1))
    .option("--fresh", "measure this machine anew, though a measurement is kept");

/** The machine that was asked for; this one is measured where it was not before, with progress on stderr. @throws NonzeroError. */
export async function machineFor({ machine, threads, fresh = false, device }: MachineOptions): Promise<Machine> {
  if (machine !== undefined) return readMachine(machine);
  let said = -1;
  return thisMachine({
    ...(threads === undefined ? {} : { threads }),
    ...(device === undefined ? {} : { device }),
    fresh,
    signal: interruptible(),
    onProgress(share, doing) {
      const tenth = Math.floor(10 * share);
      if (tenth === said) return;
      said = tenth;
      console.error(`measuring this machine: ${10 * tenth} %, ${doing}`);
    },
  });
}

function readMachine(file: string): Machine {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw new NonzeroError(missing ? "not-found" : "io", (cause as Error).message, { file }, { cause });
  }
  return locate({ file }, () => {
    try {
      return machineFrom(JSON.parse(text));
    } catch (cause) {
      if (cause instanceof NonzeroError) throw cause;
      throw new NonzeroError("invalid-argument", `not JSON: ${(cause as Error).message}`, {}, { cause });
    }
  });
}

/** `AMD EPYC, v8 11.3, 1 thread`. */
export const machineText = ({ device, name, engine, threads, software }: Machine): string =>
  device === "webgpu"
    ? `${name}${software ? " (a processor that plays GPU)" : ""}, webgpu, ${engine}`
    : `${name}, ${engine}, ${threads} thread${threads === 1 ? "" : "s"}`;

/** The median of the families' errors when the machine was calibrated. */
export function calibrationError({ families }: Machine): number {
  const errors = Object.values(families).map(({ error }) => error);
  errors.sort((a, b) => a - b);
  return errors[errors.length >> 1] ?? Number.NaN;
}
