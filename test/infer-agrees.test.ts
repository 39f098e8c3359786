import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readTensor } from "../src/formats/onnx/index.js";
import type { Graph, Node, Value, ValueType } from "../src/graph/index.js";
import { SparseTensor } from "../src/layouts/index.js";
import {
  evaluateGraph,
  evaluateNode,
  type InferContext,
  inferNode,
  type Operand,
  operatorOf,
  operators,
} from "../src/ops/index.js";
import { Tensor } from "../src/tensor/index.js";
import { NODE_TESTS, nodeTestNames, readNodeTest } from "./support/node-tests.js";

/** What inference may see of an input: all that a plan for concrete shapes has, the type alone, or names for its dimensions. */
type View = (tensor: Tensor, isShapeInput: boolean) => Operand;

const planned: View = (x, isShapeInput) => ({ type: x, value: isShapeInput ? x : undefined });
const typeOnly: View = (x) => ({ type: { dtype: x.dtype, shape: x.shape } });
const named: View = (x, isShapeInput) => ({
  type: { dtype: x.dtype, shape: x.shape.map((dim, i) => (dim === 1 || i % 2 === 1 ? dim : `d${dim}`)) },
  value: isShapeInput ? x : undefined,
});
const rankless: View = (x, isShapeInput) => ({
  type: { dtype: x.dtype, shape: null },
  value: isShapeInput ? x : undefined,
});

/** Their shapes depend on values that no plan has before it runs. */
const DATA_DEPENDENT = new Set(["NonMaxSuppression"]);

type Lookup = (value: Value) => Operand | undefined;

/** Infers a subgraph with what is known of the values around it. */
function inferGraph(graph: Graph, inputs: readonly Operand[], outer: Lookup): ValueType[] {
  const known = new Map<Value, Operand>(graph.inputs.map((input, i) => [input, inputs[i]!]));
  for (const [value, constant] of graph.constants) {
    const dense = constant instanceof SparseTensor ? constant.toDense() : constant;
    known.set(value, { type: dense, value: dense });
  }
  const lookup: Lookup = (value) => known.get(value) ?? outer(value);
  const context: InferContext = { infer: (inner, operands) => inferGraph(inner, operands, lookup) };
  for (const node of graph.nodes) {
    const operands = node.inputs.map((input) => (input === null ? null : lookup(input)!));
    const types = inferNode(node, operands, operators, context);
    node.outputs.forEach((output, i) => {
      if (output !== null) known.set(output, { type: types[i]! });
    });
  }
  return graph.outputs.map((output) => lookup(output)!.type);
}

/** Calls `visit` with each node of a graph and the tensors that it reads and makes. */
function walk(graph: Graph, feeds: readonly Tensor[], visit: Visitor): void {
  const values = new Map<Value, Tensor>(feeds.map((feed, i) => [graph.inputs[i]!, feed]));
  for (const [value, constant] of graph.constants) {
    if (!values.has(value)) values.set(value, constant instanceof SparseTensor ? constant.toDense() : constant);
  }
  const lookup = (value: Value): Tensor | undefined => values.get(value);
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((input) => (input === null ? null : values.get(input)!));
    const outputs = evaluateNode(node, inputs, operators, {
      run: (inner, operands) => evaluateGraph(inner, operands, operators, lookup),
    });
    node.outputs.forEach((output, i) => {
      if (output !== null) values.set(output, outputs[i]!);
    });
    visit(node, inputs, outputs, lookup);
  }
}
type Visitor = (
  node: Node,
  inputs: readonly (Tensor | null)[],
  outputs: readonly Tensor[],
  lookup: (value: Value) => Tensor | undefined,
) => void;

/** The inputs of a case's first data set; the suite keeps bfloat16 as its bits, in uint16. */
function feedsOf(name: string, graph: Graph): Tensor[] {
  return graph.inputs.flatMap(({ type }, i) => {
    const file = join(NODE_TESTS, name, "test_data_set_0", `input_${i}.pb`);
    if (!existsSync(file)) return [];
    const tensor = readTensor(readFileSync(file), { file });
    return type?.dtype === "bfloat16" ? new Tensor("bfloat16", tensor.shape, tensor.data) : tensor;
  });
}

/** Inference's word for each output against what evaluation made; the first disagreement, or null. */
function disagreement(name: string, view: View, concrete: boolean): string | null {
  let found: string | null = null;
  const { graph } = readNodeTest(name);
  walk(graph, feedsOf(name, graph), (node, inputs, outputs, lookup) => {
    const exact = concrete && !DATA_DEPENDENT.has(node.op);
    const shapeInputs = operatorOf(node, operators).shapeInputs ?? [];
    const operands = inputs.map((x, i) => (x === null ? null : view(x, shapeInputs.includes(i))));
    const context: InferContext = {
      infer: (inner, given) =>
        inferGraph(inner, given, (value) => {
          const tensor = lookup(value);
          return tensor && view(tensor, false);
        }),
    };
    const types = inferNode(node, operands, operators, context);
    const names = new Map<string, number>();
    node.outputs.forEach((output, i) => {
      if (output === null) return;
      const [type, made] = [types[i], outputs[i]!];
      const wrong = (): void => {
        found ??= `${node.op} output ${i}: inferred ${type?.dtype} [${type?.shape}], made ${made.dtype} [${made.shape}]`;
      };
      if (type === undefined || type.dtype !== made.dtype) return wrong();
      if (type.shape === null) return exact ? wrong() : undefined;
      if (type.shape.length !== made.shape.length) return wrong();
      type.shape.forEach((dim, axis) => {
        if (typeof dim === "number" ? dim !== made.shape[axis] : exact) return wrong();
        if (typeof dim !== "string") return;
        // A name has one value: the one that the view gave it, or that it had first.
        const value = /^d\d+$/.test(dim) ? Number(dim.slice(1)) : (names.get(dim) ?? made.shape[axis]!);
        names.set(dim, value);
        if (value !== made.shape[axis]) wrong();
      });
    });
  });
  return found;
}

const names = nodeTestNames();

describe.skipIf(names.length === 0)("shape inference, on the node tests of ../shared", () => {
  const disagreements = (view: View, concrete: boolean): string[] =>
    names.flatMap((name) => {
      let reason: string | null;
      try {
        reason = disagreement(name, view, concrete);
      } catch (error) {
        reason = String(error);
      }
      return reason === null ? [] : [`${name}: ${reason}`];
    });

  it("is exact for concrete shapes and the values of the shape inputs", () => {
    expect(disagreements(planned, true)).toEqual([]);
  });
  it("says nothing wrong when values are unknown", () => {
    expect(disagreements(typeOnly, false)).toEqual([]);
  });
  it("says nothing wrong of named dimensions", () => {
    expect(disagreements(named, false)).toEqual([]);
  });
  it("says nothing wrong of unknown ranks", () => {
    expect(disagreements(rankless, false)).toEqual([]);
  });
});
