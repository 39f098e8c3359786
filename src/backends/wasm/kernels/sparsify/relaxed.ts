import { i8x16, v128 } from "../../asm/index.js";
import type { DeviceInfo } from "../../kernel.js";

/** Relaxed SIMD's one instruction where the host has it: both forms give the same for what they are used for here. */

/** Bytes of a table by indices below 16. */
export const lookUpBytes = ({ relaxed }: DeviceInfo) => (relaxed ? i8x16.relaxed_swizzle : i8x16.swizzle);

/** 32-bit lanes of `a` where the mask's lane is all ones, of `b` where it is 0. */
export const selectLanes = ({ relaxed }: DeviceInfo) => (relaxed ? v128.relaxed_laneselect_i32x4 : v128.bitselect);
