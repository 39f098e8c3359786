import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sizeOf, stridesOf } from "../../tensor/index.js";
import { convolve } from "./conv.js";
import { tapsOf } from "./taps.js";
import { AUTO_PADS, resolveWindow, type Window, type WindowAttributes, windowDims } from "./window.js";

const axis = fc.record({
  size: fc.integer({ min: 1, max: 9 }),
  kernel: fc.integer({ min: 1, max: 4 }),
  stride: fc.integer({ min: 1, max: 3 }),
  dilation: fc.integer({ min: 1, max: 3 }),
  begin: fc.integer({ min: 0, max: 3 }),
  end: fc.integer({ min: 0, max: 3 }),
});
const geometry = fc.record({
  axes: fc.array(axis, { minLength: 1, maxLength: 3 }),
  autoPad: fc.constantFrom(...AUTO_PADS),
  ceilMode: fc.boolean(),
});
type Geometry = typeof geometry extends fc.Arbitrary<infer T> ? T : never;

const attributesOf = ({ axes, autoPad, ceilMode }: Geometry): WindowAttributes => ({
  kernelShape: null,
  strides: axes.map((a) => a.stride),
  dilations: axes.map((a) => a.dilation),
  pads: autoPad === "NOTSET" ? [...axes.map((a) => a.begin), ...axes.map((a) => a.end)] : null,
  autoPad,
  ceilMode,
});

/** The window, or null where it does not fit in the input. */
function windowOf(g: Geometry): Window | null {
  try {
    return resolveWindow(
      attributesOf(g),
      g.axes.map((a) => a.size),
      g.axes.map((a) => a.kernel),
    );
  } catch {
    return null;
  }
}

/** Evaluates the text that `windowDims` makes of a named size. */
const evaluated = (text: string, H: number): number =>
  new Function("H", "floor", "ceil", "min", `return ${text}`)(H, Math.floor, Math.ceil, Math.min);

describe("windows", () => {
  test("a window starts inside the input or its begin padding, and one more would not fit", () => {
    fc.assert(
      fc.property(geometry, (g) => {
        const window = windowOf(g);
        fc.pre(window !== null);
        window!.output.forEach((count, i) => {
          const { size, stride, kernel, dilation } = g.axes[i]!;
          const padded = size + window!.padsBegin[i]! + window!.padsEnd[i]!;
          const span = (kernel - 1) * dilation + 1;
          expect(count).toBeGreaterThan(0);
          const last = (count - 1) * stride;
          if (g.ceilMode) expect(last).toBeLessThan(size + window!.padsBegin[i]!);
          else expect(last + span).toBeLessThanOrEqual(padded);
          if (g.autoPad.startsWith("SAME")) expect(count).toBe(Math.ceil(size / stride));
          else expect(last + stride + span).toBeGreaterThan(g.ceilMode ? Math.min(padded, last + span) : padded);
        });
      }),
    );
  });

  test("a named size gives a text with the value that the number would give", () => {
    fc.assert(
      fc.property(geometry, (g) => {
        const window = windowOf(g);
        fc.pre(window !== null);
        g.axes.forEach((a, i) => {
          const dims = windowDims(
            attributesOf(g),
            g.axes.map((other, k) => (k === i ? "H" : other.size)),
            g.axes.map((other) => other.kernel),
          );
          expect(evaluated(String(dims[i]), a.size)).toBe(window!.output[i]);
        });
      }),
    );
  });

  test("padding that keeps the size keeps the name", () => {
    const same = {
      kernelShape: null,
      strides: null,
      dilations: null,
      pads: [1, 1],
      autoPad: "NOTSET",
      ceilMode: false,
    } as const;
    expect(windowDims(same, ["H"], [3])).toEqual(["H"]);
    expect(windowDims({ ...same, strides: [2] }, ["H"], [3])).toEqual(["floor((H-1)/2)+1"]);
  });

  test("taps are the pairs (output, input) that the definition gives, each once", () => {
    fc.assert(
      fc.property(geometry, (g) => {
        const window = windowOf(g);
        fc.pre(window !== null);
        const taps = tapsOf(window!);
        for (let tap = 0; tap < taps.count; tap++) {
          const found = new Map<number, number>();
          for (let run = taps.starts[tap]!; run < taps.starts[tap + 1]!; run++)
            for (let i = 0; i < taps.length[run]!; i++) found.set(taps.out[run]! + i, taps.input[run]! + i * taps.step);
          expect(found).toEqual(pairsOf(window!, tap));
        }
      }),
    );
  });
});

/** By the definition: input index of every output position for one tap, where it is inside. */
function pairsOf({ input, output, kernel, strides, dilations, padsBegin }: Window, tap: number): Map<number, number> {
  const pairs = new Map<number, number>();
  const [outputs, inputs, taps] = [stridesOf(output), stridesOf(input), stridesOf(kernel)];
  for (let o = 0; o < sizeOf(output); o++) {
    const at = output.map((dim, i) => {
      const k = Math.floor(tap / taps[i]!) % kernel[i]!;
      return (Math.floor(o / outputs[i]!) % dim) * strides[i]! + k * dilations[i]! - padsBegin[i]!;
    });
    if (at.every((v, i) => v >= 0 && v < input[i]!))
      pairs.set(
        o,
        at.reduce((sum, v, i) => sum + v * inputs[i]!, 0),
      );
  }
  return pairs;
}

test("a convolution with the identity kernel copies", () => {
  const window = resolveWindow(
    { kernelShape: null, strides: null, dilations: null, pads: [1, 1, 1, 1], autoPad: "NOTSET", ceilMode: false },
    [3, 4],
    [3, 3],
  );
  const x = Float32Array.from({ length: 12 }, (_, i) => i * 1.5);
  const result = new Float32Array(12);
  convolve(x, 1, 1, [0, 0, 0, 0, 1, 0, 0, 0, 0], 1, 1, [2], window, result);
  expect(Array.from(result)).toEqual(Array.from(x, (v) => v + 2));
});
