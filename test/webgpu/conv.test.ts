import fc from "fast-check";
import { it } from "vitest";
import { convKernels } from "../../src/backends/webgpu/kernels/conv/index.js";
import { type AttributeLike, type Constant, GraphBuilder } from "../../src/graph/index.js";
import { parseLayout, SparseTensor, toMatrix } from "../../src/layouts/index.js";
import { evaluateGraph, operators } from "../../src/ops/index.js";
import { parsePattern } from "../../src/sparsity/index.js";
import type { Tensor } from "../../src/tensor/index.js";
import { randomTensor } from "../support/check-kernel.js";
import { checkGraph, describeGpu } from "../support/check-webgpu.js";

/** The weight pruned to a pattern and stored in a layout. */
function sparse(weight: Tensor, pattern: string, layout: string): SparseTensor {
  const perm = [0, ...weight.shape.slice(2).map((_, i) => i + 2), 1];
  const matrix = toMatrix(weight, perm);
  const scores = { ...matrix, data: matrix.data.map(Math.abs) };
  return new SparseTensor(weight.shape, perm, parseLayout(layout).encode(matrix, parsePattern(pattern).select(scores)));
}

interface Options {
  readonly op?: "Conv" | "ConvTranspose";
  readonly bias?: boolean;
  readonly residual?: boolean;
  readonly attributes?: Readonly<Record<string, AttributeLike>>;
  readonly fused?: boolean;
}

/** Sums of `terms` products below 1 round by (terms + 2)² · 2^-24 at worst; an activation stretches that by at most 1.2, and rounds. */
const tolerance = (terms: number) => () => 1.2 * 2 ** -24 * (terms + 4) ** 2 + 1e-6;

/** The kernel that takes a convolution. */
function kernelOf(op: string, weight: Constant, group: number): string {
  if (op === "ConvTranspose") return "transposed-conv";
  if (weight.shape[0]! / group <= 4) return "direct-conv";
  return weight instanceof SparseTensor ? "sparse-conv" : "conv";
}

async function check(x: Tensor, weight: Constant, options: Options = {}): Promise<void> {
  const { op = "Conv", bias = false, residual = false, attributes = {}, fused = false } = options;
  const group = Number(attributes.group ?? 1);
  const outputs = op === "Conv" ? weight.shape[0]! : weight.shape[1]! * group;
  const build = (addend: Tensor | null) => {
    const builder = new GraphBuilder();
    const inputs = [
      builder.input("x", "float32", x.shape),
      builder.constant(weight),
      bias ? builder.constant(randomTensor([outputs], 5)) : null,
      ...(addend ? [builder.input("r", "float32", addend.shape)] : []),
    ];
    builder.output(builder.add(op, inputs, attributes, { domain: fused ? "ai.nonzero" : "" }));
    return builder.build();
  };
  const addend = residual ? randomTensor(evaluateGraph(build(null), [x], operators)[0]!.shape, 11) : null;
  const terms = weight.shape.reduce((a, b) => a * b, 1) / outputs;
  const kernel = kernelOf(op, weight, group);
  await checkGraph(build(addend), addend ? [x, addend] : [x], convKernels, kernel, tolerance(terms));
}

const axis = fc.record({
  size: fc.oneof(fc.integer({ min: 1, max: 14 }), fc.constantFrom(30, 60)),
  kernel: fc.integer({ min: 1, max: 4 }),
  stride: fc.integer({ min: 1, max: 3 }),
  dilation: fc.integer({ min: 1, max: 2 }),
  begin: fc.integer({ min: -1, max: 3 }),
  end: fc.integer({ min: -1, max: 3 }),
});
type Axis = typeof axis extends fc.Arbitrary<infer T> ? T : never;
const geometryOf = (axes: fc.Arbitrary<Axis[]>) =>
  fc
    .record({ axes, batch: fc.integer({ min: 1, max: 2 }) })
    .filter(({ axes }) =>
      axes.every(
        (a) => a.size + Math.min(a.begin, 0) > 0 && a.size + a.begin + a.end >= (a.kernel - 1) * a.dilation + 1,
      ),
    );
const geometry = geometryOf(fc.array(axis, { minLength: 1, maxLength: 2 }));
const small = axis.filter(({ size }) => size <= 8);
const volume = geometryOf(fc.array(small, { minLength: 3, maxLength: 3 }));
type Geometry = typeof geometry extends fc.Arbitrary<infer T> ? T : never;

const attributesOf = ({ axes }: Geometry, group: number): Record<string, AttributeLike> => ({
  strides: axes.map((a) => a.stride),
  dilations: axes.map((a) => a.dilation),
  pads: [...axes.map((a) => a.begin), ...axes.map((a) => a.end)],
  group,
});

