import { readFileSync } from "node:fs";
import { arch, availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";
import { hasRelaxedSimd, hasSharedMemory } from "../../backends/wasm/index.js";
import type { Results } from "../../compiler/index.js";
import type { Runner } from "../../runtime/index.js";

/** Where figures come from. */
export interface Machine {
  readonly cpu: string;
  /** Logical processors that this process may use. */
  readonly processors: number;
  readonly memory_gb: number;
  readonly os: string;
  /** Processes that wanted a processor in the last minute, ours included; 0 on Windows. Above `processors`, others were in the way. */
  readonly load_average: number;
  /** WebAssembly has fused multiply-add. */
  readonly relaxed_simd: boolean;
  /** WebAssembly memory can be shared between threads. */
  readonly threads: boolean;
  /** Vendor, architecture and driver of the GPU, as far as WebGPU tells; only where something runs on it. */
  readonly gpu?: string;
}

/** The machine, with the GPU that one of the runners is on, if any. */
export const thisMachine = (runners: readonly Runner<Results>[] = []): Machine => ({
  cpu: cpus()[0]?.model.trim() ?? arch(),
  processors: availableParallelism(),
  memory_gb: Number((totalmem() / 2 ** 30).toFixed(1)),
  os: `${type()} ${release()} ${arch()}`,
  load_average: Number(loadavg()[0]!.toFixed(2)),
  relaxed_simd: hasRelaxedSimd(),
  threads: hasSharedMemory(),
  ...gpuOf(runners),
});

function gpuOf(runners: readonly Runner<Results>[]): { gpu?: string } {
  const device = runners.find(({ gpuDevice }) => gpuDevice !== null)?.gpuDevice;
  if (device === null || device === undefined) return {};
  const { vendor, architecture, description } = device.adapterInfo;
  return { gpu: [vendor, architecture, description].filter((part) => part).join(" ") };
}

/** Versions of what takes part, by name. */
export function ownVersions(): Record<string, string> {
  const manifest = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(manifest) as { version: string };
  return { nonzero: version, node: process.versions.node, v8: process.versions.v8 };
}
