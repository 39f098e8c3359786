import type { Matrix } from "../sparsity/index.js";

/** Scores by magnitude: |w|. */
export const magnitude = ({ rows, cols, data }: Matrix): Matrix => ({ rows, cols, data: data.map(Math.abs) });
