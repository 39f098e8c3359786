import { type Attribute, attributesOf, type Node, type Value } from "../../graph/index.js";
import type { Pass } from "../pass.js";
import { type GraphIndex, otherInput, rewrite } from "../rewrite.js";

/**
 * Recognizes activations spelled in primitives: Gelu as x·½·(1 + Erf(x/√2)) in any order of the factors, its tanh form
 * x·½·(1 + Tanh(√(2/π)·(x + 0.044715·x³))), and Swish as x·Sigmoid(x).
 */
export const recognizeActivations: Pass = {
  name: "recognize-activations",
  run: (graph) =>
    rewrite(graph, (node, index) => {
      if (node.op !== "Mul" || node.domain !== "") return null;
      const swish = node.inputs.find((input) => {
        const sigmoid = index.madeBy(input, "Sigmoid");
        return sigmoid !== undefined && sigmoid.inputs[0] === otherInput(node, input!);
      });
      if (swish) return [replacement(node, "Swish", otherInput(node, swish)!, {}, 24)];
      const factors = factorsOf(node, index);
      const half = factors.findIndex((factor) => index.isScalar(factor, 0.5));
      if (half < 0 || factors.length !== 3) return null;
      const [a, b] = factors.filter((_, i) => i !== half) as [Value, Value];
      for (const [x, gate] of [
        [a, b],
        [b, a],
      ] as const) {
        const inner = onePlus(gate, index);
        if (inner === null) continue;
        if (isErfOf(inner, x, index)) return [replacement(node, "Gelu", x, {}, 20)];
        if (isTanhOf(inner, x, index))
          return [replacement(node, "Gelu", x, { approximate: { kind: "string", value: "tanh" } }, 20)];
      }
      return null;
    }),
};

const replacement = (
  node: Node,
  op: string,
  x: Value,
  attributes: Readonly<Record<string, Attribute>>,
  version: number,
): Node => ({
  op,
  domain: "",
  version,
  name: node.name,
  inputs: [x],
  outputs: node.outputs,
  attributes: attributesOf(attributes),
});

/** The factors of a product of two or three. */
function factorsOf(node: Node, index: GraphIndex): Value[] {
  const [a, b] = node.inputs as [Value, Value];
  const inner = index.madeBy(a, "Mul");
  if (inner !== undefined) return [...(inner.inputs as Value[]), b];
  const other = index.madeBy(b, "Mul");
  return other !== undefined ? [a, ...(other.inputs as Value[])] : [a, b];
}

/** t of 1 + t. */
function onePlus(value: Value, index: GraphIndex): Value | null {
  const add = index.madeBy(value, "Add");
  if (add === undefined) return null;
  if (index.isScalar(add.inputs[0], 1)) return add.inputs[1]!;
  return index.isScalar(add.inputs[1], 1) ? add.inputs[0]! : null;
}

function isErfOf(value: Value, x: Value, index: GraphIndex): boolean {
  const erf = index.madeBy(value, "Erf");
  const div = index.madeBy(erf?.inputs[0], "Div");
  if (div !== undefined) return div.inputs[0] === x && index.isScalar(div.inputs[1], Math.SQRT2);
  return isScaled(erf?.inputs[0], x, Math.SQRT1_2, index);
}

function isTanhOf(value: Value, x: Value, index: GraphIndex): boolean {
  const tanh = index.madeBy(value, "Tanh");
  const mul = index.madeBy(tanh?.inputs[0], "Mul");
  const sum = mul?.inputs.find((input) => index.madeBy(input, "Add") !== undefined);
  if (!sum || !index.isScalar(otherInput(mul!, sum), Math.sqrt(2 / Math.PI))) return false;
  const add = index.madeBy(sum, "Add")!;
  const cubic = add.inputs.find((input) => input !== x);
  if (!add.inputs.includes(x) || !cubic) return false;
  const product = index.madeBy(cubic, "Mul");
  const cube = product?.inputs.find((input) => isCube(input!, x, index));
  return cube != null && index.isScalar(otherInput(product!, cube), 0.044715);
}

function isCube(value: Value, x: Value, index: GraphIndex): boolean {
  const pow = index.madeBy(value, "Pow");
  if (pow !== undefined) return pow.inputs[0] === x && index.isScalar(pow.inputs[1], 3);
  const mul = index.madeBy(value, "Mul");
  if (mul === undefined || !mul.inputs.includes(x)) return false;
  const square = index.madeBy(otherInput(mul, x), "Mul");
  return square?.inputs.every((input) => input === x) === true;
}

function isScaled(value: Value | null | undefined, x: Value, factor: number, index: GraphIndex): boolean {
  const mul = index.madeBy(value, "Mul");
  return mul?.inputs.includes(x) === true && index.isScalar(otherInput(mul, x), factor);
}
