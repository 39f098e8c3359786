import type { Node, Value } from "../../graph/index.js";
import { attributesOfNode, type Cost, type NodeContext } from "./node.js";

/** How a row of the caches is found: its number counts on over the batch, from one start, or is looked up. */
type Positions = "counted" | "started" | "given";

export interface RotarySpec {
  readonly positions: Positions;
  readonly interleaved: boolean;
  readonly batch: number;
  readonly rows: number;
  readonly heads: number;
  readonly headSize: number;
  /** Elements of a head that are rotated. */
  readonly size: number;
  /** Rows of the caches. */
  readonly cached: number;
  /** The input is [batch, rows, heads · size] rather than [batch, heads, rows, size]. */
  readonly flat: boolean;
  readonly inputs: { readonly x: Value; readonly ids: Value | null; readonly cos: Value; readonly sin: Value };
}

interface RotaryAttributes {
  readonly interleaved: boolean;
  readonly heads: number;
  readonly size: number;
}

/** RotaryEmbedding of ONNX and com.microsoft; null where a tensor is not as the operators want it. */
export function rotarySpec(node: Node, at: NodeContext): RotarySpec | null {
  if (node.op !== "RotaryEmbedding" || node.domain === "ai.nonzero") return null;
  const contrib = node.domain === "com.microsoft";
  const [x, cos, sin, ids] = (contrib ? [0, 2, 3, 1] : [0, 1, 2, 3]).map((i) => node.inputs[i] ?? null);
  if (!x || !cos || !sin) return null;
  if ([x, cos, sin].some((value) => at.type(value).dtype !== "float32")) return null;
  if (ids && at.type(ids).dtype !== "int64") return null;
  const a = attributesOfNode<RotaryAttributes>(node);
  const { shape } = at.type(x);
  const cache = at.type(cos).shape;
  const half = cache.at(-1)!;
  const flat = shape.length === 3;
  if ((!flat && shape.length !== 4) || at.type(sin).shape.join() !== cache.join() || half === 0) return null;
  const heads = flat ? a.heads || shape[2]! / (2 * half) : shape[1]!;
  const headSize = flat ? shape[2]! / heads : shape[3]!;
  const size = a.size || headSize;
  if (!Number.isInteger(headSize) || size !== 2 * half || size > headSize) return null;
  const [batch, rows] = [shape[0]!, shape[flat ? 1 : 2]!];
  const cached = cache.slice(0, -1).reduce((product, dim) => product * dim, 1);
  const positions = ids === null || ids === undefined ? "counted" : at.type(ids).shape.length < 2 ? "started" : "given";
  const count = ids ? at.type(ids).shape.reduce((product, dim) => product * dim, 1) : 0;
  if (
    positions === "counted" ? cached < batch * rows : cached === 0 || count < (positions === "given" ? batch * rows : 1)
  )
    return null;
  const inputs = { x, ids: ids ?? null, cos, sin };
  return { positions, interleaved: a.interleaved, batch, rows, heads, headSize, size, cached, flat, inputs };
}

export const rotaryCost = ({ batch, rows, heads, headSize }: RotarySpec): Cost => {
  const elements = batch * rows * heads * headSize;
  return { multiplyAdds: 2 * elements, bytes: 8 * elements };
};
