import type { Workgroups } from "../kernel.js";

/** WebGPU's guaranteed `maxComputeWorkgroupsPerDimension`. */
const MOST = 65535;

/** A grid of at least `count` invocations, for shaders that number them by `index` and return at once beyond the last. */
export const linear = (count: number, workgroupSize: number): Workgroups => groups(Math.ceil(count / workgroupSize));

/** A grid of at least `count` workgroups, for shaders that number them by `groupIndex` and check it where `count` is over 65535. */
export function groups(count: number): Workgroups {
  if (count <= MOST) return [count, 1, 1];
  const y = Math.ceil(count / MOST);
  return [Math.ceil(count / y), y, 1];
}
