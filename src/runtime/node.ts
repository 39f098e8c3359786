import { fileURLToPath } from "node:url";
import { installNodeHost } from "../backends/wasm/host.node.js";
import { readModelFile } from "../formats/onnx/node.js";
import { loadModel, setModelLoader } from "./load.js";

/** Makes Nonzero at home in Node: threads, relaxed SIMD where Node hides it behind a flag, and models read from files. */
export function installNode(): void {
  installNodeHost();
  setModelLoader(async (uri, external) => {
    if (/^https?:/.test(uri)) {
      const response = await fetch(uri);
      return loadModel(new Uint8Array(await response.arrayBuffer()), external);
    }
    return readModelFile(uri.startsWith("file:") ? fileURLToPath(uri) : uri);
  });
}
