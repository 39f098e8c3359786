import type { Step } from "../../compiler/index.js";
import { PROGRAM_HEADER, STEP, STEP_BYTES } from "./driver.js";
import type { Argument, KernelCode } from "./kernel.js";
import type { Holding } from "./session.js";
import type { Store } from "./store.js";

export interface Launch {
  readonly code: KernelCode;
  readonly args: readonly Argument[];
  readonly chunks: number;
}

/** What happens in a plan, in order: a kernel's launches, or an evaluation on the host. */
export type Action = { readonly launch: Launch } | { readonly host: Step };

/** A run of launches that the driver does without coming back. */
export type Segment = { readonly program: number; readonly parallel: boolean } | { readonly host: Step };

/** Writes each run of launches into memory as the driver reads it. */
export function writePrograms(actions: readonly Action[], store: Store, memory: Holding): Segment[] {
  const segments: Segment[] = [];
  for (let i = 0; i < actions.length; ) {
    const action = actions[i]!;
    if ("host" in action) {
      segments.push(action);
      i++;
      continue;
    }
    const launches: Launch[] = [];
    for (; i < actions.length; i++) {
      const next = actions[i]!;
      if (!("launch" in next)) break;
      launches.push(next.launch);
    }
    const kernels = launches.map(({ code }) => store.kernel(code));
    const argsAt = PROGRAM_HEADER + STEP_BYTES * launches.length;
    const bytes = argsAt + launches.reduce((sum, { args }) => sum + 4 * args.length, 0);
    const program = memory.allocate(bytes);
    const words = new Int32Array(store.buffer, program, bytes / 4);
    words.fill(0);
    words[16] = launches.length;
    let arg = argsAt / 4;
    launches.forEach(({ args, chunks }, s) => {
      const at = (PROGRAM_HEADER + STEP_BYTES * s) / 4;
      words[at + STEP.kernel / 4] = kernels[s]!;
      words[at + STEP.args / 4] = program + 4 * arg;
      words[at + STEP.chunks / 4] = chunks;
      for (const value of args) words[arg++] = addressOf(value);
    });
    segments.push({ program, parallel: launches.some(({ chunks }) => chunks > 1) });
  }
  return segments;
}

function addressOf(arg: Argument): number {
  if (typeof arg === "number") return arg;
  const [buffer, offset] = "buffer" in arg ? [arg.buffer, arg.offset] : [arg, 0];
  if (buffer.address === null) throw new Error("a launch's buffer was never placed");
  return buffer.address + offset;
}
