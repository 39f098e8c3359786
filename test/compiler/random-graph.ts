import type { Graph, Value } from "../../src/graph/index.js";
import { sizeOf, type Tensor } from "../../src/tensor/index.js";
import { randomSource, randomTensor } from "../support/random.js";
import { Primitives } from "./support.js";

/** A value of a random graph, how large its elements may be, and by how much rounding to float32 may have moved them. */
interface Made {
  readonly value: Value;
  readonly shape: readonly number[];
  readonly bound: number;
  readonly error: number;
}

/** A random graph, its feeds, and for each output how far two orders of float32 arithmetic may lie apart. */
export interface RandomGraph {
  readonly graph: Graph;
  readonly feeds: readonly Tensor[];
  readonly tolerances: readonly number[];
}

const UNIT = 2 ** -23;
/** Functions of the device are good to this many units in the last place. */
const FUNCTION_UNITS = 8;

const made = (value: Value, shape: readonly number[], bound: number, error: number): Made => ({
  value,
  shape,
  bound,
  error: error + FUNCTION_UNITS * UNIT * bound,
});

/** Names of the operations that a random graph may hold. */
export const OPERATIONS = [
  "unary",
  "add",
  "multiply",
  "scale",
  "shift",
  "transpose",
  "merge axes",
  "split axis",
  "unsqueeze",
  "squeeze",
  "linear",
  "product",
  "conv",
  "layer norm",
  "gelu",
  "swish",
  "hard swish",
  "slice",
  "concat",
  "softmax",
  "attention",
] as const;
export type Operation = (typeof OPERATIONS)[number];

/** Applies `operations` one after the other, each to values drawn with `seed`; those that fit none are left out. */
export function randomGraph(operations: readonly Operation[], seed: number): RandomGraph {
  const random = randomSource(seed);
  const draw = (below: number): number => Math.floor(random() * below);
  const pick = <T>(list: readonly T[]): T => list[draw(list.length)]!;
  const b = new Primitives();
  const shapes = [
    [2, 3, 4, 6],
    [2, 5, 8],
  ];
  const feeds = shapes.map((shape) => randomTensor(random, shape));
  const pool = shapes.map((shape, i) => made(b.input(`x${i}`, "float32", shape), shape, 1, 0));
  for (const operation of operations) {
    // Mostly the newest value, so that chains form.
    const x = random() < 0.6 ? pool[pool.length - 1]! : pick(pool);
    const result = x.bound < 1e3 && sizeOf(x.shape) < 2000 ? APPLY[operation](b, x, { draw, random, pool }) : null;
    if (result !== null) pool.push(result);
  }
  const last = pool[pool.length - 1]!;
  const outputs = [last, ...pool.slice(2, -1).filter(() => random() < 0.15)];
  for (const { value } of outputs) b.output(value);
  return { graph: b.build(), feeds, tolerances: outputs.map(({ error }) => 2 * error) };
}

interface Choices {
  readonly draw: (below: number) => number;
  readonly random: () => number;
  readonly pool: readonly Made[];
}

type Apply = (b: Primitives, x: Made, choices: Choices) => Made | null;

const last = (shape: readonly number[]): number => shape[shape.length - 1] ?? 1;

/** Multiplication of x by something of at most `bound`, given to within `error`. */
const product = (value: Value, x: Made, bound: number, error: number, shape = x.shape): Made =>
  made(value, shape, x.bound * bound, x.error * (bound + error) + error * x.bound);

const moved = (value: Value, shape: readonly number[], x: Made): Made => ({ ...x, value, shape });

