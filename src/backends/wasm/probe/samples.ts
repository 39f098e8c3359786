import { type AttributeLike, type Constant, type Graph, GraphBuilder, type Value } from "../../../graph/index.js";
import { bestLayout, fromMatrix, SparseTensor } from "../../../layouts/index.js";
import { type Matrix, parsePattern } from "../../../sparsity/index.js";
import { sizeOf, Tensor } from "../../../tensor/index.js";

/** A graph of one node whose time calibrates a family, and the shapes of its inputs (float32). */
export interface Sample {
  readonly name: string;
  readonly graph: Graph;
  readonly shapes: readonly (readonly number[])[];
}

/** Uniform numbers in [-1, 1), the same each time: Lehmer's generator (1951). */
export function noise(count: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length: count }, () => {
    state = (state * 48271) % 2147483647;
    return state / 2 ** 30 - 1;
  });
}

/** A constant weight pruned by magnitude, as a tensor of this shape whose matrix `perm` makes. */
export function weightOf(
  rows: number,
  cols: number,
  shape: readonly number[],
  perm: readonly number[],
  text: string,
): Constant {
  const pattern = parsePattern(text);
  const data = noise(rows * cols);
  if (pattern.kind === "dense") return new Tensor("float32", shape, data);
  const matrix: Matrix = { rows, cols, data };
  const mask = pattern.select({ ...matrix, data: data.map(Math.abs) });
  const layout = bestLayout(mask, pattern);
  return layout === null
    ? fromMatrix(matrix, shape, perm, "float32")
    : new SparseTensor(shape, perm, layout.encode(matrix, mask));
}

/** y [tokens, rows] = x [tokens, depth] · Wᵀ, W random under a pattern. */
export const product = (rows: number, depth: number, tokens: number, pattern: string): Sample =>
  productWith(weightOf(rows, depth, [depth, rows], [1, 0], pattern), tokens, pattern);

/** y [tokens, rows] = x [tokens, depth] · W, W [depth, rows]. */
export function productWith(weight: Constant, tokens: number, name: string): Sample {
  const [depth, rows] = weight.shape as [number, number];
  return sample(`${rows}×${depth}·${tokens} ${name}`, [[tokens, depth]], (b, [x]) =>
    b.add("MatMul", [x!, b.constant(weight)]),
  );
}

/** A convolution over a square image that keeps its size. */
export function convolution(outputs: number, channels: number, side: number, kernel: number, pattern: string): Sample {
  const shape = [outputs, channels, kernel, kernel];
  const pads = new Array<number>(4).fill((kernel - 1) / 2);
  return sample(`${outputs}×${channels}·${kernel}² ${side}² ${pattern}`, [[1, channels, side, side]], (b, [x]) => {
    const weight = weightOf(outputs, channels * kernel ** 2, shape, [0, 2, 3, 1], pattern);
    return b.add("Conv", [x!, b.constant(weight)], { pads });
  });
}

/** A convolution of each channel with a kernel of its own. */
export const depthwise = (channels: number, side: number): Sample =>
  sample(`depthwise ${channels} ${side}²`, [[1, channels, side, side]], (b, [x]) => {
    const weight = new Tensor("float32", [channels, 1, 3, 3], noise(9 * channels));
    return b.add("Conv", [x!, b.constant(weight)], { pads: [1, 1, 1, 1], group: channels });
  });

/** A node of one operator (opset `version`), its inputs of these shapes and after them constants of those. */
export const operation = (
  op: string,
  version: number,
  shapes: readonly (readonly number[])[],
  attributes: Readonly<Record<string, AttributeLike>> = {},
  constants: readonly (readonly number[])[] = [],
): Sample =>
  sample(`${op} ${shapes.map((shape) => shape.join("×")).join(", ")}`, shapes, (b, inputs) => {
    const fixed = constants.map((shape) => b.constant(new Tensor("float32", shape, noise(sizeOf(shape)))));
    return b.add(op, [...inputs, ...fixed], attributes, { version });
  });

function sample(
  name: string,
  shapes: readonly (readonly number[])[],
  body: (b: GraphBuilder, inputs: readonly Value[]) => Value,
): Sample {
  const b = new GraphBuilder(name);
  const inputs = shapes.map((shape, i) => b.input(`x${i}`, "float32", shape));
  b.output(body(b, inputs), "y");
  return { name, graph: b.build(), shapes };
}
