import { availableParallelism, cpus } from "node:os";
import v8 from "node:v8";
import { Worker } from "node:worker_threads";
import { hasRelaxedSimd } from "./features.js";
import { setHost } from "./host.js";
import { everyKernel } from "./kernels/every.js";

/** Makes the WebAssembly device use Node's threads and every kernel, and turns on relaxed SIMD where Node has it behind a flag (Node 20). */
export function installNodeHost(): void {
  everyKernel();
  if (!hasRelaxedSimd()) {
    try {
      v8.setFlagsFromString("--experimental-wasm-relaxed-simd");
    } catch {
      // A Node that neither has it on nor knows the flag: plain SIMD it is.
    }
  }
  setHost({
    mayBlock: true,
    engine: `V8 ${process.versions.v8}, ${cpus()[0]?.model.trim() ?? process.arch}`,
    processors: availableParallelism(),
    startWorker(source) {
      const worker = new Worker(source, { eval: true });
      worker.unref();
      return {
        postMessage: (message) => worker.postMessage(message),
        terminate: () => void worker.terminate(),
      };
    },
  });
}
