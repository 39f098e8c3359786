import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { type Matrix, parsePattern } from "../../sparsity/index.js";
import { Tensor } from "../../tensor/index.js";
import { InputAccumulator, type InputStatistics } from "../statistics/index.js";
import { ria } from "./scores.js";
import { sparseGpt } from "./sparse-gpt.js";
import { wanda } from "./wanda.js";

const FILE = fileURLToPath(new URL("../../../../shared/data/golden-pytorch/golden-pytorch.json", import.meta.url));

interface Golden {
  wanda: {
    weight: number[][];
    inputs: number[][][];
    scaler_row: number[];
    keep_2_4: number[][];
    keep_4_8: number[][];
    keep_unstructured_50: number[][];
  };
  ria: { keep_2_4: number[][] };
  sparsegpt: Record<"w_2_4" | "w_2_4_blocksize8" | "w_4_8" | "w_50_unstructured", number[][]> &
    Record<"error_2_4" | "error_50" | "error_4_8", number> & { hessian_row0: number[] };
}

describe.skipIf(!existsSync(FILE))("upstream's own results (needs ../shared/data/golden-pytorch)", () => {
  const golden = (existsSync(FILE) ? JSON.parse(readFileSync(FILE, "utf8")) : null) as Golden;
  const [rows, cols] = [6, 16];
  const weight = (): Matrix => ({ rows, cols, data: Float32Array.from(golden.wanda.weight.flat()) });
  const statistics = (): InputStatistics => {
    const accumulator = new InputAccumulator(cols, { gram: true });
    for (const batch of golden.wanda.inputs)
      accumulator.accumulate(Tensor.from("float32", [batch.length, cols], batch.flat()));
    return accumulator.statistics();
  };

  test("Wanda's norms and masks", () => {
    const seen = statistics();
    // The running mean over batches of one sequence each, in float32.
    seen.sumOfSquares.forEach((sum, i) =>
      expect(sum / golden.wanda.inputs.length).toBeCloseTo(golden.wanda.scaler_row[i]!, 4),
    );
    for (const [pattern, keep] of [
      ["2:4", golden.wanda.keep_2_4],
      ["4:8", golden.wanda.keep_4_8],
      ["50%/row", golden.wanda.keep_unstructured_50],
      ["50%", golden.wanda.keep_unstructured_50],
    ] as const) {
      const { mask } = wanda.prune(weight(), seen, parsePattern(pattern));
      expect([...mask.data], pattern).toEqual(keep.flat());
    }
  });

  test("RIA's mask", () => {
    expect([...ria.prune(weight(), statistics(), parsePattern("2:4")).mask.data]).toEqual(golden.ria.keep_2_4.flat());
  });

  describe("SparseGPT", () => {
    /** Upstream's Hessian is 2·XᵀX / sequences, its dead inputs' diagonal 1, and that 1 counts in the mean that damping is a share of. */
    const scale = (): number => 2 / golden.wanda.inputs.length;
    const damping = (): { upstream: number; ours: number } => {
      const { sumOfSquares } = statistics();
      const diagonal = [...sumOfSquares].map((sum) => sum * scale());
      const live = diagonal.filter((entry) => entry > 0);
      const mean = live.reduce((a, b) => a + b, 0) / live.length;
      const upstream = (0.01 * (live.reduce((a, b) => a + b, 0) + diagonal.length - live.length)) / diagonal.length;
      return { upstream, ours: upstream / mean };
    };

    test("the Hessian", () => {
      const { gram } = statistics();
      golden.sparsegpt.hessian_row0.forEach((h, i) => expect(gram![i]! * scale()).toBeCloseTo(h, 4));
    });

    // 51.05 % of 96 are the 49 that upstream's `<=` prunes at 50 %.
    test.each([
      ["2:4", 128, "w_2_4", "error_2_4"],
      ["2:4", 8, "w_2_4_blocksize8", "error_2_4"],
      ["4:8", 128, "w_4_8", "error_4_8"],
      ["51.05%", 128, "w_50_unstructured", "error_50"],
    ] as const)("%s in blocks of %i", (pattern, blockSize, key, errorKey) => {
      const seen = statistics();
      const { upstream, ours } = damping();
      const result = sparseGpt.prune(weight(), seen, parsePattern(pattern), { blockSize, damping: ours });
      const expected = golden.sparsegpt[key].flat();
      // Both zero the weights of the dead input; a kept one of them is 0, and no mask shows it.
      expect([...result.weight.data].map((w) => w !== 0)).toEqual(expected.map((w) => w !== 0));
      // Upstream rounds weights of up to 16 to float32 in each of 16 columns.
      result.weight.data.forEach((w, i) => expect(Math.abs(w - expected[i]!)).toBeLessThan(16 * 16 * 2 ** -24));
      const { gram } = seen;
      let error = 0;
      for (let row = 0; row < rows; row++) {
        const delta = Array.from({ length: cols }, (_, i) =>
          gram![i * (cols + 1)] === 0 ? 0 : golden.wanda.weight[row]![i]! - result.weight.data[row * cols + i]!,
        );
        for (let i = 0; i < cols; i++)
          for (let j = 0; j < cols; j++)
            error += (delta[i]! * delta[j]! * (gram![i * cols + j]! * scale() + (i === j ? upstream : 0))) / 2;
      }
      expect(Math.abs(error / golden.sparsegpt[errorKey] - 1)).toBeLessThan(96 * 2 ** -23);
    });
  });
});
