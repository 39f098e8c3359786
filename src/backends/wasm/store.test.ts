import { describe, expect, it } from "vitest";
import { i32 } from "./asm/index.js";
import { detectDevice } from "./device.js";
import { PROGRAM_HEADER, STEP, STEP_BYTES } from "./driver.js";
import { installNodeHost } from "./host.node.js";
import { type KernelCode, kernelFunction } from "./kernel.js";
import { Store } from "./store.js";

installNodeHost();

const CHUNKS = 64;

/** Counts its chunks at the first argument; where the second is not 0, chunk 20 traps. */
const counting: KernelCode = {
  key: "test/counting",
  build: () =>
    kernelFunction(2, (f, { chunk }, [counter, fails]) => {
      // Long enough for every thread to come.
      f.for(0, 200_000, 1, () => {});
      f.drop(i32.atomic_add(counter!, 1));
      f.if(i32.and(i32.eq(chunk, 20), fails!), () => f.unreachable());
    }),
};

function programOf(store: Store, steps: number, fails: boolean): { program: number; counter: Int32Array } {
  const bytes = PROGRAM_HEADER + STEP_BYTES * (steps + 2);
  const program = store.allocate(bytes);
  const counterAt = store.allocate(64);
  const kernel = store.kernel(counting);
  const words = new Int32Array(store.buffer, program, bytes / 4).fill(0);
  const args = PROGRAM_HEADER + STEP_BYTES * steps;
  words[16] = steps;
  words.set([counterAt, fails ? 1 : 0], args / 4);
  for (let s = 0; s < steps; s++) {
    const at = (PROGRAM_HEADER + STEP_BYTES * s) / 4;
    words[at + STEP.kernel / 4] = kernel;
    words[at + STEP.args / 4] = program + args;
    words[at + STEP.chunks / 4] = CHUNKS;
  }
  return { program, counter: new Int32Array(store.buffer, counterAt, 1).fill(0) };
}

describe("a store's runs", () => {
  it.each([1, 2, 4])("do each chunk of each step once, on %i threads", (threads) => {
    const store = new Store(detectDevice(threads));
    const { program, counter } = programOf(store, 3, false);
    for (let run = 1; run <= 5; run++) {
      store.run(program, true);
      expect(counter[0]).toBe(run * 3 * CHUNKS);
    }
    store.release();
  });

  it("throw where a kernel traps, on whichever thread, and run on afterwards", () => {
    const store = new Store(detectDevice(4));
    const good = programOf(store, 2, false);
    const bad = programOf(store, 2, true);
    store.run(good.program, true); // starts the threads
    for (let round = 1; round <= 20; round++) {
      expect(() => store.run(bad.program, true)).toThrow(WebAssembly.RuntimeError);
      store.run(good.program, true);
      expect(good.counter[0]).toBe((round + 1) * 2 * CHUNKS);
    }
    store.release();
  });
});
