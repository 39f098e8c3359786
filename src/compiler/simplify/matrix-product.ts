import type { Node, Value } from "../../graph/index.js";
import { scaledOnce } from "./attention.js";
import { permOf } from "./renames.js";
import type { StepGraph, StepRule } from "./step-graph.js";

/**
 * Products of two activations take Transposes of the last two axes and scalar factors, of their operands and of their result, into
 * com.microsoft FusedMatMul.
 */
export const absorbIntoProducts: StepRule = (node, graph) => {
  const own = productOf(node, graph);
  if (own !== null) return absorbOperands(node, own, graph);
  const output = node.outputs[0];
  if (node.domain !== "" || (node.op !== "Mul" && node.op !== "Div") || !output) return null;
  const step = scaledOf(node, graph);
  const inner = step === null ? undefined : graph.producer(step.value);
  const product = inner === undefined ? null : productOf(inner, graph);
  if (step === null || product === null || graph.uses(step.value) !== 1) return null;
  return [fused(inner!, { ...product, alpha: product.alpha * step.factor }, output, graph)];
};

interface Product {
  readonly a: Value;
  readonly b: Value;
  readonly transA: boolean;
  readonly transB: boolean;
  readonly alpha: number;
}

/** A MatMul or FusedMatMul of two float32 activations with two axes or more. */
function productOf(node: Node, graph: StepGraph): Product | null {
  const plain = node.domain === "" && node.op === "MatMul";
  const already = node.domain === "com.microsoft" && node.op === "FusedMatMul";
  if (!plain && !already) return null;
  const [a, b] = node.inputs as [Value, Value];
  for (const operand of [a, b]) {
    const { dtype, shape } = graph.type(operand);
    if (graph.isConstant(operand) || dtype !== "float32" || shape.length < 2) return null;
  }
  const number = (name: string, fallback: number): number => Number(node.attributes.get(name)?.value ?? fallback);
  if (number("transBatchA", 0) !== 0 || number("transBatchB", 0) !== 0) return null;
  return { a, b, transA: number("transA", 0) !== 0, transB: number("transB", 0) !== 0, alpha: number("alpha", 1) };
}

function absorbOperands(node: Node, product: Product, graph: StepGraph): Node[] | null {
  const a = through(product.a, graph);
  const b = through(product.b, graph);
  if (a.value === product.a && b.value === product.b) return null;
  const { transA, transB, alpha } = product;
  const next = {
    a: a.value,
    b: b.value,
    transA: transA !== a.transposed,
    transB: transB !== b.transposed,
    alpha: alpha * a.factor * b.factor,
  };
  return [fused(node, next, node.outputs[0]!, graph)];
}

/** What lies behind scalar factors and Transposes of the last two axes. */
function through(operand: Value, graph: StepGraph): { value: Value; transposed: boolean; factor: number } {
  let value = operand;
  let transposed = false;
  let factor = 1;
  for (;;) {
    const step = scaledOnce(value, graph);
    const transpose = graph.madeBy(value, "Transpose");
    if (step !== null) {
      value = step.value;
      factor *= step.factor;
    } else if (transpose !== undefined && swapsLastTwo(transpose, graph)) {
      value = transpose.inputs[0]!;
      transposed = !transposed;
    } else
      return graph.isConstant(value) ? { value: operand, transposed: false, factor: 1 } : { value, transposed, factor };
  }
}

function swapsLastTwo(transpose: Node, graph: StepGraph): boolean {
  const rank = graph.shape(transpose.inputs[0]!).length;
  const perm = permOf(transpose, rank);
  return perm.every((axis, i) => axis === (i < rank - 2 ? i : 2 * rank - 3 - i));
}

/** What a Mul or Div by a scalar constant multiplies. */
const scaledOf = (node: Node, graph: StepGraph): { value: Value; factor: number } | null => {
  const output = node.outputs[0]!;
  return graph.producer(output) === node ? scaledOnce(output, graph) : null;
};

function fused(like: Node, { a, b, transA, transB, alpha }: Product, output: Value, graph: StepGraph): Node {
  const attributes = {
    transA: Number(transA),
    transB: Number(transB),
    alpha: { kind: "float", value: alpha } as const,
  };
  return graph.node("FusedMatMul", [a, b], attributes, like.name, {
    domain: "com.microsoft",
    version: 1,
    outputs: [output],
  });
}
