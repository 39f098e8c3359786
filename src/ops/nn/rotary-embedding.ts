import { NonzeroError, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { headsFirst, rowsFirst } from "./attend.js";
import { rotate } from "./rotate.js";

export interface RotaryEmbeddingAttributes {
  readonly interleaved: boolean;
  /** Heads of an input [batch, rows, heads · size]; 0 when not given. */
  readonly heads: number;
  /** Elements of each head that are rotated; 0 for all. */
  readonly size: number;
}

/** What both domains' RotaryEmbedding do with X, once the caches and the positions are at hand. */
export function rotaryEmbedding(
  x: Tensor,
  cos: Tensor,
  sin: Tensor,
  a: RotaryEmbeddingAttributes,
  positionOf: (batch: number, row: number, rows: number) => number,
): Tensor {
  const flat = x.shape.length === 3;
  if (!flat && x.shape.length !== 4) throw new NonzeroError("shape", `X takes three or four axes, not [${x.shape}]`);
  const batch = x.shape[0]!;
  const rows = x.shape[flat ? 1 : 2]!;
  // Without a number of heads, the caches tell the head size.
  const heads = flat ? a.heads || x.shape[2]! / (2 * cos.shape[cos.shape.length - 1]!) : x.shape[1]!;
  const headSize = flat ? x.shape[2]! / heads : x.shape[3]!;
  const size = a.size || headSize;
  if (!Number.isInteger(headSize) || size % 2 !== 0 || size > headSize)
    throw new NonzeroError("shape", `X of shape [${x.shape}] does not split into ${heads} heads with ${size} rotated`);
  for (const cache of [cos, sin]) {
    if (cache.shape[cache.shape.length - 1] !== size / 2)
      throw new NonzeroError("shape", `a cache of shape [${cache.shape}] for ${size} rotated elements`);
  }
  const values = numbersFor(x.dtype, x.size);
  values.set(x.numbers());
  const strides = flat ? rowsFirst(heads, rows, headSize) : headsFirst(heads, rows, headSize);
  rotate(values, [batch, heads, rows], strides, size, cos.numbers(), sin.numbers(), a.interleaved, (n, r) =>
    positionOf(n, r, rows),
  );
  return Tensor.from(x.dtype, x.shape, values);
}

/**
 * ONNX RotaryEmbedding (opset 23): X [batch, heads, rows, size] or [batch, rows, heads·size], caches [positions, size/2]
 * looked up by position_ids [batch, rows], or [batch, rows, size/2] without them.
 */
export const rotaryEmbeddingOperator: Operator<RotaryEmbeddingAttributes> = {
  name: "RotaryEmbedding",
  domain: "",
  attributes: (node) => ({
    interleaved: node.flag("interleaved"),
    heads: node.int("num_heads", 0),
    size: node.int("rotary_embedding_dim", 0),
  }),
  infer: (inputs) => [need(inputs, 0).type],
  evaluate: (inputs, a) => {
    const ids = inputs[3]?.numbers();
    const [cos, sin] = [need(inputs, 1), need(inputs, 2)];
    return [
      rotaryEmbedding(need(inputs, 0), cos, sin, a, (n, r, rows) =>
        ids === undefined ? n * rows + r : ids[n * rows + r]!,
      ),
    ];
  },
};
