import { hasRelaxedSimd, hasSharedMemory } from "./features.js";
import { host } from "./host.js";
import type { DeviceInfo } from "./kernel.js";

/** What measured speed depends on. */
export const identityOf = ({ relaxed, threads }: DeviceInfo): string =>
  `wasm, ${host().engine}, ${relaxed ? "relaxed simd" : "simd"}, ${threads} thread${threads === 1 ? "" : "s"}`;

/** What this host offers; `threads` bounded by what it can do: one where memory cannot be shared. Default: all processors, at most 8. */
export function detectDevice(threads?: number): DeviceInfo {
  const shared = hasSharedMemory();
  const wanted = threads ?? Math.min(8, host().processors);
  return { relaxed: hasRelaxedSimd(), shared, threads: shared ? Math.max(1, Math.floor(wanted)) : 1 };
}
