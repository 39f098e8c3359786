import type { DeviceInfo } from "../kernel.js";
import { type Shared, shared, type Wgsl, wgsl } from "../wgsl/index.js";
import { type FoldName, type Numbers, numbersOf } from "./numbers.js";

/** A workgroup for each row: its invocations fold their share, then their results together. */

/** How a row's workgroup is made. */
export interface RowSchedule {
  /** Invocations of a workgroup, a power of two. */
  readonly lanes: number;
  /** They are one subgroup, which folds without workgroup memory and barriers. */
  readonly subgroup: boolean;
}

const WITHOUT_SUBGROUPS: RowSchedule = { lanes: 64, subgroup: false };

/** One subgroup of the size that the device always has; without subgroups, 64 invocations. */
export const rowSchedules = ({ subgroups }: DeviceInfo): readonly [RowSchedule, ...RowSchedule[]] =>
  subgroups === null ? [WITHOUT_SUBGROUPS] : [{ lanes: subgroups.min, subgroup: true }, WITHOUT_SUBGROUPS];

export const scheduleKey = ({ lanes, subgroup }: RowSchedule): string => `${lanes}${subgroup ? "s" : ""}`;

const FLOATS = numbersOf("float32");

/** The workgroup memory that `foldTogether` needs. */
export const rowShared = (
  { lanes, subgroup }: RowSchedule,
  { register }: Numbers = FLOATS,
): { readonly partial?: Shared } => (subgroup ? {} : { partial: shared(register, lanes) });

/** What folds a subgroup's values, which are no 64-bit integers. */
const IN_SUBGROUP: Readonly<Record<FoldName, string>> = {
  sum: "subgroupAdd",
  product: "subgroupMul",
  max: "subgroupMax",
  min: "subgroupMin",
};

/** The schedule for rows of these numbers: subgroups fold no 64-bit integers. */
export const rowScheduleFor = (schedule: RowSchedule, { register }: Numbers): RowSchedule =>
  register === "vec2<u32>" ? WITHOUT_SUBGROUPS : schedule;

/** A function `together_<fold>(lane, value)`: the fold of all invocations' values, to be called by all of them. */
export function foldTogether(fold: FoldName, { lanes, subgroup }: RowSchedule, numbers: Numbers = FLOATS): Wgsl {
  const { register } = numbers;
  if (subgroup) {
    return wgsl`
      fn together_${fold}(lane: u32, value: ${register}) -> ${register} {
        return ${IN_SUBGROUP[fold]}(value);
      }
    `;
  }
  return wgsl`
    fn together_${fold}(lane: u32, value: ${register}) -> ${register} {
      partial[lane] = value;
      workgroupBarrier();
      for (var width = ${lanes / 2}u; width > 0u; width = width >> 1u) {
        if (lane < width) {
          partial[lane] = ${numbers.join(fold, "partial[lane]", wgsl`partial[(lane + width) & ${lanes - 1}u]`)};
        }
        workgroupBarrier();
      }
      let result = partial[0];
      workgroupBarrier();
      return result;
    }
  `;
}