const groups = fc.record({
  group: fc.integer({ min: 1, max: 3 }),
  channels: fc.integer({ min: 1, max: 9 }),
  outputs: fc.constantFrom(1, 3, 5, 16, 17, 40),
});

describeGpu("convolutions on WebGPU", () => {
  it("do what Conv says", async () => {
    await fc.assert(
      fc.asyncProperty(geometry, groups, async (g, { group, channels, outputs }) => {
        const x = randomTensor([g.batch, channels * group, ...g.axes.map((a) => a.size)], channels);
        const w = randomTensor([outputs * group, channels, ...g.axes.map((a) => a.kernel)], outputs + 3);
        await check(x, w, { bias: true, attributes: attributesOf(g, group) });
      }),
      { numRuns: 50 },
    );
  });

  it("pick the same numbers from a sparse weight as from its dense form", async () => {
    const form = fc.constantFrom(["2:4", "semi-structured"], ["70%", "csr"], ["90%", "bitmask"], ["2:8", "n:m:2:8"]);
    await fc.assert(
      fc.asyncProperty(geometry, groups, form, async (g, { group, outputs }, [pattern, layout]) => {
        const x = randomTensor([g.batch, 8 * group, ...g.axes.map((a) => a.size)], 3);
        const w = randomTensor([outputs * group, 8, ...g.axes.map((a) => a.kernel)], outputs + 3);
        await check(x, sparse(w, pattern!, layout!), { bias: true, attributes: attributesOf(g, group) });
      }),
      { numRuns: 30 },
    );
  });

  it("slide over volumes", async () => {
    const outputs = fc.constantFrom(3, 17);
    await fc.assert(
      fc.asyncProperty(volume, outputs, fc.boolean(), async (g, outputs, pruned) => {
        const x = randomTensor([g.batch, 8, ...g.axes.map((a) => a.size)], 3);
        const w = randomTensor([2 * outputs, 4, ...g.axes.map((a) => a.kernel)], outputs);
        await check(x, pruned ? sparse(w, "2:4", "semi-structured") : w, {
          bias: true,
          attributes: attributesOf(g, 2),
        });
      }),
      { numRuns: 8 },
    );
  });

  it("do what ConvTranspose says", async () => {
    const padding = fc.integer({ min: 0, max: 2 });
    const shapes = fc.oneof(geometry, volume);
    await fc.assert(
      fc.asyncProperty(shapes, fc.constantFrom(1, 2), padding, fc.boolean(), async (g, group, extra, bias) => {
        const span = (a: Axis): number => (a.kernel - 1) * a.dilation + 1;
        fc.pre(g.axes.every((a) => (a.size - 1) * a.stride + span(a) - a.begin - a.end > 0));
        const x = randomTensor([g.batch, 3 * group, ...g.axes.map((a) => a.size)], 1);
        const w = randomTensor([3 * group, 4, ...g.axes.map((a) => a.kernel)], 3);
        const output_padding = g.axes.map((a) => Math.min(extra, Math.max(a.stride, a.dilation) - 1));
        const attributes = { ...attributesOf(g, group), output_padding };
        await check(x, w, { op: "ConvTranspose", bias, attributes });
      }),
      { numRuns: 15 },
    );
  });

  it("take convolutions of one tap by vectors", async () => {
    for (const w of [randomTensor([50, 37, 1, 1], 2), sparse(randomTensor([50, 37, 1, 1], 2), "80%", "csr")]) {
      await check(randomTensor([2, 37, 12, 15], 1), w, { bias: true });
    }
  });

  it("finish with an activation and a residual", async () => {
    const cases = [
      { activation: "Relu", residual_position: "before", group: 1, width: 11 },
      { activation: "Gelu", residual_position: "after", group: 1, width: 12 },
      { activation: "HardSwish", residual_position: "after", group: 8, width: 11 },
      { activation: "", residual_position: "before", group: 8, width: 12 },
    ];
    for (const { group, width, ...rest } of cases) {
      const attributes = { ...rest, pads: [1, 1, 1, 1], group };
      const w = randomTensor([8, 8 / group, 3, 3], 2);
      await check(randomTensor([1, 8, 9, width], 1), w, { bias: true, residual: true, fused: true, attributes });
    }
  });

  it("pad by themselves, and take long kernels", async () => {
    for (const auto_pad of ["SAME_UPPER", "SAME_LOWER", "VALID"]) {
      const attributes = { auto_pad, strides: [2, 3] };
      await check(randomTensor([1, 3, 10, 13], 1), randomTensor([5, 3, 3, 4], 2), { bias: true, attributes });
    }
    await check(randomTensor([1, 1, 2000], 1), randomTensor([20, 1, 127], 2), { attributes: { strides: [64] } });
    await check(randomTensor([2, 6, 40, 40], 1), randomTensor([12, 1, 1, 31], 2), { attributes: { group: 6 } });
  });
});
