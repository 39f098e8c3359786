import type { Value } from "../graph/index.js";
import { NonzeroError } from "../tensor/index.js";

/** Where an output is to be: on the host, or in a GPUBuffer of the GPU that made it. By onnxruntime-common's names. */
export type OutputLocation = "cpu" | "gpu-buffer";

/** One location for all outputs, or one each by their names; "cpu" for those that are left out. */
export type OutputLocations = OutputLocation | Readonly<Record<string, OutputLocation>>;

/**
 * Whether each output, in their order, is to stay on the GPU. Names that are no outputs are passed over, as onnxruntime-web does.
 * @throws NonzeroError "invalid-argument" for a location that there is not, "unsupported" for strings on the GPU.
 */
export function outputsOnGpu(outputs: readonly Value[], locations: OutputLocations = "cpu"): boolean[] {
  return outputs.map(({ name, type }) => {
    const location: string | undefined = typeof locations === "string" ? locations : locations[name];
    if (location === undefined || location === "cpu" || location === "cpu-pinned") return false;
    if (location !== "gpu-buffer") {
      throw new NonzeroError("invalid-argument", `no output can be on '${location}'; there are cpu and gpu-buffer`, {
        field: "preferredOutputLocation",
      });
    }
    if (type?.dtype === "string")
      throw new NonzeroError("unsupported", "strings cannot be on the GPU: leave this output on the cpu", {
        field: name,
      });
    return true;
  });
}
