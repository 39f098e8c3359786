import { checkValues } from "./check.js";
import { defineLayout } from "./define.js";

/**
 * `dense`: every value of the matrix, nothing left out. What quantized weights are stored in: int8 `values` [rows, cols] and one float32 of
 * `scales` [rows] (symmetric, per output channel).
 */
export const dense = defineLayout({
  name: "dense",
  text: "dense",
  indices: [],
  misfit: () => null,
  footprint: ({ rows, cols }) => ({ values: rows * cols, indexBytes: 0 }),
  pack: ({ rows, cols, data }) => ({ indices: {}, shape: [rows, cols], values: data }),
  visit({ rows, cols }, visit) {
    for (let row = 0; row < rows; row++) for (let col = 0; col < cols; col++) visit(row, col, row * cols + col);
  },
  check: (stored) => void checkValues(stored, [stored.rows, stored.cols]),
});
