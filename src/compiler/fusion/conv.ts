import type { Node } from "../../graph/index.js";
import type { Specialized } from "../specialize.js";
import { type Anchor, fuseEpilogues } from "./epilogue.js";
import type { StepIndex } from "./index-of-steps.js";

/** Conv with a constant weight, and what follows it, becomes ai.nonzero Conv. */
export const fuseConv = (spec: Specialized): Specialized => fuseEpilogues(spec, convAnchor);

function convAnchor(node: Node, index: StepIndex): Anchor | null {
  const [x, w, bias] = node.inputs;
  if (node.op !== "Conv" || node.domain !== "" || !x || !w || index.type(x)?.dtype !== "float32") return null;
  if (!index.spec.constants.has(w)) return null;
  const biasAxis = index.type(x)!.shape.length - 1;
  return { op: "Conv", inputs: [x, w, bias ?? null], attributes: node.attributes, biasAxis };
}
