import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AttributeLike, type Constant, GraphBuilder } from "../../../../graph/index.js";
import { parseLayout, SparseTensor, toMatrix, type ValueDataType } from "../../../../layouts/index.js";
import { parsePattern } from "../../../../sparsity/index.js";
import { Tensor } from "../../../../tensor/index.js";
import { anyKernel, type Kernel } from "../../kernel.js";
import { compare, deviceInfo } from "../batch-matmul/harness.node.js";
import { convKernels } from "./index.js";
import { panelConv } from "./panel-conv.js";
import { stripConv, stripSpec } from "./strip-conv.js";

/** Strips also where unfolding takes less time. */
const strips = { ...anyKernel(stripConv), match: stripSpec };

/** Numbers in [-1, 1) that depend on the seed alone. */
const filled = (shape: readonly number[], seed: number): Tensor => {
  let state = seed | 1;
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) {
    state = Math.imul(state, 1664525) + 1013904223;
    data[i] = state / 2 ** 31;
  }
  return new Tensor("float32", shape, data);
};

/** The weight pruned to a pattern and stored in a layout. */
function sparse(weight: Tensor, pattern: string, layout: string, values: ValueDataType = "float32"): SparseTensor {
  const perm = [0, ...weight.shape.slice(2).map((_, i) => i + 2), 1];
  const matrix = toMatrix(weight, perm);
  const scores = { ...matrix, data: matrix.data.map(Math.abs) };
  return new SparseTensor(
    weight.shape,
    perm,
    parseLayout(layout).encode(matrix, parsePattern(pattern).select(scores), { values }),
  );
}

interface Options {
  readonly op?: string;
  readonly bias?: boolean;
  readonly residual?: boolean;
  readonly attributes?: Readonly<Record<string, AttributeLike>>;
  readonly fused?: boolean;
}

/** Sums of `terms` products below 1 round by (terms + 2)² · 2^-24 at worst; an activation stretches that by at most 1.2. */
const tolerance = (terms: number): number => 1.2 * 2 ** -24 * (terms + 4) ** 2 + 1e-6;

function check(x: Tensor, weight: Constant, options: Options = {}, list: readonly Kernel[] = convKernels): void {
  const { bias = false, residual = false, attributes = {}, fused = false, op = "Conv" } = options;
  const outputs = op === "Conv" ? weight.shape[0]! : weight.shape[1]! * Number(attributes.group);
  const build = (addend: Tensor | null) => {
    const builder = new GraphBuilder();
    const inputs = [
      builder.input("x", "float32", x.shape),
      builder.constant(weight),
      bias ? builder.constant(filled([outputs], 5)) : null,
      ...(addend ? [builder.input("r", "float32", addend.shape)] : []),
    ];
    builder.output(builder.add(op, inputs, attributes, { domain: fused ? "ai.nonzero" : "" }));
    return builder.build();
  };
  for (const relaxed of [true, false]) {
    const device = deviceInfo(relaxed && deviceInfo().relaxed);
    const plain = compare(build(null), [x], list, device)!;
    const addend = residual ? filled(plain.expected[0]!.shape, 11) : null;
    const result = addend ? compare(build(addend), [x, addend], list, device)! : plain;
    const [actual, expected] = [result.actual[0]!, result.expected[0]!];
    expect(actual.shape).toEqual(expected.shape);
    const limit = tolerance(weight.shape.reduce((a, b) => a * b, 1) / outputs);
    const [a, b] = [actual.numbers(), expected.numbers()];
    for (let i = 0; i < a.length; i++) if (!(Math.abs(a[i]! - b[i]!) <= limit)) expect([i, a[i]]).toEqual([i, b[i]]);
  }
}

const axis = fc.record({
  size: fc.oneof(fc.integer({ min: 1, max: 14 }), fc.constantFrom(30, 60)),
  kernel: fc.integer({ min: 1, max: 4 }),
  stride: fc.integer({ min: 1, max: 3 }),
  dilation: fc.integer({ min: 1, max: 2 }),
  begin: fc.integer({ min: -1, max: 3 }),
  end: fc.integer({ min: -1, max: 3 }),
});
const geometry = fc
  .record({ axes: fc.array(axis, { minLength: 1, maxLength: 2 }), batch: fc.integer({ min: 1, max: 2 }) })
  .filter(({ axes }) =>
    axes.every((a) => a.size + Math.min(a.begin, 0) > 0 && a.size + a.begin + a.end >= (a.kernel - 1) * a.dilation + 1),
  );
