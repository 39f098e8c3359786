import { Func, f32x4, moduleBytes } from "./asm/index.js";

const validates = (make: () => void, f: Func, shared: boolean): boolean => {
  make();
  try {
    return WebAssembly.validate(moduleBytes({ probe: f }, { shared }));
  } catch {
    return false;
  }
};

/** True where the engine has relaxed SIMD's fused multiply-add. On Node 20 it is off until `enableRelaxedSimd` (node.ts) ran. */
export function hasRelaxedSimd(): boolean {
  const f = new Func([]);
  const x = f32x4.const(0);
  return validates(() => f.drop(f32x4.relaxed_madd(x, x, x)), f, false);
}

/** True where memory can be shared with workers: Node, and pages that are cross-origin isolated. */
export function hasSharedMemory(): boolean {
  if (typeof SharedArrayBuffer === "undefined") return false;
  const page = globalThis as { crossOriginIsolated?: boolean };
  return page.crossOriginIsolated !== false;
}
