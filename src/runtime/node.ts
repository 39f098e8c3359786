import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { fileCache } from "../backends/tuner/cache.node.js";
import { installNodeHost } from "../backends/wasm/host.node.js";
import { installNodeGpu } from "../backends/webgpu/gpu.node.js";
import { readModelFile } from "../formats/onnx/node.js";
import { NonzeroError } from "../tensor/index.js";
import { setFiles } from "./load.js";
import { setMachineHost } from "./machine.js";
import { nodeMachineHost } from "./machine.node.js";
import { setTuningCache } from "./tuning.js";

/** Makes Nonzero at home in Node: threads, relaxed SIMD where Node hides it behind a flag, a GPU where the
 * package `webgpu` is installed, and models read from files. */
export function installNode(): void {
  installNodeHost();
  installNodeGpu();
  setMachineHost(nodeMachineHost());
  setFiles({ readModel: (path) => readModelFile(localPath(path)), read: (path) => readBytes(localPath(path)) });
  setTuningCache(fileCache());
}

function localPath(path: string): string {
  if (!/^file:/i.test(path)) return path;
  try {
    return fileURLToPath(path);
  } catch (cause) {
    throw new NonzeroError("invalid-argument", (cause as Error).message, { file: path }, { cause });
  }
}

function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    const reason = missing ? `there is no file '${path}'` : (cause as Error).message;
    throw new NonzeroError(missing ? "not-found" : "io", reason, { file: path }, { cause });
  }
}
