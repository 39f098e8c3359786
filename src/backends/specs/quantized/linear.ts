import type { Node } from "../../../graph/index.js";
import { type LinearSpec, linearSpec } from "../matmul/linear.js";
import type { NodeContext } from "../node.js";
import { type QuantizedForm, quantizedForm, quantizedMatrix } from "./form.js";

/** Y = W · X for a quantized W that leaves nothing out, X and Y float32. */
export interface QuantizedLinearSpec extends LinearSpec {
  readonly form: QuantizedForm;
}

/** What a MatMul, Gemm, FusedMatMul or Linear with a quantized weight multiplies; null for all other nodes. */
export function quantizedLinearSpec(node: Node, at: NodeContext): QuantizedLinearSpec | null {
  const quantized = node.inputs.some((input) => input !== null && quantizedMatrix(at.constant(input)) !== null);
  const spec = quantized ? linearSpec(node, at) : null;
  if (spec === null) return null;
  const stored = quantizedMatrix(at.constant(node.inputs[spec.weight]!));
  return stored && { ...spec, form: quantizedForm(stored)! };
}
