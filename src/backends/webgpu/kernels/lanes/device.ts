import type { DeviceInfo } from "../../kernel.js";

/*
 * Kernels for processors that play GPU (SwiftShader), where four invocations are the lanes of one vector. What holds on a GPU does not hold
 * there. Every load is a gather of four elements, lane by lane, from workgroup memory as from any other, and costs as much as 20
 * multiply-adds; a barrier suspends every subgroup. A broadcast within the subgroup costs little. So these kernels have neither workgroup
 * memory nor barriers: each lane has tokens of its own, the four of them load what they all need a quarter each, and hand it on.
 */

/** Lanes of a vector. */
export const LANES = 4;

/** Whether the device is a processor, as the size of its subgroups tells. */
export const isProcessor = ({ subgroups }: DeviceInfo): boolean => subgroups?.min === LANES && subgroups.max === LANES;
