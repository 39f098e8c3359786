import { NonzeroError, type Tensor } from "../../tensor/index.js";

/** How close one output of a model stays to the dense model's, over all samples. */
export interface Fidelity {
  readonly name: string;
  /** ‖y − ŷ‖ / ‖y‖. */
  readonly relativeError: number;
  /** Cosine of the angle between y and ŷ. */
  readonly cosine: number;
  /** Mean over rows (the last axis) of KL(softmax y ‖ softmax ŷ), in nats: for outputs that are logits. */
  readonly kl: number;
  /** Share of rows whose largest entry is in the same place. */
  readonly top1: number;
  /** Rows of the last axis that were compared. */
  readonly rows: number;
}

/** Sums up the fidelity of one output. */
export class FidelityMeter {
  readonly #name: string;
  #error = 0;
  #dense = 0;
  #pruned = 0;
  #dot = 0;
  #kl = 0;
  #same = 0;
  #rows = 0;

  constructor(name: string) {
    this.#name = name;
  }

  /** @throws NonzeroError "shape" where the two have other dtypes or shapes. */
  add(dense: Tensor, pruned: Tensor): void {
    if (dense.dtype !== pruned.dtype || dense.shape.join() !== pruned.shape.join())
      throw new NonzeroError(
        "shape",
        `${dense.dtype}[${dense.shape}] in one, ${pruned.dtype}[${pruned.shape}] in the other`,
        { field: this.#name },
      );
    const [y, z] = [dense.numbers(), pruned.numbers()];
    for (let i = 0; i < y.length; i++) {
      this.#error += (y[i]! - z[i]!) ** 2;
      this.#dense += y[i]! ** 2;
      this.#pruned += z[i]! ** 2;
      this.#dot += y[i]! * z[i]!;
    }
    const width = dense.shape.at(-1) ?? 1;
    for (let from = 0; width > 0 && from < y.length; from += width) {
      const [a, b] = [y.subarray(from, from + width), z.subarray(from, from + width)];
      this.#kl += divergence(a, b);
      this.#same += largestAt(a) === largestAt(b) ? 1 : 0;
      this.#rows++;
    }
  }

  result(): Fidelity {
    const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
    return {
      name: this.#name,
      relativeError: Math.sqrt(share(this.#error, this.#dense)),
      cosine: this.#dense === 0 && this.#pruned === 0 ? 1 : share(this.#dot, Math.sqrt(this.#dense * this.#pruned)),
      kl: share(this.#kl, this.#rows),
      top1: this.#rows === 0 ? 1 : this.#same / this.#rows,
      rows: this.#rows,
    };
  }
}

type Row = ArrayLike<number>;

/** KL(softmax a ‖ softmax b) in nats. */
function divergence(a: Row, b: Row): number {
  const [la, lb] = [logSumExp(a), logSumExp(b)];
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    const log = a[i]! - la;
    const p = Math.exp(log);
    if (p > 0) sum += p * (log - (b[i]! - lb));
  }
  return Math.max(0, sum);
}

function logSumExp(row: Row): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < row.length; i++) largest = Math.max(largest, row[i]!);
  let sum = 0;
  for (let i = 0; i < row.length; i++) sum += Math.exp(row[i]! - largest);
  return largest + Math.log(sum);
}

function largestAt(row: Row): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if (row[i]! > row[best]!) best = i;
  return best;
}
