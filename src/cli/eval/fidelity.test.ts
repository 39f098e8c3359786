import { describe, expect, it } from "vitest";
import { Tensor } from "../../tensor/index.js";
import { FidelityMeter } from "./fidelity.js";

const rows = (...values: number[][]): Tensor =>
  Tensor.from("float64", [values.length, values[0]!.length], values.flat());

function fidelity(...pairs: [Tensor, Tensor][]) {
  const meter = new FidelityMeter("y");
  for (const [dense, pruned] of pairs) meter.add(dense, pruned);
  return meter.result();
}

describe("FidelityMeter", () => {
  it("finds nothing between equal outputs", () => {
    const y = rows([1, 2, 3], [0, -1, 5]);
    expect(fidelity([y, y])).toEqual({ name: "y", relativeError: 0, cosine: 1, kl: 0, top1: 1, rows: 2 });
  });

  it("sums over samples: error, cosine, divergence and the largest entries", () => {
    const result = fidelity([rows([0, 0]), rows([0, Math.log(3)])], [rows([3, 4]), rows([4, 3])]);
    const log3 = Math.log(3);
    expect(result.relativeError).toBeCloseTo(Math.sqrt((log3 ** 2 + 2) / 25), 12);
    expect(result.cosine).toBeCloseTo(24 / Math.sqrt(25 * (log3 ** 2 + 25)), 12);
    // KL((1/2, 1/2) ‖ (1/4, 3/4)) and KL((p, q) ‖ (q, p)) with p = 1 / (1 + e): (q - p)·ln(q / p).
    const first = 0.5 * Math.log(2) + 0.5 * Math.log(2 / 3);
    const p = 1 / (1 + Math.E);
    expect(result.kl).toBeCloseTo((first + 1 - 2 * p) / 2, 12);
    expect(result.top1).toBe(0);
    expect(result.rows).toBe(2);
  });

  it("takes logits far apart without overflowing", () => {
    const { kl, top1 } = fidelity([rows([1000, 0]), rows([900, 0])]);
    expect(kl).toBeCloseTo(0, 12);
    expect(top1).toBe(1);
  });

  it("refuses outputs of other shapes", () => {
    expect(() => fidelity([rows([1, 2]), rows([1, 2], [3, 4])])).toThrow(/field 'y'/);
  });
});
