import { describe, expect, it } from "vitest";
import { nestedOf, run, tensor } from "../../../test/support/run-operator.js";
import type { AttributeLike } from "../../graph/index.js";
import { Tensor } from "../../tensor/index.js";
import { mersenneTwister, normalOf } from "./mersenne-twister.js";

const seed = (value: number): AttributeLike => ({ kind: "float", value });
const mean = (x: Tensor): number => (Array.from(x.numbers()) as number[]).reduce((a, b) => a + b, 0) / x.size;

describe("mersenneTwister", () => {
  it("is NumPy's RandomState(0).random_sample() and randn()", () => {
    const uniform = mersenneTwister(0);
    expect([uniform(), uniform(), uniform()]).toEqual([0.5488135039273248, 0.7151893663724195, 0.6027633760716439]);
    const normal = normalOf(mersenneTwister(0));
    expect([normal(), normal()]).toEqual([1.764052345967664, 0.4001572083672233]);
    expect(mersenneTwister(42)()).toBe(0.3745401188473625);
  });
});

describe("random tensors", () => {
  const shape = [100, 100];

  it("repeat with a seed and not without", () => {
    const draw = (attributes: Record<string, AttributeLike>): Tensor =>
      run("RandomUniform", [], { shape, ...attributes })[0]!;
    expect(draw({ seed: seed(3) }).data).toEqual(draw({ seed: seed(3) }).data);
    expect(draw({ seed: seed(3) }).data).not.toEqual(draw({ seed: seed(4) }).data);
    expect(draw({}).data).not.toEqual(draw({}).data);
  });
  it("have the mean and spread that is asked for", () => {
    // Six standard errors of the mean of 10 000.
    const uniform = run("RandomUniform", [], { shape, low: -2, high: 6, seed: seed(1) })[0]!;
    expect(Math.abs(mean(uniform) - 2)).toBeLessThan((6 * 8) / Math.sqrt(12) / 100);
    expect(Math.min(...uniform.numbers())).toBeGreaterThanOrEqual(-2);
    expect(Math.max(...uniform.numbers())).toBeLessThanOrEqual(6);
    const normal = run("RandomNormal", [], { shape, mean: 5, scale: 3, seed: seed(1) })[0]!;
    expect(Math.abs(mean(normal) - 5)).toBeLessThan((6 * 3) / 100);
    const variance = (Array.from(normal.numbers()) as number[]).reduce((s, v) => s + (v - 5) ** 2, 0) / 1e4;
    expect(Math.abs(variance - 9)).toBeLessThan((6 * 9 * Math.SQRT2) / 100);
  });
  it("take shape and dtype of an input", () => {
    expect(run("RandomNormalLike", [Tensor.zeros("float64", [2, 3])])[0]!.shape).toEqual([2, 3]);
    expect(run("RandomUniformLike", [Tensor.zeros("int8", [2])], { dtype: 10 })[0]!.dtype).toBe("float16");
  });
  it("Bernoulli and Multinomial follow their probabilities", () => {
    const ones = run("Bernoulli", [Tensor.from("float32", shape, new Array(10000).fill(0.3))], {
      seed: seed(2),
      dtype: 9,
    })[0]!;
    expect(Math.abs(mean(ones) - 0.3)).toBeLessThan((6 * Math.sqrt(0.21)) / 100);
    const logits = tensor("float32", [
      [Math.log(1), Math.log(3)],
      [-1000, 0],
    ]);
    const samples = run("Multinomial", [logits], { sample_size: 10000, seed: seed(2) })[0]!;
    const [a, b] = nestedOf(samples) as number[][];
    expect(Math.abs(a!.reduce((s, v) => s + v, 0) / 10000 - 0.75)).toBeLessThan((6 * Math.sqrt(0.1875)) / 100);
    expect(b!.every((v) => v === 1)).toBe(true);
  });
});

describe("Dropout", () => {
  const x = Tensor.from("float32", [100, 100], new Array(10000).fill(3));
  const ratio = Tensor.scalar("float32", 0.25);
  const training = Tensor.scalar("bool", 1);

  it("hands its input through unless it trains", () => {
    const [y, mask] = run("Dropout", [x, ratio, Tensor.scalar("bool", 0)], {}, { outputs: 2 });
    expect(y).toBe(x);
    expect(mean(mask!)).toBe(1);
    expect(run("Dropout", [x], { ratio: 0.5 }, { version: 7, outputs: 2 })[1]!.dtype).toBe("float32");
    expect(run("Dropout", [x], { ratio: 0.5 }, { version: 10, outputs: 2 })[1]!.dtype).toBe("bool");
  });
  it("drops the share that is asked for and scales the rest", () => {
    const [y, mask] = run("Dropout", [x, ratio, training], { seed: 7 }, { outputs: 2 });
    expect(Math.abs(mean(mask!) - 0.75)).toBeLessThan((6 * Math.sqrt(0.1875)) / 100);
    y!.numbers().forEach((v: number, i: number) => {
      expect(v).toBe(mask!.numbers()[i] === 1 ? 4 : 0);
    });
    expect(mean(run("Dropout", [x, Tensor.scalar("float32", 1), training])[0]!)).toBe(0);
  });
});
