import { type Func, f32x4, i32, type Local, v128 } from "../../backends/wasm/asm/index.js";
import { PROGRAM_HEADER, STEP, STEP_BYTES } from "../../backends/wasm/driver.js";
import { detectDevice } from "../../backends/wasm/index.js";
import { type DeviceInfo, type KernelCode, kernelFunction } from "../../backends/wasm/kernel.js";
import { Store } from "../../backends/wasm/store.js";

/** Enough to hide a fused multiply-add's latency (4 cycles, two a cycle), few enough for 16 registers. */
const ACCUMULATORS = 12;
const LANES = 4;
const ITERATIONS = 2_000_000;
const RUNS = 30;

/** acc[i] = acc[i]·a + b in registers alone, over and over; the sum is stored so that nothing is left out. */
const probe: KernelCode = {
  key: `bench/peak/${ACCUMULATORS}`,
  build: (device) =>
    kernelFunction(2, (f, { chunk }, [to, iterations]) => {
      const factor = f.local("v128", f32x4.const(0.999));
      const step = f.local("v128", f32x4.const(0.001));
      const sums = f.localArray("v128", ACCUMULATORS);
      f.for(0, iterations!, 1, () => multiplyAdd(f, sums, factor, step, device));
      for (const sum of sums.slice(1)) f.set(sums[0]!, f32x4.add(sums[0]!, sum));
      f.storeV128(i32.add(to!, i32.mul(chunk, 16)), v128.or(sums[0]!, sums[0]!));
    }),
};

function multiplyAdd(
  f: Func,
  sums: readonly Local<"v128">[],
  factor: Local<"v128">,
  step: Local<"v128">,
  { relaxed }: DeviceInfo,
): void {
  for (const sum of sums)
    f.set(sum, relaxed ? f32x4.relaxed_madd(factor, step, sum) : f32x4.add(f32x4.mul(factor, step), sum));
}

/**
 * What WebAssembly's multiply-adds make here at best, in GFLOP/s over `threads` threads: independent ones on registers, no memory. The best
 * of several runs, since it is a ceiling. Fused where the host fuses.
 */
export function peakGflops(threads: number): number {
  const store = new Store(detectDevice(threads));
  try {
    const chunks = store.device.threads;
    const kernel = store.kernel(probe);
    const results = store.allocate(16 * chunks);
    const argsAt = PROGRAM_HEADER + STEP_BYTES;
    const program = store.allocate(argsAt + 8);
    const words = new Int32Array(store.buffer, program, (argsAt + 8) / 4).fill(0);
    words[16] = 1;
    const at = PROGRAM_HEADER / 4;
    words[at + STEP.kernel / 4] = kernel;
    words[at + STEP.args / 4] = program + argsAt;
    words[at + STEP.chunks / 4] = chunks;
    words[argsAt / 4] = results;
    words[argsAt / 4 + 1] = ITERATIONS;
    let best = 0;
    for (let run = 0; run < RUNS; run++) {
      const start = performance.now();
      store.run(program, chunks > 1);
      const flops = 2 * LANES * ACCUMULATORS * ITERATIONS * chunks;
      best = Math.max(best, flops / (performance.now() - start) / 1e6);
    }
    return best;
  } finally {
    store.release();
  }
}