const APPLY: Readonly<Record<Operation, Apply>> = {
  unary(b, x, { draw }) {
    const op = ["Relu", "Tanh", "Sigmoid", "Neg", "Abs"][draw(5)]!;
    return made(b.add(op, [x.value]), x.shape, op === "Tanh" || op === "Sigmoid" ? 1 : x.bound, x.error);
  },
  add(b, x, { draw, pool }) {
    const fitting = pool.filter(({ shape }) => shape.join() === x.shape.join());
    const y = fitting[draw(fitting.length)]!;
    return made(b.add(draw(2) ? "Add" : "Sub", [x.value, y.value]), x.shape, x.bound + y.bound, x.error + y.error);
  },
  multiply(b, x, { draw, pool }) {
    const fitting = pool.filter(({ shape }) => shape.join() === x.shape.join());
    const y = fitting[draw(fitting.length)]!;
    return product(b.add("Mul", [x.value, y.value]), x, y.bound, y.error);
  },
  scale(b, x, { draw }) {
    const [op, factor] = [draw(2) ? "Mul" : "Div", draw(2) ? 0.5 : 1.75];
    return product(b.add(op, [x.value, b.scalar(factor)]), x, 2, 0);
  },
  shift(b, x, { random }) {
    const bias = randomTensor(random, [last(x.shape)]);
    return made(b.add("Add", [b.constant(bias), x.value]), x.shape, x.bound + 1, x.error);
  },
  transpose(b, x, { random }) {
    const order = x.shape.map((_, axis) => ({ axis, at: random() })).sort((p, q) => p.at - q.at);
    const perm = order.map(({ axis }) => axis);
    return moved(
      b.transpose(x.value, ...perm),
      perm.map((axis) => x.shape[axis]!),
      x,
    );
  },
  "merge axes"(b, x, { draw }) {
    if (x.shape.length < 2) return null;
    const axis = draw(x.shape.length - 1);
    const shape = [...x.shape.slice(0, axis), x.shape[axis]! * x.shape[axis + 1]!, ...x.shape.slice(axis + 2)];
    return moved(b.reshape(x.value, ...shape), shape, x);
  },
  "split axis"(b, x, { draw }) {
    const axis = draw(x.shape.length);
    const dim = x.shape[axis] ?? 1;
    if (dim % 2 !== 0 || x.shape.length > 4) return null;
    const shape = [...x.shape.slice(0, axis), 2, dim / 2, ...x.shape.slice(axis + 1)];
    return moved(b.reshape(x.value, ...shape), shape, x);
  },
  unsqueeze(b, x, { draw }) {
    if (x.shape.length > 4) return null;
    const axis = draw(x.shape.length + 1);
    return moved(b.add("Unsqueeze", [x.value, b.ints(axis)]), x.shape.toSpliced(axis, 0, 1), x);
  },
  squeeze(b, x) {
    const axis = x.shape.indexOf(1);
    if (axis < 0) return null;
    return moved(b.add("Squeeze", [x.value, b.ints(axis)]), x.shape.toSpliced(axis, 1), x);
  },
  linear(b, x, { draw, random }) {
    if (x.shape.length < 2) return null;
    const [inputs, outputs] = [last(x.shape), 1 + draw(8)];
    const weight = randomTensor(random, [inputs, outputs]);
    const y = b.add("MatMul", [x.value, b.constant(weight)]);
    return product(y, x, inputs, inputs * UNIT * inputs, [...x.shape.slice(0, -1), outputs]);
  },
  product(b, x, { draw }) {
    const rank = x.shape.length;
    if (rank < 2) return null;
    const perm = x.shape.map((_, axis) => (axis < rank - 2 ? axis : 2 * rank - 3 - axis));
    const turned = b.transpose(x.value, ...perm);
    const before = draw(2) === 1;
    const [k, rows] = before ? [x.shape[rank - 2]!, last(x.shape)] : [last(x.shape), x.shape[rank - 2]!];
    const y = b.add("MatMul", before ? [turned, x.value] : [x.value, turned]);
    return product(y, x, k * x.bound, k * (x.error + k * UNIT * x.bound), [...x.shape.slice(0, -2), rows, rows]);
  },
  conv(b, x, { draw, random }) {
    if (x.shape.length !== 4) return null;
    const [batch, channels, height, width] = x.shape as [number, number, number, number];
    const outputs = 1 + draw(4);
    const weight = randomTensor(random, [outputs, channels, 3, 3]);
    const bias = draw(2) ? [b.constant(randomTensor(random, [outputs]))] : [];
    const y = b.add("Conv", [x.value, b.constant(weight), ...bias], { pads: [1, 1, 1, 1], kernel_shape: [3, 3] });
    const taps = 9 * channels;
    return product(y, { ...x, bound: x.bound + 1 }, taps, taps * UNIT * taps, [batch, outputs, height, width]);
  },
  "layer norm"(b, x, { random }) {
    const size = last(x.shape);
    if (size < 2) return null;
    const epsilon = 0.25;
    const mean = b.add("ReduceMean", [x.value], { axes: [-1], keepdims: 1 }, { version: 13 });
    const d = b.add("Sub", [x.value, mean]);
    const variance = b.add("ReduceMean", [b.add("Mul", [d, d])], { axes: [-1], keepdims: 1 }, { version: 13 });
    const root = b.add("Sqrt", [b.add("Add", [variance, b.scalar(epsilon)])]);
    const [gamma, beta] = [0, 1].map(() => b.constant(randomTensor(random, [size])));
    const y = b.add("Add", [b.add("Mul", [b.add("Div", [d, root]), gamma!]), beta!]);
    // d/√(var + ε) changes by at most (1 + size) / √ε of what x does.
    const slope = (1 + size) / Math.sqrt(epsilon);
    return made(y, x.shape, Math.sqrt(size) + 1, slope * (x.error + size * UNIT * x.bound));
  },
  gelu(b, x) {
    const gate = b.add("Add", [b.add("Erf", [b.add("Div", [x.value, b.scalar(Math.SQRT2)])]), b.scalar(1)]);
    const y = b.add("Mul", [b.add("Mul", [x.value, gate]), b.scalar(0.5)]);
    return made(y, x.shape, x.bound, 1.2 * x.error + 8 * UNIT * x.bound);
  },
  swish(b, x) {
    return made(
      b.add("Mul", [x.value, b.add("Sigmoid", [x.value])]),
      x.shape,
      x.bound,
      1.2 * x.error + 8 * UNIT * x.bound,
    );
  },
  "hard swish"(b, x) {
    const gate = b.add("Clip", [b.add("Add", [x.value, b.scalar(3)]), b.scalar(0), b.scalar(6)]);
    const y = b.add("Div", [b.add("Mul", [x.value, gate]), b.scalar(6)]);
    return made(y, x.shape, x.bound + 1, 2 * x.error + 8 * UNIT * x.bound);
  },
  slice(b, x, { draw }) {
    const axis = draw(x.shape.length);
    const dim = x.shape[axis] ?? 1;
    if (dim < 2) return null;
    const [start, step] = [draw(2), 1 + draw(2)];
    const shape = x.shape.with(axis, Math.ceil((dim - start) / step));
    return moved(b.slice(x.value, axis, start, dim, step), shape, x);
  },
  concat(b, x, { draw }) {
    const axis = draw(x.shape.length);
    if (x.shape.length === 0) return null;
    return moved(b.concat(axis, x.value, x.value), x.shape.with(axis, 2 * x.shape[axis]!), x);
  },
  softmax(b, x) {
    if (x.shape.length === 0) return null;
    return made(
      b.add("Softmax", [x.value], { axis: -1 }),
      x.shape,
      1,
      2 * x.error + last(x.shape) * UNIT * (1 + x.bound),
    );
  },
  attention(b, x) {
    if (x.shape.length !== 4) return null;
    const [, , rows, size] = x.shape as [number, number, number, number];
    const scores = b.add("Mul", [b.add("MatMul", [x.value, b.transpose(x.value, 0, 1, 3, 2)]), b.scalar(0.25)]);
    const y = b.add("MatMul", [b.add("Softmax", [scores], { axis: -1 }), x.value]);
    const scoreError = 0.5 * size * x.bound * x.error + size * size * UNIT * x.bound ** 2;
    return made(y, x.shape, x.bound, x.error + 2 * rows * x.bound * (scoreError + rows * UNIT));
  },
};
