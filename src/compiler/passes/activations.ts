import { type Attribute, attributesOf, type Node, type Value } from "../../graph/index.js";
import type { Pass } from "../pass.js";
import { type GraphIndex, isClosed, otherInput, rewrite } from "../rewrite.js";

/**
 * Recognizes activations spelled in primitives: Gelu as x·½·(1 + Erf(x/√2)) in any order of the factors, its tanh form
 * x·½·(1 + Tanh(√(2/π)·(x + 0.044715·x³))), Swish as x·Sigmoid(α·x), and HardSwish as x·Clip(x + 3, 0, 6)/6.
 */
export const recognizeActivations: Pass = {
  name: "recognize-activations",
  run: (graph) =>
    rewrite(graph, (node, index) => {
      if (node.domain !== "") return null;
      if (node.op === "Mul" || node.op === "Div") {
        const x = hardSwishOf(node, index);
        if (x !== null) return isClosed(node, x, index) ? [replacement(node, "HardSwish", x, {}, 22)] : null;
      }
      if (node.op !== "Mul") return null;
      for (const input of node.inputs) {
        const x = otherInput(node, input!)!;
        const alpha = sigmoidOf(input!, x, index);
        if (alpha === null || !isClosed(node, x, index)) continue;
        return [replacement(node, "Swish", x, alpha === 1 ? {} : { alpha: { kind: "float", value: alpha } }, 24)];
      }
      const factors = factorsOf(node, index);
      const half = factors.findIndex((factor) => index.isScalar(factor, 0.5));
      if (half < 0 || factors.length !== 3) return null;
      const [a, b] = factors.filter((_, i) => i !== half) as [Value, Value];
      for (const [x, gate] of [
        [a, b],
        [b, a],
      ] as const) {
        const inner = onePlus(gate, index);
        if (inner === null || !isClosed(node, x, index)) continue;
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

/** α of Sigmoid(α · x). */
function sigmoidOf(value: Value, x: Value, index: GraphIndex): number | null {
  const inner = index.madeBy(value, "Sigmoid")?.inputs[0];
  if (inner === x) return 1;
  const mul = index.madeBy(inner, "Mul");
  return mul?.inputs.includes(x) ? (index.scalar(otherInput(mul, x)) ?? null) : null;
}

/** x of x · Clip(x + 3, 0, 6) / 6, the division before or after the product, or of x · HardSigmoid(x) with α = 1/6, β = 1/2. */
function hardSwishOf(node: Node, index: GraphIndex): Value | null {
  const divided = node.op === "Div";
  if (divided && !index.isScalar(node.inputs[1], 6)) return null;
  const mul = divided ? index.madeBy(node.inputs[0], "Mul") : node;
  for (const gate of mul?.inputs ?? []) {
    const x = otherInput(mul!, gate!)!;
    if (isClipped(gate!, x, divided, index)) return x;
  }
  return null;
}

/** True for Clip(x + 3, 0, 6), divided by 6 unless `whole`; or its like as HardSigmoid. */
function isClipped(value: Value, x: Value, whole: boolean, index: GraphIndex): boolean {
  const hard = index.madeBy(value, "HardSigmoid");
  if (hard !== undefined && !whole) {
    const [alpha, beta] = [hard.attributes.get("alpha")?.value ?? 0.2, hard.attributes.get("beta")?.value ?? 0.5];
    return hard.inputs[0] === x && Math.abs(Number(alpha) - 1 / 6) < 1e-6 && beta === 0.5;
  }
  const div = index.madeBy(value, "Div");
  if (!whole && !(div !== undefined && index.isScalar(div.inputs[1], 6))) return false;
  const clip = index.madeBy(whole ? value : div!.inputs[0], "Clip");
  if (clip === undefined || !isClip(clip, 0, 6, index)) return false;
  const add = index.madeBy(clip.inputs[0], "Add");
  return add?.inputs.includes(x) === true && index.isScalar(otherInput(add, x), 3);
}

function isClip(clip: Node, low: number, high: number, index: GraphIndex): boolean {
  const bound = (input: number, name: string): number | undefined =>
    clip.inputs[input] ? index.scalar(clip.inputs[input]) : Number(clip.attributes.get(name)?.value);
  return bound(1, "min") === low && bound(2, "max") === high;
}

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
