import type { Mask, Matrix, Violation } from "./mask.js";

/**
 * A rule for where zeros may lie in a weight matrix [outputs, inputs]; groups run along the inputs (the reduction).
 * A pattern stores nothing. `parsePattern(pattern.text)` gives it back.
 */
export interface Pattern {
  /** The family: `dense`, `unstructured`, `n:m`, `v:n:m`, `block`, `block+n:m`, `block-n:m`, `shuffled-block`, `rows`, `cols`. */
  readonly kind: string;
  /** Its text form, canonical: `2:4`, `50%`, `block:16x16@90%`. */
  readonly text: string;
  /** Kept share (0 to 1) for a shape that the pattern divides. */
  readonly density: number;
  /**
   * The mask that keeps the most score under the rule and as many entries as the rule allows. A group of entries (a block, a
   * row, a column shared by V rows) scores the sum of its entries, in double precision. Equal scores: the one that comes first
   * in row-major order is kept. Scores may be negative or infinite. (`shuffled-block` alone does not promise the most: see there.)
   * @throws NonzeroError "invalid-argument" for a NaN score or sum, "shape" when the data is not rows × cols long.
   */
  select(scores: Matrix): Mask;
  /** The first group that breaks the rule, or null when the mask satisfies it. A mask may keep less than the rule allows. */
  violation(mask: Mask): Violation | null;
}
