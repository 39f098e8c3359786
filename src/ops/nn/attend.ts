import { NonzeroError } from "../../tensor/index.js";

/** Where the elements of (batch, head, row, column) lie in an array: column stride 1. */
export interface HeadStrides {
  readonly batch: number;
  readonly head: number;
  readonly row: number;
}

/** Strides of [batch, heads, rows, size], stored so. */
export const headsFirst = (heads: number, rows: number, size: number): HeadStrides => ({
  batch: heads * rows * size,
  head: rows * size,
  row: size,
});

/** Strides of the same seen through [batch, rows, heads · size]. */
export const rowsFirst = (heads: number, rows: number, size: number): HeadStrides => ({
  batch: rows * heads * size,
  head: size,
  row: heads * size,
});

/** Added to the scores (batch, head, query, key); −Infinity hides a key. A stride is 0 along axes that it repeats over. */
export interface AttentionBias {
  readonly values: ArrayLike<number>;
  readonly strides: readonly [number, number, number, number];
  /** Keys beyond this many have no bias of their own and are hidden. */
  readonly keys: number;
}

/** Scores to hand out: scaled q·k, those after the soft cap, those with the bias, or the probabilities. */
export type ScoreStage = "raw" | "capped" | "biased" | "probabilities";

export interface AttentionProblem {
  readonly batch: number;
  readonly heads: number;
  /** Heads of keys and values; each serves heads / kvHeads neighbouring query heads. */
  readonly kvHeads: number;
  readonly queries: number;
  readonly keys: number;
  readonly headSize: number;
  readonly valueSize: number;
  readonly q: ArrayLike<number>;
  readonly qStrides: HeadStrides;
  readonly k: ArrayLike<number>;
  readonly kStrides: HeadStrides;
  readonly v: ArrayLike<number>;
  readonly vStrides: HeadStrides;
  readonly scale: number;
  /** c·tanh(score/c) before the bias is added; 0 for none. */
  readonly softcap: number;
  readonly biases: readonly AttentionBias[];
  /** First key and one past the last key that a query of a batch entry may see. */
  readonly range: (batch: number, query: number) => readonly [number, number];
  /** One more logit per head that takes probability but has no value; null for none. */
  readonly sinks: ArrayLike<number> | null;
}

/**
 * Scaled dot-product attention: softmax(softcap(scale · q·kᵀ) + biases) · v into `y`, and the scores [batch, heads, queries,
 * keys] of one stage into `scores`. A query that sees no key gives zeros. Sums are doubles.
 * @throws NonzeroError "shape" when kvHeads does not divide heads.
 */
export function attend(
  p: AttentionProblem,
  y: Float32Array | Float64Array,
  yStrides: HeadStrides,
  scores: Float32Array | Float64Array | null,
  stage: ScoreStage,
): void {
  const { heads, kvHeads, queries, keys, headSize, valueSize, q, k, v, qStrides, kStrides, vStrides } = p;
  if (kvHeads < 1 || heads % kvHeads !== 0)
    throw new NonzeroError("shape", `${heads} heads of queries do not share ${kvHeads} heads of keys evenly`);
  const sharing = heads / kvHeads;
  const row = new Float64Array(keys);
  const sums = new Float64Array(valueSize);
  for (let n = 0; n < p.batch; n++) {
    for (let h = 0; h < heads; h++) {
      const kv = Math.floor(h / sharing);
      const kHead = n * kStrides.batch + kv * kStrides.head;
      const vHead = n * vStrides.batch + kv * vStrides.head;
      for (let i = 0; i < queries; i++) {
        const qAt = n * qStrides.batch + h * qStrides.head + i * qStrides.row;
        const scoresAt = ((n * heads + h) * queries + i) * keys;
        for (let j = 0; j < keys; j++) {
          const kAt = kHead + j * kStrides.row;
          let sum = 0;
          for (let d = 0; d < headSize; d++) sum += q[qAt + d]! * k[kAt + d]!;
          row[j] = sum * p.scale;
        }
        if (stage === "raw") scores?.set(row, scoresAt);
        if (p.softcap > 0) for (let j = 0; j < keys; j++) row[j] = p.softcap * Math.tanh(row[j]! / p.softcap);
        if (stage === "capped") scores?.set(row, scoresAt);
        for (const { values, strides, keys: covered } of p.biases) {
          const at = n * strides[0] + h * strides[1] + i * strides[2];
          for (let j = 0; j < keys; j++)
            row[j]! += j < covered ? values[at + j * strides[3]]! : Number.NEGATIVE_INFINITY;
        }
        const [from, to] = p.range(n, i);
        row.fill(Number.NEGATIVE_INFINITY, 0, Math.min(Math.max(from, 0), keys));
        row.fill(Number.NEGATIVE_INFINITY, Math.min(Math.max(to, 0), keys));
        if (stage === "biased") scores?.set(row, scoresAt);
        softmax(row, p.sinks === null ? null : p.sinks[h]!);
        if (stage === "probabilities") scores?.set(row, scoresAt);
        sums.fill(0);
        for (let j = 0; j < keys; j++) {
          const weight = row[j]!;
          if (weight === 0) continue; // a hidden key: its value may be padding that is not even finite
          const vAt = vHead + j * vStrides.row;
          for (let d = 0; d < valueSize; d++) sums[d]! += weight * v[vAt + d]!;
        }
        y.set(sums, n * yStrides.batch + h * yStrides.head + i * yStrides.row);
      }
    }
  }
}

/** Softmax in place; zeros where every score is −Infinity. A sink is one more score that only adds to the denominator. */
function softmax(row: Float64Array, sink: number | null): void {
  let max = sink ?? Number.NEGATIVE_INFINITY;
  for (let j = 0; j < row.length; j++) max = Math.max(max, row[j]!);
  if (max === Number.NEGATIVE_INFINITY) {
    row.fill(0);
    return;
  }
  let total = sink === null ? 0 : Math.exp(sink - max);
  for (let j = 0; j < row.length; j++) {
    row[j] = Math.exp(row[j]! - max);
    total += row[j]!;
  }
  for (let j = 0; j < row.length; j++) row[j]! /= total;
}
