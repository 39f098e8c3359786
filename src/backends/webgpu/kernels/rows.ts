import { type Piece, type Shared, shared, type Wgsl, wgsl } from "../wgsl/index.js";

/** A workgroup for each row: its invocations fold their share, then their results together in workgroup memory. */

/** Invocations of a workgroup. */
export const ROW_WORKGROUP = 64;

/** The workgroup memory that `foldTogether` needs. */
export const ROW_SHARED: { readonly partial: Shared } = { partial: shared("f32", ROW_WORKGROUP) };

/** Operations that fold values, by name: how two results become one. */
const FOLDS = {
  sum: (a: Piece, b: Piece): Wgsl => wgsl`${a} + ${b}`,
  product: (a: Piece, b: Piece): Wgsl => wgsl`${a} * ${b}`,
  max: (a: Piece, b: Piece): Wgsl => wgsl`max(${a}, ${b})`,
  min: (a: Piece, b: Piece): Wgsl => wgsl`min(${a}, ${b})`,
};
export type FoldName = keyof typeof FOLDS;
export const joined = (fold: FoldName, a: Piece, b: Piece): Wgsl => FOLDS[fold](a, b);

/** A function `together_<fold>(lane, value) -> f32`: the fold of all invocations' values, to be called by all of them. */
export const foldTogether = (fold: FoldName): Wgsl => wgsl`
  fn together_${fold}(lane: u32, value: f32) -> f32 {
    partial[lane] = value;
    workgroupBarrier();
    for (var width = ${ROW_WORKGROUP / 2}u; width > 0u; width = width >> 1u) {
      if (lane < width) {
        partial[lane] = ${joined(fold, "partial[lane]", wgsl`partial[(lane + width) & ${ROW_WORKGROUP - 1}u]`)};
      }
      workgroupBarrier();
    }
    let result = partial[0];
    workgroupBarrier();
    return result;
  }
`;
