import { NonzeroError, type Tensor } from "../../tensor/index.js";
import { mirrorLower, multiplyAdd } from "../linalg/multiply.js";
import { transposed, view } from "../linalg/view.js";

/**
 * What calibration saw of a layer's inputs X [count, channels]: one row a token, a pixel or a patch, one channel for each column of the
 * weight [outputs, channels]. Sums, not averages. Plain data: it survives structured cloning.
 */
export interface InputStatistics {
  readonly channels: number;
  /** Rows seen. */
  readonly count: number;
  /** Mean of each channel; zeros before the first row. */
  readonly mean: Float64Array;
  /** Σ x² of each channel: the squares of the norms ‖X_j‖₂. */
  readonly sumOfSquares: Float64Array;
  /** XᵀX [channels, channels], row-major, both triangles; null where only norms were asked for. */
  readonly gram: Float64Array | null;
  /** X̂ᵀX [channels, channels], row-major, where these are inputs X̂ of a pruned model that were summed up beside the dense model's X. */
  readonly cross?: Float64Array | null;
}

/** Rows that are multiplied together. */
const BLOCK = 256;

/**
 * Sums up a layer's inputs, tensor by tensor. Everything is summed in double precision: a product of two float32 is exact in it, and a
 * sum over N rows is within N·2⁻⁵³·Σ|x_i·x_j| of the true one, whatever blocks the rows came in; relative to ‖X_i‖·‖X_j‖ that is
 * 1e-10 after a million rows.
 */
export class InputAccumulator {
  readonly channels: number;
  readonly #sums: Float64Array;
  readonly #squares: Float64Array;
  readonly #gram: Float64Array | null;
  readonly #block: Float64Array;
  #rows = 0;
  #count = 0;

  /** `gram: false` sums up norms and means alone, in O(channels) memory. */
  constructor(channels: number, { gram }: { readonly gram: boolean }) {
    this.channels = channels;
    this.#sums = new Float64Array(channels);
    this.#squares = new Float64Array(channels);
    this.#gram = gram ? new Float64Array(channels * channels) : null;
    this.#block = new Float64Array(BLOCK * channels);
  }

  /**
   * Takes in the rows of a float tensor [tokens, channels]; leading axes are more tokens.
   * @throws NonzeroError "shape" for another number of channels, "invalid-argument" for a value that is no finite number.
   */
  accumulate(tensor: Tensor): void {
    if (tensor.shape.at(-1) !== this.channels)
      throw new NonzeroError("shape", `inputs of shape [${tensor.shape}] for a layer of ${this.channels} channels`);
    const values = finiteNumbers(tensor);
    for (let from = 0; from < values.length; from += this.channels) {
      const row = this.nextRow();
      for (let i = 0; i < row.length; i++) row[i] = values[from + i]!;
    }
  }

  /** The next row, to be written in full by the caller before anything else is asked of the accumulator. */
  nextRow(): Float64Array {
    if (this.#rows === BLOCK) this.#flush();
    const at = this.#rows++ * this.channels;
    return this.#block.subarray(at, at + this.channels);
  }

  /** What was seen so far; a copy, so that accumulating may go on. */
  statistics(): InputStatistics {
    this.#flush();
    const gram = this.#gram?.slice() ?? null;
    if (gram !== null) mirrorLower(gram, this.channels);
    const count = this.#count;
    return {
      channels: this.channels,
      count,
      mean: this.#sums.map((sum) => (count === 0 ? 0 : sum / count)),
      sumOfSquares: this.#squares.slice(),
      gram,
    };
  }

  #flush(): void {
    const { channels } = this;
    const rows = this.#rows;
    const values = this.#block;
    for (let row = 0; row < rows; row++) {
      for (let i = 0, at = row * channels; i < channels; i++, at++) {
        const x = values[at]!;
        this.#sums[i] = this.#sums[i]! + x;
        this.#squares[i] = this.#squares[i]! + x * x;
      }
    }
    if (this.#gram !== null) {
      const block = view(values, rows, channels);
      multiplyAdd(view(this.#gram, channels, channels), transposed(block), block, 1, "lower");
    }
    this.#count += rows;
    this.#rows = 0;
  }
}

/** A tensor's numbers. @throws NonzeroError "invalid-argument" for one that is NaN or infinite. */
export function finiteNumbers(tensor: Tensor): ArrayLike<number> {
  const values = tensor.numbers();
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i]!))
      throw new NonzeroError(
        "invalid-argument",
        `an input of the layer is ${values[i]}, at ${i} of shape [${tensor.shape}]`,
      );
  }
  return values;
}

/**
 * Whether a layer may be pruned by these statistics.
 * @throws NonzeroError "shape" for another number of channels, or arrays of other lengths; "invalid-argument" where there is no row, or a
 * sum is not a finite number, or a needed Gram matrix is absent.
 */
export function checkStatistics(statistics: InputStatistics, channels: number, needs: "norms" | "gram"): void {
  const { count, mean, sumOfSquares, gram } = statistics;
  const invalid = (reason: string): NonzeroError =>
    new NonzeroError("invalid-argument", reason, { field: "statistics" });
  if (
    statistics.channels !== channels ||
    mean.length !== channels ||
    sumOfSquares.length !== channels ||
    (gram !== null && gram.length !== channels * channels)
  ) {
    const reason = `statistics of ${statistics.channels} channels for a weight of ${channels} inputs`;
    throw new NonzeroError("shape", reason, { field: "statistics" });
  }
  if (!(count > 0)) throw invalid("calibration saw no inputs of this layer");
  if (needs === "gram" && gram === null) throw invalid("this method needs the Gram matrix of the layer's inputs");
  for (const sums of [mean, sumOfSquares, ...(gram === null ? [] : [gram])]) {
    const at = sums.findIndex((x) => !Number.isFinite(x));
    if (at >= 0) throw invalid(`the sum of input channel ${at % channels} is ${sums[at]}`);
  }
}

/** A variance below this share of the mean square is rounding. */
const LEAST_VARIANCE = 2 ** -40;

/**
 * The statistics of X minus its mean: what a layer's weight must reproduce when its bias takes up the rest (`meanCorrection`). An input
 * that never varied is dead in them. The mean stays as it was, for the correction.
 */
export function centered(statistics: InputStatistics): InputStatistics {
  const { channels, count, mean, sumOfSquares, gram } = statistics;
  const squares = sumOfSquares.map((x, i) => {
    const variance = x - count * mean[i]! ** 2;
    return variance > LEAST_VARIANCE * x ? variance : 0;
  });
  const covariance = gram?.map((x, at) => {
    const row = Math.floor(at / channels);
    const col = at % channels;
    if (row === col) return squares[row]!;
    return squares[row] === 0 || squares[col] === 0 ? 0 : x - count * mean[row]! * mean[col]!;
  });
  return { ...statistics, sumOfSquares: squares, gram: covariance ?? null };
}
