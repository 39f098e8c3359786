import { attributesOf, type Node } from "../../graph/index.js";
import { Tensor } from "../../tensor/index.js";
import type { Specialized } from "../specialize.js";
import { type Anchor, fuseEpilogues } from "./epilogue.js";
import type { StepIndex } from "./index-of-steps.js";

/** MatMul and Gemm with a constant weight, and what follows them, become ai.nonzero Linear. */
export const fuseLinear = (spec: Specialized): Specialized => fuseEpilogues(spec, linearAnchor);

function linearAnchor(node: Node, index: StepIndex): Anchor | null {
  if (node.domain !== "") return null;
  const [x, w, c] = node.inputs;
  if (!x || !w || index.type(x)?.dtype !== "float32") return null;
  const weight = index.spec.constants.get(w);
  if (weight === undefined || weight.shape.length !== 2 || index.spec.constants.has(x)) return null;
  if (node.op === "MatMul" && index.type(x)!.shape.length >= 2) {
    return { op: "Linear", inputs: [x, w, null], attributes: attributesOf({ transB: 0 }), biasAxis: 1 };
  }
  if (node.op !== "Gemm" || number(node, "alpha", 1) !== 1 || number(node, "transA", 0) !== 0) return null;
  const bias = c ? index.spec.constants.get(c) : undefined;
  const transB = number(node, "transB", 0);
  const outputs = weight.shape[transB ? 0 : 1]!;
  if (
    c &&
    (number(node, "beta", 1) !== 1 ||
      !(bias instanceof Tensor) ||
      bias.size !== outputs ||
      bias.shape[bias.shape.length - 1] !== outputs)
  )
    return null;
  return { op: "Linear", inputs: [x, w, c ?? null], attributes: attributesOf({ transB }), biasAxis: 1 };
}

function number(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes.get(name);
  return attribute?.kind === "int" || attribute?.kind === "float" ? attribute.value : fallback;
}
