import { NonzeroError } from "../../tensor/index.js";
import { need } from "../infer.js";
import { rotaryEmbedding as embed, type RotaryEmbeddingAttributes } from "../nn/rotary-embedding.js";
import type { Operator } from "../operator.js";

/**
 * com.microsoft RotaryEmbedding: as ONNX's, with inputs in the order X, position_ids, cos_cache, sin_cache. position_ids is
 * [batch, rows], or one number: the position of the first row.
 */
export const rotaryEmbedding: Operator<RotaryEmbeddingAttributes> = {
  name: "RotaryEmbedding",
  domain: "com.microsoft",
  attributes: (node) => {
    if (node.flag("is_packed_batching"))
      throw new NonzeroError("unsupported", "packed batches are not supported", { field: "is_packed_batching" });
    return {
      interleaved: node.flag("interleaved"),
      heads: node.int("num_heads", 0),
      size: node.int("rotary_embedding_dim", 0),
    };
  },
  infer: (inputs) => [need(inputs, 0).type],
  evaluate: (inputs, a) => {
    const positions = need(inputs, 1);
    const ids = positions.numbers();
    return [
      embed(need(inputs, 0), need(inputs, 2), need(inputs, 3), a, (n, r, rows) =>
        positions.shape.length < 2 ? ids[0]! + r : ids[n * rows + r]!,
      ),
    ];
  },
};
