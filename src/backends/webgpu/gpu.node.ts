import { setGpuFinder } from "./gpu.js";

/** Dawn's instance: collected, it would take the process down with it. */
let instance: GPU | null = null;

/**
 * Makes the WebGPU device use Dawn, from the npm package `webgpu`, which the user installs beside Nonzero; without it there is no GPU.
 * `flags` are Dawn's, as the package's `create` takes them: `backend=vulkan`. By default its clock is not rounded: what a page must not
 * see of others, a process of one's own may.
 */
export function installNodeGpu(flags: readonly string[] = ["disable-dawn-features=timestamp_quantization"]): void {
  setGpuFinder(async () => {
    if (instance === null) {
      const name: string = "webgpu"; // not seen by type checkers and bundlers: it is optional
      const dawn = await import(name).catch(() => null);
      instance = (dawn?.create([...flags]) as GPU | undefined) ?? globalThis.navigator?.gpu ?? null;
    }
    return instance;
  });
}
