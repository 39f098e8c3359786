import type { Node } from "../../graph/index.js";
import type { BothWaysAlgorithm } from "../../sparsity/index.js";
import { sizeOf } from "../../tensor/index.js";
import { attributesOfNode, type Cost, type NodeContext } from "./node.js";

const BYTES = { float32: 4, float16: 2, bfloat16: 2 } as const;
export type SparsifyType = keyof typeof BYTES;

/** Which entries are kept: chosen by an algorithm, or those of a mask that is given. */
export type Selection = BothWaysAlgorithm | "given";

/** ai.nonzero Sparsify24 or, where the mask is given, Sparsify24Like, of a matrix that has entries. */
export interface SparsifySpec {
  readonly selection: Selection;
  readonly dtype: SparsifyType;
  readonly rows: number;
  readonly cols: number;
}

export function sparsifySpec(node: Node, at: NodeContext): SparsifySpec | null {
  if (node.domain !== "ai.nonzero") return null;
  if (node.op === "Sparsify24")
    return tiled(node, at, attributesOfNode<{ algorithm: BothWaysAlgorithm }>(node).algorithm);
  return node.op === "Sparsify24Like" ? tiled(node, at, "given") : null;
}

function tiled(node: Node, at: NodeContext, selection: Selection): SparsifySpec | null {
  const { dtype, shape } = at.type(node.inputs[0]!);
  if (!(dtype in BYTES) || sizeOf(shape) === 0) return null;
  return { selection, dtype: dtype as SparsifyType, rows: shape[0]!, cols: shape[1]! };
}

/** Bytes of the results, by their names. */
export function resultBytes({ dtype, rows, cols }: SparsifySpec) {
  const values = (rows * cols * BYTES[dtype]) / 2;
  return {
    packed: values,
    meta: rows * Math.ceil(cols / 8),
    packedT: values,
    metaT: cols * Math.ceil(rows / 8),
    mask: (rows * cols) / 8,
  };
}

export function sparsifyCost(spec: SparsifySpec): Cost {
  const { packed, meta, packedT, metaT, mask } = resultBytes(spec);
  const codes = spec.selection === "given" ? 0 : meta + metaT;
  return { multiplyAdds: 0, bytes: spec.rows * spec.cols * BYTES[spec.dtype] + packed + packedT + mask + codes };
}
