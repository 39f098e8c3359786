import { i8x16, type V128, v128 } from "../../asm/index.js";
import type { DeviceInfo } from "../../kernel.js";

/** Relaxed SIMD's one instruction where the host has it: both forms give the same for what they are used for here. */

/** Bytes of a table by indices below 16; 0 for 128. */
export const lookUpBytes = ({ relaxed }: DeviceInfo) => (relaxed ? i8x16.relaxed_swizzle : i8x16.swizzle);

/** Lanes of `a` where the mask's lane is all ones, of `b` where it is 0. */
export const selectLanes = ({ relaxed }: DeviceInfo, bytes: 2 | 4 = 4): ((a: V128, b: V128, mask: V128) => V128) => {
  if (!relaxed) return v128.bitselect;
  return bytes === 4 ? v128.relaxed_laneselect_i32x4 : v128.relaxed_laneselect_i8x16;
};
