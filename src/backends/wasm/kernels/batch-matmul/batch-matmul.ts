import { type BatchMatMulSpec, batchMatMulCost, batchMatMulSpec } from "../../../specs/matmul/batch.js";
import type { Buffer, Kernel } from "../../kernel.js";
import { operandArguments } from "./launch.js";
import { multiplyDirect, multiplyDots, multiplyNarrow, multiplyPacked, TILE_ROWS } from "./multiply.js";
import { PANEL, packPanels } from "./pack.js";

/** The most rows of y that one launch's chunk computes, and the most columns where all rows are in one tile. */
export interface BatchMatMulSchedule {
  readonly rows: number;
  readonly columns: number;
}

/**
 * MatMul and com.microsoft FusedMatMul of two float32 activations, with batch axes that broadcast: what attention's QKᵀ and PV are in
 * primitives. Many rows: B packed in panels of 8 columns, tiles of 6 rows × 8 columns in registers. Up to 6 rows (decoding): B is read
 * once, as it lies.
 */
export const batchMatMul: Kernel<BatchMatMulSpec, BatchMatMulSchedule> = {
  name: "batch-matmul",
  match: batchMatMulSpec,
  schedules: () => [
    { rows: 8 * TILE_ROWS, columns: 64 * PANEL },
    { rows: 4 * TILE_ROWS, columns: 16 * PANEL },
    { rows: 32 * TILE_ROWS, columns: 256 * PANEL },
  ],
  lower(spec, schedule, node, to) {
    const { m, n, k, count, transA, transB } = spec;
    if (count * m * n === 0) return;
    const inputs = [to.buffer(node.inputs[0]!), to.buffer(node.inputs[1]!)] as const;
    const [a, b] = spec.swapped ? [inputs[1], inputs[0]] : inputs;
    const y = to.buffer(node.outputs[0]!);
    const launch = (
      code: Parameters<typeof to.launch>[0],
      right: Buffer,
      extent: number,
      part: number,
      bBytes: number,
    ): void => {
      const parts = Math.ceil(extent / part);
      to.launch(code, operandArguments(spec, { a, b: right, y }, parts, part, bBytes), count * parts);
    };
    if (transB && !transA && (m <= TILE_ROWS || n < PANEL)) {
      launch(multiplyDots, b, n, schedule.columns, 4 * k * n);
    } else if (n < PANEL) {
      launch(multiplyNarrow(transA, transB), b, m, schedule.rows, 4 * k * n);
    } else if (m <= TILE_ROWS && !transB) {
      launch(multiplyDirect(m, transA), b, n, schedule.columns, 4 * k * n);
    } else {
      const panels = Math.ceil(n / PANEL);
      const packed = to.derived(node.inputs[1]!, `batch-matmul/panels/${transB}`, () => {
        const made = to.scratch(4 * PANEL * panels * k * spec.bCount);
        to.launch(packPanels(transB), [b, made, k, n, panels], panels * spec.bCount);
        return made;
      });
      launch(multiplyPacked(transA), packed, m, schedule.rows, 4 * PANEL * panels * k);
    }
  },
  cost: batchMatMulCost,
};
