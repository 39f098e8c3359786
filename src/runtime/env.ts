import { env } from "onnxruntime-common";
import { NonzeroError } from "../tensor/index.js";

let given: GPUDevice | undefined;

/** The GPU that the user set as `env.webgpu.device`; undefined where that was left alone. */
export const gpuOfEnv = (): GPUDevice | undefined => given;

/**
 * Gives `env.webgpu` its `device`, as onnxruntime-web has it: set before sessions are created, it is the GPUDevice that they run on; got, it
 * is a promise of the one that they share (requested, if none was), which from then on is kept until it is lost. Another copy of onnxruntime
 * that was there before keeps its own.
 */
export function exposeGpu(): void {
  if (Object.hasOwn(env.webgpu, "device")) return;
  Object.defineProperty(env.webgpu, "device", {
    configurable: true,
    enumerable: true,
    get: async (): Promise<GPUDevice> => {
      if (given !== undefined) return given;
      const { lastingDevice } = await import("../backends/webgpu/index.js");
      return lastingDevice();
    },
    set(device: GPUDevice | undefined) {
      if (device !== undefined && typeof device?.createBuffer !== "function") {
        throw new NonzeroError("invalid-argument", "expected a GPUDevice", { field: "env.webgpu.device" });
      }
      given = device;
    },
  });
}
