import { NonzeroError, Tensor } from "../../tensor/index.js";
import { need } from "../infer.js";
import { normalizeTensor } from "../nn/layer-normalization.js";
import type { Operator } from "../operator.js";

/** One row of an embedding table added to a row of sums. @throws NonzeroError "shape" when there is no such row. */
function addRow(table: ArrayLike<number>, row: number, size: number, sums: Float64Array, at: number): void {
  if (!(row >= 0 && (row + 1) * size <= table.length))
    throw new NonzeroError("shape", `index ${row} is outside an embedding of ${table.length / size} rows`);
  for (let i = 0; i < size; i++) sums[at + i]! += table[row * size + i]!;
}

/**
 * com.microsoft EmbedLayerNormalization (BERT's input): word + position + segment embeddings, normalized over the last axis.
 * Inputs input_ids [batch, rows], segment_ids, word_, position_ and segment_embedding […, hidden], gamma, beta, mask,
 * position_ids; outputs [batch, rows, hidden], the number of ones in each row of mask (0 without one), and the sums.
 */
export const embedLayerNormalization: Operator<{ readonly epsilon: number }> = {
  name: "EmbedLayerNormalization",
  domain: "com.microsoft",
  attributes: (node) => ({ epsilon: node.float("epsilon", 1e-12) }),
  infer: (inputs) => {
    const [ids, words] = [need(inputs, 0).type, need(inputs, 2).type];
    const known = ids.shape !== null && words.shape !== null;
    const shape = known ? [ids.shape[0]!, ids.shape[1]!, words.shape[1]!] : null;
    return [
      { dtype: words.dtype, shape },
      { dtype: "int32", shape: ids.shape === null ? null : [ids.shape[0]!] },
      { dtype: words.dtype, shape },
    ];
  },
  evaluate: (inputs, { epsilon }) => {
    const [ids, words, positions] = [need(inputs, 0), need(inputs, 2), need(inputs, 3)];
    const [batch, rows] = ids.shape as [number, number];
    const hidden = words.shape[1]!;
    const segments = inputs[1]?.numbers();
    const segmentTable = inputs[4]?.numbers();
    const positionIds = inputs[8];
    const given = positionIds?.numbers();
    const [tokens, wordTable, positionTable] = [ids.numbers(), words.numbers(), positions.numbers()];
    const sums = new Float64Array(batch * rows * hidden);
    for (let i = 0; i < batch * rows; i++) {
      addRow(wordTable, tokens[i]!, hidden, sums, i * hidden);
      const position = given === undefined ? i % rows : given[positionIds!.shape[0] === 1 ? i % rows : i]!;
      addRow(positionTable, position, hidden, sums, i * hidden);
      if (segmentTable !== undefined)
        addRow(segmentTable, segments === undefined ? 0 : segments[i]!, hidden, sums, i * hidden);
    }
    const embedded = new Tensor("float64", [batch, rows, hidden], sums);
    const a = { axis: -1, epsilon, stashType: "float32" } as const;
    const { y } = normalizeTensor(embedded, need(inputs, 5), need(inputs, 6), a, true, words.dtype);
    const mask = inputs[7]?.numbers();
    const counts = new Int32Array(batch);
    if (mask !== undefined) for (let i = 0; i < mask.length; i++) if (mask[i] === 1) counts[Math.floor(i / rows)]!++;
    return [y, new Tensor("int32", [batch], counts), embedded.to(words.dtype)];
  },
};
