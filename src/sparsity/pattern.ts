import type { Mask, Matrix, Violation } from "./mask.js";

/**
 * A rule for where zeros may lie in a weight matrix [outputs, inputs]; groups run along the inputs (the reduction).
 * A pattern stores nothing. `parsePattern(pattern.text)` gives it back.
 */
export interface Pattern {
  /** The family: `unstructured`, `n:m`, `v:n:m`, `block`, `rows`, … */
  readonly kind: string;
  /** Its text form, canonical: `2:4`, `50%`, `block:16x16@90%`. */
  readonly text: string;
  /** Kept share (0 to 1) for a shape that the pattern divides. */
  readonly density: number;
  /** The mask that keeps the most score under the rule, by the pattern's stated and deterministic tie rule. */
  select(scores: Matrix): Mask;
  /** The first group that breaks the rule, or null when the mask satisfies it. */
  violation(mask: Mask): Violation | null;
}
