import { describe, expect, test } from "vitest";
import { randomSource, randomTensor } from "../../../test/support/random.js";
import { evaluateConv } from "../../ops/nn/conv.js";
import { Tensor } from "../../tensor/index.js";
import { ConvInputAccumulator, centered, checkStatistics, InputAccumulator, type InputStatistics } from "./index.js";

/** Sums in plain loops. */
function simple(rows: readonly (readonly number[])[]): Pick<InputStatistics, "mean" | "sumOfSquares" | "gram"> {
  const channels = rows[0]!.length;
  const gram = new Float64Array(channels * channels);
  const mean = new Float64Array(channels);
  for (const row of rows) {
    row.forEach((x, i) => {
      mean[i]! += x / rows.length;
      row.forEach((y, j) => {
        gram[i * channels + j]! += x * y;
      });
    });
  }
  return { mean, gram, sumOfSquares: mean.map((_, i) => gram[i * (channels + 1)]!) };
}

const near = (a: Float64Array, b: Float64Array, tolerance: number): void => {
  expect(a.length).toBe(b.length);
  a.forEach((x, i) => expect(Math.abs(x - b[i]!)).toBeLessThanOrEqual(tolerance));
};

describe("InputAccumulator", () => {
  test("any blocks of tokens: the sums of all rows", () => {
    const random = randomSource(1);
    const blocks = [3, 1, 300, 255, 2].map((count) => randomTensor(random, [1, count, 5]));
    const accumulator = new InputAccumulator(5, { gram: true });
    const norms = new InputAccumulator(5, { gram: false });
    for (const tensor of blocks) {
      accumulator.accumulate(tensor);
      norms.accumulate(tensor);
      accumulator.statistics(); // does not disturb what follows
    }
    const rows = blocks.flatMap((tensor) =>
      Array.from(
        { length: tensor.size / 5 },
        (_, row) => [...tensor.numbers()].slice(row * 5, row * 5 + 5) as number[],
      ),
    );
    const expected = simple(rows);
    const seen = accumulator.statistics();
    expect(seen.count).toBe(561);
    near(seen.gram!, expected.gram!, 561 * 561 * 2 ** -53);
    near(seen.sumOfSquares, expected.sumOfSquares, 561 * 561 * 2 ** -53);
    near(seen.mean, expected.mean, 561 * 2 ** -53);
    expect(norms.statistics()).toEqual({ ...seen, gram: null });
    expect(structuredClone(seen)).toEqual(seen);
  });

  test("what it refuses leaves it as it was", () => {
    const accumulator = new InputAccumulator(3, { gram: true });
    accumulator.accumulate(Tensor.from("float32", [1, 3], [1, 2, 3]));
    expect(() => accumulator.accumulate(Tensor.from("float32", [3, 1], [1, 2, 3]))).toThrow("shape [3,1]");
    expect(() => accumulator.accumulate(Tensor.from("float32", [2, 3], [1, 2, 3, 4, Number.NaN, 6]))).toThrow("NaN");
    expect(accumulator.statistics().count).toBe(1);
    expect([...accumulator.statistics().gram!]).toEqual([1, 2, 3, 2, 4, 6, 3, 6, 9]);
  });

  test("float16 and float64", () => {
    for (const dtype of ["float16", "float64"] as const) {
      const accumulator = new InputAccumulator(2, { gram: true });
      accumulator.accumulate(Tensor.from(dtype, [2, 2], [1, 0.5, -2, 4]));
      expect([...accumulator.statistics().gram!]).toEqual([5, -7.5, -7.5, 16.25]);
    }
  });
});

