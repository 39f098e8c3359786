import type { Node, Value } from "../../../graph/index.js";
import type { SparseTensor } from "../../../layouts/index.js";
import { sizeOf } from "../../../tensor/index.js";
import { attributesOfNode, type Cost, type NodeContext } from "../node.js";
import { type QuantizedForm, quantizedForm, quantizedMatrix } from "./form.js";

/** Rows of a quantized table, as float32. */
export interface QuantizedGatherSpec {
  readonly rows: number;
  readonly cols: number;
  readonly count: number;
  readonly indexType: "int32" | "int64";
  readonly form: QuantizedForm;
}

/** ONNX Gather along the rows of a quantized matrix; null for all else. */
export function quantizedGatherSpec(node: Node, at: NodeContext): QuantizedGatherSpec | null {
  if (node.op !== "Gather" || node.domain !== "") return null;
  const [table, indices] = node.inputs as [Value, Value];
  const constant = at.constant(table);
  const stored = quantizedMatrix(constant);
  if (stored === null || stored.dtype !== "float32" || `${(constant as SparseTensor).perm}` !== "0,1") return null;
  const { dtype, shape } = at.type(indices);
  if (attributesOfNode<{ axis: number }>(node).axis !== 0 || (dtype !== "int32" && dtype !== "int64")) return null;
  if (stored.rows === 0) return null;
  return { rows: stored.rows, cols: stored.cols, count: sizeOf(shape), indexType: dtype, form: quantizedForm(stored)! };
}

export const quantizedGatherCost = ({ count, cols, form }: QuantizedGatherSpec): Cost => ({
  multiplyAdds: 0,
  bytes: count * cols * (4 + form.bits / 8),
});
