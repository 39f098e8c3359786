import type { Node, Value } from "../../graph/index.js";
import { attributesOf } from "../../graph/index.js";
import type { Pass } from "../pass.js";
import { type GraphIndex, isClosed, otherInput, rewrite } from "../rewrite.js";

/**
 * Recognizes layer normalization over the last axis spelled in primitives, as exporters before opset 17 wrote it:
 *
 *     d = x - ReduceMean(x);  y = d / Sqrt(ReduceMean(d² ) + ε)  [· γ  [+ β]]
 *
 * and RMS normalization: y = x / Sqrt(ReduceMean(x²) + ε) · γ, also as x · Reciprocal(Sqrt(…)) or x · 1/Sqrt(…).
 */
export const recognizeLayerNorm: Pass = {
  name: "recognize-layer-norm",
  run: (graph) =>
    rewrite(graph, (node, index) => {
      if (node.domain !== "" || (node.op !== "Add" && node.op !== "Mul")) return null;
      const scaled = node.op === "Add" ? scaledBy(node, index) : { mul: node, beta: null };
      if (scaled === null) return null;
      const match = normalized(scaled.mul, index);
      if (match === null) return null;
      const { x, gamma, epsilon, centred } = match;
      if (!centred && scaled.beta !== null) return null;
      if (!isClosed(node, x, index)) return null;
      // γ · (…) is replaced on its own where β does not follow; where it does, the Add's match covers it and this one dies.
      const attributes = attributesOf({ axis: -1, epsilon: { kind: "float", value: epsilon } });
      const op = centred ? "LayerNormalization" : "RMSNormalization";
      const inputs: Value[] = [x, gamma];
      if (scaled.beta !== null) inputs.push(scaled.beta);
      return [
        { op, domain: "", version: centred ? 17 : 23, name: node.name, inputs, outputs: node.outputs, attributes },
      ];
    }),
};

/** Add(Mul, β) with a constant vector β. */
function scaledBy(add: Node, index: GraphIndex): { mul: Node; beta: Value } | null {
  for (const input of add.inputs) {
    const mul = index.madeBy(input, "Mul");
    const beta = otherInput(add, input!);
    if (mul !== undefined && isVector(beta, index)) return { mul, beta: beta! };
  }
  return null;
}

function normalized(
  mul: Node,
  index: GraphIndex,
): { x: Value; gamma: Value; epsilon: number; centred: boolean } | null {
  for (const input of mul.inputs) {
    const gamma = otherInput(mul, input!);
    if (!isVector(gamma, index)) continue;
    const quotient = quotientOf(input!, index);
    if (quotient === null) continue;
    const { over, root } = quotient;
    const sum = index.madeBy(root.inputs[0], "Add");
    if (sum === undefined) continue;
    const epsilon = index.scalar(sum.inputs[1]) ?? index.scalar(sum.inputs[0]);
    const mean = index.madeBy(sum.inputs[0], "ReduceMean") ?? index.madeBy(sum.inputs[1], "ReduceMean");
    if (epsilon === undefined || mean === undefined || !overLastAxis(mean, index)) continue;
    if (squareOf(mean.inputs[0]!, index) !== over) continue;
    const sub = index.madeBy(over, "Sub");
    const centre = index.madeBy(sub?.inputs[1], "ReduceMean");
    if (
      sub !== undefined &&
      centre !== undefined &&
      centre.inputs[0] === sub.inputs[0] &&
      overLastAxis(centre, index)
    ) {
      return { x: sub.inputs[0]!, gamma: gamma!, epsilon, centred: true };
    }
    return { x: over, gamma: gamma!, epsilon, centred: false };
  }
  return null;
}

/** over / Sqrt(…), or over · Reciprocal(Sqrt(…)), or over · (1 / Sqrt(…)). */
function quotientOf(value: Value, index: GraphIndex): { over: Value; root: Node } | null {
  const div = index.madeBy(value, "Div");
  if (div !== undefined) {
    const root = index.madeBy(div.inputs[1], "Sqrt");
    return root === undefined ? null : { over: div.inputs[0]!, root };
  }
  const mul = index.madeBy(value, "Mul");
  for (const input of mul?.inputs ?? []) {
    const inverse = index.madeBy(input, "Reciprocal");
    const one = index.madeBy(input, "Div");
    const under = inverse?.inputs[0] ?? (one && index.isScalar(one.inputs[0], 1) ? one.inputs[1] : undefined);
    const root = index.madeBy(under, "Sqrt");
    if (root !== undefined) return { over: otherInput(mul!, input!)!, root };
  }
  return null;
}

function squareOf(value: Value, index: GraphIndex): Value | null {
  const pow = index.madeBy(value, "Pow");
  if (pow !== undefined && index.isScalar(pow.inputs[1], 2)) return pow.inputs[0]!;
  const mul = index.madeBy(value, "Mul");
  return mul !== undefined && mul.inputs[0] === mul.inputs[1] ? mul.inputs[0]! : null;
}

function overLastAxis(mean: Node, index: GraphIndex): boolean {
  const keep = mean.attributes.get("keepdims");
  if (keep?.kind === "int" && keep.value === 0) return false;
  const attribute = mean.attributes.get("axes");
  const axes = attribute?.kind === "ints" ? [...attribute.value] : index.tensor(mean.inputs[1])?.numbers();
  if (axes?.length !== 1) return false;
  const rank = rankOf(mean.inputs[0], index);
  return axes[0] === -1 || (rank !== undefined && axes[0] === rank - 1);
}

const isVector = (value: Value | null, index: GraphIndex): boolean => index.constant(value)?.shape.length === 1;

/** A value's rank, where its type or the types of what it is computed from in a few steps tell. */
function rankOf(value: Value | null | undefined, index: GraphIndex, steps = 3): number | undefined {
  const known = index.constant(value)?.shape.length ?? value?.type?.shape?.length;
  const node = index.producer(value);
  if (known !== undefined || node === undefined || steps === 0) return known;
  if (node.op === "ReduceMean") {
    const keep = node.attributes.get("keepdims");
    return keep?.kind === "int" && keep.value === 0 ? undefined : rankOf(node.inputs[0], index, steps - 1);
  }
  if (!["Sub", "Mul", "Pow"].includes(node.op)) return undefined;
  const ranks = node.inputs.map((input) => rankOf(input, index, steps - 1));
  return ranks.includes(undefined) ? undefined : Math.max(...(ranks as number[]));
}