type Geometry = typeof geometry extends fc.Arbitrary<infer T> ? T : never;

const attributesOf = ({ axes }: Geometry, group: number): Record<string, AttributeLike> => ({
  strides: axes.map((a) => a.stride),
  dilations: axes.map((a) => a.dilation),
  pads: [...axes.map((a) => a.begin), ...axes.map((a) => a.end)],
  group,
});

/** Whether the output is a vector wide, as strips need it. */
const stripsFit = ({ axes }: Geometry): boolean => {
  const { size, begin, end, kernel, dilation, stride } = axes.at(-1)!;
  return size + begin + end - (kernel - 1) * dilation - 1 >= 3 * stride;
};

const groups = fc.record({
  group: fc.integer({ min: 1, max: 3 }),
  channels: fc.integer({ min: 1, max: 9 }),
  outputs: fc.integer({ min: 1, max: 9 }),
});

describe("convolution kernels", () => {
  it("do what Conv says", () => {
    fc.assert(
      fc.property(geometry, groups, fc.boolean(), (g, { group, channels, outputs }, bias) => {
        const x = filled([g.batch, channels * group, ...g.axes.map((a) => a.size)], channels);
        const w = filled([outputs * group, channels, ...g.axes.map((a) => a.kernel)], outputs + 3);
        check(x, w, { bias, attributes: attributesOf(g, group) });
        check(x, w, { bias, attributes: attributesOf(g, group) }, [anyKernel(panelConv)]);
        if (stripsFit(g)) check(x, w, { bias, attributes: attributesOf(g, group) }, [strips]);
      }),
      { numRuns: 100 },
    );
  });

  it("pick the same numbers from a sparse weight as from its dense form", () => {
    const form = fc.constantFrom(["2:4", "semi-structured"], ["50%", "csr"], ["50%", "bitmask"], ["2:4", "n:m:2:4"]);
    fc.assert(
      fc.property(geometry, groups, form, (g, { group, outputs }, [pattern, layout]) => {
        const x = filled([g.batch, 4 * group, ...g.axes.map((a) => a.size)], 3);
        const w = filled([outputs * group, 4, ...g.axes.map((a) => a.kernel)], outputs + 3);
        check(x, sparse(w, pattern!, layout!), { bias: true, attributes: attributesOf(g, group) });
      }),
      { numRuns: 60 },
    );
  });

  it("multiply strips of the image by any sparse weight", () => {
    const form = fc.constantFrom(
      ["2:4", "semi-structured", "float32"],
      ["60%", "csr", "float32"],
      ["60%", "csr", "float16"],
      ["75%", "csr", "int8"],
      ["block:2x2@50%", "bsr:2x2", "float32"],
      ["block:4x4@50%", "bsr:4x4", "float16"],
    );
    const tall = fc.tuple(geometry, fc.integer({ min: 1, max: 30 }));
    const finish = fc.record({
      activation: fc.constantFrom("", "Relu", "HardSwish"),
      residual: fc.boolean(),
      position: fc.constantFrom("before", "after"),
      batch: fc.integer({ min: 1, max: 2 }),
    });
    fc.assert(
      fc.property(tall, groups, form, fc.boolean(), finish, ([g, height], { group, outputs }, which, bias, end) => {
        const [pattern, layout, values] = which as [string, string, ValueDataType];
        const axes = g.axes.length === 2 ? [{ ...g.axes[0]!, size: g.axes[0]!.size + height }, g.axes[1]!] : g.axes;
        fc.pre(stripsFit(g));
        const x = filled([end.batch, 8 * group, ...axes.map((a) => a.size)], 3);
        const w = filled([4 * outputs * group, 8, ...axes.map((a) => a.kernel)], outputs + 3);
        const { activation, residual, position } = end;
        const attributes = { ...attributesOf({ ...g, axes }, group), activation, residual_position: position };
        check(x, sparse(w, pattern, layout, values), { bias, residual, fused: true, attributes }, [strips]);
      }),
      { numRuns: 40 },
    );
  });

  it("multiply strips by weights with empty rows and channels, and by more channels than one slab", () => {
    const w = filled([24, 200, 3, 3], 2);
    const data = (w.data as Float32Array).map((v, i) => (i % 1800 < 90 || i < 9000 || i % 7 > 0 ? 0 : v));
    const attributes = { pads: [1, 1, 1, 1], strides: [1, 1] };
    const x = filled([1, 200, 27, 26], 1);
    const matrix = new Tensor("float32", w.shape, data);
    check(x, sparse(matrix, "90%", "csr"), { attributes, bias: true }, [strips]);
    check(x, sparse(matrix, "90%", "csr"), { attributes: { ...attributes, strides: [2, 2] } }, [strips]);
  });

  it("multiply strips by dense weights of many outputs and channels", () => {
    for (const [outputs, channels, kernel] of [
      [100, 70, 3],
      [5, 400, 2],
      [33, 3, 7],
    ] as const) {
      const w = filled([outputs, channels, kernel, kernel], 2);
      const attributes = { pads: [1, 1, 1, 1], activation: "HardSwish" };
      const options = { bias: true, residual: true, fused: true, attributes };
      check(filled([1, channels, 16, 11], 1), w, options, [strips]);
      check(filled([1, channels, 27, 9], 1), w, { ...options, attributes: { ...attributes, activation: "Relu" } }, [
        strips,
      ]);
    }
  });

  it("finish with an activation and a residual", () => {
    for (const activation of ["", "Relu", "Gelu", "Swish", "HardSwish"]) {
      for (const position of ["before", "after"]) {
        for (const group of [1, 8]) {
          const attributes = { activation, residual_position: position, pads: [1, 1, 1, 1], group };
          const w = filled([8, 8 / group, 3, 3], 2);
          check(filled([1, 8, 9, 11], 1), w, { bias: true, residual: true, fused: true, attributes });
        }
      }
    }
  });

  it("do what ConvTranspose says", () => {
    const padding = fc.integer({ min: 0, max: 2 });
    fc.assert(
      fc.property(geometry, groups, padding, fc.boolean(), (g, { group, channels, outputs }, extra, bias) => {
        const w = filled([channels * group, outputs, ...g.axes.map((a) => a.kernel)], outputs + 3);
        const span = (a: (typeof g.axes)[number]): number => (a.kernel - 1) * a.dilation + 1;
        fc.pre(g.axes.every((a) => (a.size - 1) * a.stride + span(a) - a.begin - a.end > 0));
        const output_padding = g.axes.map((a) => Math.min(extra, Math.max(a.stride, a.dilation) - 1));
        const attributes = { ...attributesOf(g, group), output_padding };
        check(filled([g.batch, channels * group, ...g.axes.map((a) => a.size)], 1), w, {
          bias,
          attributes,
          op: "ConvTranspose",
        });
      }),
      { numRuns: 100 },
    );
  });

  it("take any number of taps in depthwise convolutions", () => {
    for (const kernel of [
      [1, 31],
      [7, 7],
      [5, 3],
      [9, 1],
    ] as const) {
      check(filled([2, 6, 40, 40], 1), filled([12, 1, ...kernel], 2), { attributes: { group: 6, pads: [1, 2, 3, 4] } });
    }
  });

  it("pad by themselves", () => {
    for (const auto_pad of ["SAME_UPPER", "SAME_LOWER", "VALID"]) {
      check(filled([1, 3, 10, 13], 1), filled([5, 3, 3, 4], 2), { attributes: { auto_pad, strides: [2, 3] } });
    }
  });

  it("take long one-dimensional kernels, and more pixels than one band", () => {
    check(filled([1, 1, 2000], 1), filled([20, 1, 127], 2), { attributes: { strides: [64] } });
    check(filled([1, 40, 80], 1), filled([50, 40, 7], 2), { bias: true, attributes: { strides: [3] } });
    check(filled([1, 64, 30, 40], 1), filled([8, 64, 3, 3], 2), { attributes: { pads: [1, 1, 1, 1] } });
    check(filled([2, 600, 30, 30], 1), filled([5, 600, 1, 1], 2));
  });
});
