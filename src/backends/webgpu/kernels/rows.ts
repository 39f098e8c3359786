import type { DeviceInfo } from "../kernel.js";
import { type Piece, type Shared, shared, type Wgsl, wgsl } from "../wgsl/index.js";

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

/** The workgroup memory that `foldTogether` needs. */
export const rowShared = ({ lanes, subgroup }: RowSchedule): { readonly partial?: Shared } =>
  subgroup ? {} : { partial: shared("f32", lanes) };

/** How two results become one, and what folds a subgroup's. */
const FOLDS = {
  sum: { join: (a: Piece, b: Piece): Wgsl => wgsl`${a} + ${b}`, all: "subgroupAdd" },
  product: { join: (a: Piece, b: Piece): Wgsl => wgsl`${a} * ${b}`, all: "subgroupMul" },
  max: { join: (a: Piece, b: Piece): Wgsl => wgsl`max(${a}, ${b})`, all: "subgroupMax" },
  min: { join: (a: Piece, b: Piece): Wgsl => wgsl`min(${a}, ${b})`, all: "subgroupMin" },
};
export type FoldName = keyof typeof FOLDS;
export const joined = (fold: FoldName, a: Piece, b: Piece): Wgsl => FOLDS[fold].join(a, b);

/** A function `together_<fold>(lane, value) -> f32`: the fold of all invocations' values, to be called by all of them. */
export function foldTogether(fold: FoldName, { lanes, subgroup }: RowSchedule): Wgsl {
  if (subgroup) {
    return wgsl`
      fn together_${fold}(lane: u32, value: f32) -> f32 {
        return ${FOLDS[fold].all}(value);
      }
    `;
  }
  return wgsl`
    fn together_${fold}(lane: u32, value: f32) -> f32 {
      partial[lane] = value;
      workgroupBarrier();
      for (var width = ${lanes / 2}u; width > 0u; width = width >> 1u) {
        if (lane < width) {
          partial[lane] = ${joined(fold, "partial[lane]", wgsl`partial[(lane + width) & ${lanes - 1}u]`)};
        }
        workgroupBarrier();
      }
      let result = partial[0];
      workgroupBarrier();
      return result;
    }
  `;
}
