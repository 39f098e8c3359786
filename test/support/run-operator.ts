import { type AttributeLike, attributesOf, type Graph, type Node, Value } from "../../src/graph/index.js";
import { evaluateGraph, evaluateNode, inferNode, type Operand, operators } from "../../src/ops/index.js";
import { type DataType, Tensor } from "../../src/tensor/index.js";

export interface RunOptions {
  readonly version?: number;
  readonly outputs?: number;
  readonly domain?: string;
}

/** A node of `op` on its own. */
export function nodeOf(
  op: string,
  inputs: number,
  attributes: Readonly<Record<string, AttributeLike | { kind: "graph"; value: Graph }>> = {},
  options: RunOptions = {},
): Node {
  const values = (count: number, name: string): Value[] =>
    Array.from({ length: count }, (_, i) => new Value(`${name}${i}`));
  return {
    op,
    domain: options.domain ?? "",
    version: options.version ?? 21,
    name: op,
    inputs: values(inputs, "x"),
    outputs: values(options.outputs ?? 1, "y"),
    attributes: attributesOf(attributes),
  };
}

/**
 * Evaluates an operator without subgraph inference, and checks that its inference, given all values, says the same of
 * the outputs' dtypes and shapes.
 */
export function run(
  op: string,
  inputs: readonly (Tensor | null)[],
  attributes: Readonly<Record<string, AttributeLike>> = {},
  options: RunOptions = {},
): readonly Tensor[] {
  const node = nodeOf(op, inputs.length, attributes, options);
  const outputs = evaluateNode(node, inputs, operators, {
    run: (graph, feeds) => evaluateGraph(graph, feeds, operators),
  });
  const operands = inputs.map((x) => (x === null ? null : { type: x, value: x }));
  const types = infer(node, operands);
  for (let i = 0; i < node.outputs.length; i++) {
    const [type, made] = [types[i]!, outputs[i]!];
    if (type.dtype !== made.dtype || `${type.shape}` !== `${made.shape}`)
      throw new Error(`${op} infers ${type.dtype} [${type.shape}] and makes ${made.dtype} [${made.shape}]`);
  }
  return outputs;
}

export const infer = (node: Node, operands: readonly (Operand | null)[]): ReturnType<typeof inferNode> =>
  inferNode(node, operands, operators, {
    infer: () => {
      throw new Error("no subgraph is expected");
    },
  });

/** A tensor from nested lists of numbers or strings. */
export function tensor(dtype: DataType, nested: unknown): Tensor {
  const shape: number[] = [];
  for (let at = nested; Array.isArray(at); at = at[0]) shape.push(at.length);
  const flat = [nested].flat(Number.POSITIVE_INFINITY);
  return dtype === "string" ? new Tensor(dtype, shape, flat as string[]) : Tensor.from(dtype, shape, flat as number[]);
}

export const ints = (...values: number[]): Tensor => Tensor.from("int64", [values.length], values);

/** The elements as nested lists. */
export function nestedOf(x: Tensor): unknown {
  const flat: unknown[] = x.dtype === "string" ? [...x.strings()] : Array.from(x.numbers());
  let list = flat;
  for (const dim of x.shape.slice(1).reverse()) {
    list = Array.from({ length: list.length / dim }, (_, i) => list.slice(i * dim, (i + 1) * dim));
  }
  return x.shape.length === 0 ? flat[0] : list;
}
