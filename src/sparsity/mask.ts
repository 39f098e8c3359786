/** A row-major matrix of numbers: weights as [outputs, inputs], or their scores. */
export interface Matrix {
  readonly rows: number;
  readonly cols: number;
  readonly data: Float32Array;
}

/** Which entries of a matrix are kept: 1 kept, 0 pruned, row-major. */
export interface Mask {
  readonly rows: number;
  readonly cols: number;
  readonly data: Uint8Array;
}

/** The first group of a mask that breaks a pattern's rule. */
export interface Violation {
  readonly row: number;
  readonly col: number;
  /** Plain words: what the rule allows there and what the mask has. */
  readonly reason: string;
}
