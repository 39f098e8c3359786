import { describe, expect, it } from "vitest";
import { nestedOf, run, tensor } from "../../../test/support/run-operator.js";
import { sizeOf, Tensor } from "../../tensor/index.js";
import { mersenneTwister } from "../random/mersenne-twister.js";

const noise = (...shape: number[]): Tensor => {
  const uniform = mersenneTwister(shape.length);
  return Tensor.from("float64", shape, Array.from({ length: sizeOf(shape) }, uniform));
};
const scalar = (value: number): Tensor => Tensor.scalar("int64", value);

/** Doubles: n additions of numbers up to 1. */
function expectClose(a: Tensor, b: Tensor, n: number): void {
  expect(a.shape).toEqual(b.shape);
  const [x, y] = [a.numbers(), b.numbers()];
  for (let i = 0; i < x.length; i++) expect(Math.abs(x[i]! - y[i]!)).toBeLessThan(4 * n * n * 2 ** -53);
}

describe("DFT", () => {
  it("is undone by its inverse along every axis, odd lengths included", () => {
    const x = noise(3, 5, 8, 2);
    for (const axis of [0, 1, -2]) {
      const spectrum = run("DFT", [x, null, scalar(axis)])[0]!;
      expectClose(run("DFT", [spectrum, null, scalar(axis)], { inverse: 1 })[0]!, x, 8);
      const older = run("DFT", [x], { axis }, { version: 17 })[0]!;
      expect(older.data).toEqual(spectrum.data);
    }
  });
  it("one-sided takes real signals to half their bins and back", () => {
    for (const length of [6, 7]) {
      const x = noise(2, length, 1);
      const full = run("DFT", [x])[0]!;
      const half = run("DFT", [x], { onesided: 1 })[0]!;
      expect(half.shape).toEqual([2, Math.floor(length / 2) + 1, 2]);
      const rows = (t: Tensor): number[][][] => nestedOf(t) as number[][][];
      expect(rows(half)[1]).toEqual(rows(full)[1]!.slice(0, Math.floor(length / 2) + 1));
      expectClose(run("DFT", [half, scalar(length)], { onesided: 1, inverse: 1 })[0]!, x, length);
    }
    const even = noise(1, 6, 1);
    const spectrum = run("DFT", [even], { onesided: 1 })[0]!;
    expectClose(run("DFT", [spectrum], { onesided: 1, inverse: 1 })[0]!, even, 6);
  });
  it("cuts or pads the signal to dft_length", () => {
    const constant = tensor("float32", [[[1], [1], [1]]]);
    const two = tensor("float32", [
      [
        [2, 0],
        [0, 0],
      ],
    ]);
    expectClose(run("DFT", [constant, scalar(2)])[0]!, two, 2);
    const four = tensor("float32", [
      [
        [3, 0],
        [0, -1],
        [1, 0],
        [0, 1],
      ],
    ]);
    expectClose(run("DFT", [constant, scalar(4)])[0]!, four, 4);
  });
  it("knows axis −2 as the default from opset 20, 1 before", () => {
    const x = noise(2, 3, 4, 1);
    expect(run("DFT", [x])[0]!.data).toEqual(run("DFT", [x, null, scalar(2)])[0]!.data);
    expect(run("DFT", [x], {}, { version: 17 })[0]!.data).toEqual(run("DFT", [x, null, scalar(1)])[0]!.data);
    expect(() => run("DFT", [x, null, scalar(3)])).toThrow(/not one of the signal/);
  });
});

describe("STFT", () => {
  it("transforms each windowed frame", () => {
    const x = noise(2, 10, 1);
    const window = noise(4);
    const y = run("STFT", [x, scalar(3), window])[0]!;
    expect(y.shape).toEqual([2, 3, 3, 2]);
    const samples = x.numbers();
    const frame = Tensor.from(
      "float64",
      [1, 4, 1],
      [0, 1, 2, 3].map((t) => samples[10 + 6 + t]! * window.numbers()[t]!),
    );
    const wanted = run("DFT", [frame], { onesided: 1 })[0]!;
    expect((nestedOf(y) as number[][][][])[1]![2]).toEqual((nestedOf(wanted) as number[][][])[0]);
    expect(run("STFT", [noise(1, 10, 2), scalar(2), null, scalar(5)], { onesided: 0 })[0]!.shape).toEqual([1, 3, 5, 2]);
    expect(() => run("STFT", [x, scalar(3), null, scalar(11)])).toThrow(/signal of 10/);
  });
});

describe("windows", () => {
  it("are symmetric, or periodic: the symmetric one of one sample more without its last", () => {
    for (const op of ["HannWindow", "HammingWindow", "BlackmanWindow"]) {
      const of = (size: number, periodic: number): number[] =>
        nestedOf(run(op, [scalar(size)], { periodic, output_datatype: 11 })[0]!) as number[];
      expect(of(8, 1)).toEqual(of(9, 0).slice(0, 8));
      of(9, 0).forEach((v, i, all) => {
        expect(v).toBeCloseTo(all[8 - i]!, 14);
      });
      expect(of(9, 0)[4]).toBeCloseTo(1, 14);
      expect(of(1, 0)).toEqual([1]);
    }
  });
});

describe("MelWeightMatrix", () => {
  it("peaks at 1 in each band and refuses bands beyond the spectrum", () => {
    const edges = [tensor("float32", 0), tensor("float32", 4000)];
    const y = run("MelWeightMatrix", [scalar(8), scalar(64), scalar(8000), ...edges])[0]!;
    expect(y.shape).toEqual([33, 8]);
    const rows = nestedOf(y) as number[][];
    for (let band = 0; band < 8; band++) expect(Math.max(...rows.map((row) => row[band]!))).toBe(1);
    const beyond = [scalar(8), scalar(16), scalar(8000), tensor("float32", 0), tensor("float32", 60000)];
    expect(() => run("MelWeightMatrix", beyond)).toThrow(/do not fit/);
  });
});