test.each([
  { kernel: [3], group: 1, strides: [2], pads: [1, 1], dilations: null, input: [2, 4, 11] },
  { kernel: [3, 2], group: 2, strides: [1, 2], pads: [1, 0, 0, 1], dilations: [2, 1], input: [2, 6, 7, 5] },
  { kernel: [1, 1], group: 1, strides: null, pads: null, dilations: null, input: [1, 3, 4, 4] },
])("ConvInputAccumulator: patches times the weight are the convolution ($kernel, group $group)", (geometry) => {
  const { kernel, group, strides, pads, dilations, input } = geometry;
  const random = randomSource(2);
  const x = randomTensor(random, input);
  const perGroup = input[1]! / group;
  const outputs = 2 * group;
  const w = randomTensor(random, [outputs, perGroup, ...kernel]);
  const attributes = {
    kernelShape: null,
    strides,
    dilations,
    pads,
    autoPad: "NOTSET",
    ceilMode: false,
    group,
  } as const;
  const accumulator = new ConvInputAccumulator(w.shape, attributes, { gram: true });
  accumulator.accumulate(x);
  const statistics = accumulator.statistics();
  const y = evaluateConv(x, w, null, attributes);
  const taps = kernel.reduce((a, b) => a * b, 1);
  const channels = taps * perGroup;
  const plane = y.size / y.shape[0]! / outputs;
  expect(statistics).toHaveLength(group);
  for (let o = 0; o < outputs; o++) {
    const { gram, mean, count } = statistics[Math.floor(o / 2)]!;
    expect(count).toBe(plane * y.shape[0]!);
    const row = Array.from({ length: channels }, (_, i) => {
      const [tap, channel] = [Math.floor(i / perGroup), i % perGroup];
      return w.numbers()[(o * perGroup + channel) * taps + tap]! as number;
    });
    const values = [...y.numbers()].filter((_, i) => Math.floor(i / plane) % outputs === o) as number[];
    const energy = values.reduce((sum, value) => sum + value * value, 0);
    const bilinear = row.reduce((sum, a, i) => row.reduce((s, b, j) => s + a * b * gram![i * channels + j]!, sum), 0);
    // y is rounded to float32 once: 2⁻²⁴ of each value, twice that of its square.
    expect(Math.abs(bilinear - energy)).toBeLessThanOrEqual(energy * 2 ** -22);
    const sum = values.reduce((a, b) => a + b, 0);
    const absolute = values.reduce((a, b) => a + Math.abs(b), 0);
    expect(Math.abs(count * row.reduce((s, a, i) => s + a * mean[i]!, 0) - sum)).toBeLessThanOrEqual(
      absolute * 2 ** -22,
    );
  }
});

test("centered: the statistics of the inputs without their mean; a constant input is dead", () => {
  const rows = Array.from({ length: 50 }, (_, i) => [Math.sin(i) + 3, 0.1, Math.cos(3 * i)]);
  const accumulator = new InputAccumulator(3, { gram: true });
  accumulator.accumulate(Tensor.from("float64", [50, 3], rows.flat()));
  const { mean, gram, sumOfSquares } = centered(accumulator.statistics());
  const expected = simple(rows.map((row) => row.map((x, i) => x - mean[i]!)));
  near(gram!, expected.gram!, 1e-12);
  near(sumOfSquares, expected.sumOfSquares, 1e-12);
  expect(sumOfSquares[1]).toBe(0);
  expect([1, 3, 4, 5, 7].map((at) => gram![at])).toEqual([0, 0, 0, 0, 0]);
});

test("checkStatistics names what is wrong", () => {
  const accumulator = new InputAccumulator(2, { gram: true });
  expect(() => checkStatistics(accumulator.statistics(), 2, "norms")).toThrow("saw no inputs");
  accumulator.accumulate(Tensor.from("float32", [1, 2], [1, 2]));
  const good = accumulator.statistics();
  checkStatistics(good, 2, "gram");
  expect(() => checkStatistics(good, 3, "norms")).toThrow("2 channels for a weight of 3 inputs");
  expect(() => checkStatistics({ ...good, gram: null }, 2, "gram")).toThrow("needs the Gram matrix");
  expect(() => checkStatistics({ ...good, mean: Float64Array.of(0, Number.NaN) }, 2, "norms")).toThrow(
    "channel 1 is NaN",
  );
});
