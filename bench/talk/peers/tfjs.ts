import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Tensor } from "../../../src/tensor/index.js";
import { versionOf } from "./jax.js";
import type { Peer } from "./peer.js";

/**
 * tfjs on WebAssembly (XNNPACK). One thread in Node: its flag WASM_HAS_MULTITHREAD_SUPPORT is false there (tensorflow/tfjs#3830), and its
 * threads are started by a page's Worker from code that Node's does not take.
 */
export async function tfjs(): Promise<Peer | null> {
  const tf = await import("@tensorflow/tfjs-core");
  const wasm = await import("@tensorflow/tfjs-backend-wasm");
  wasm.setWasmPaths(`${join(dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm")))}/`);
  await tf.setBackend("wasm");
  return {
    name: "tfjs-wasm",
    version: versionOf("@tensorflow/tfjs-backend-wasm"),
    threads: 1,
    async product(x, weights) {
      const upload = ({ data, shape }: Tensor) => tf.tensor2d(data as Float32Array, shape as [number, number]);
      const [input, arrays] = [upload(x), weights.map(upload)];
      return {
        run() {
          for (const w of arrays) tf.matMul(input, w).dispose();
        },
        async output() {
          const y = tf.matMul(input, arrays[0]!);
          const result = new Tensor("float32", y.shape, (await y.data()) as Float32Array);
          y.dispose();
          return result;
        },
        release() {
          for (const w of [...arrays, input]) w.dispose();
        },
      };
    },
  };
}
