import { NonzeroError, type Tensor } from "../../tensor/index.js";
import { multiplyAdd } from "../linalg/multiply.js";
import { transposed, view } from "../linalg/view.js";
import { finiteNumbers } from "./input-statistics.js";

/** Sums up X̂ᵀX of the inputs X̂ that a layer gets in one model and those X that it gets in another, row by row of the same tokens. */
export class CrossAccumulator {
  readonly channels: number;
  readonly #sums: Float64Array;

  constructor(channels: number) {
    this.channels = channels;
    this.#sums = new Float64Array(channels * channels);
  }

  /** Float tensors [.., tokens, channels] of the same shape. @throws NonzeroError "shape", "invalid-argument" for values that are no finite numbers. */
  accumulate(seen: Tensor, reference: Tensor): void {
    if (seen.shape.at(-1) !== this.channels || seen.shape.join() !== reference.shape.join())
      throw new NonzeroError(
        "shape",
        `inputs of shapes [${seen.shape}] and [${reference.shape}] for ${this.channels} channels`,
      );
    const rows = seen.size / this.channels;
    const [own, other] = [seen, reference].map((tensor) =>
      view(Float64Array.from(finiteNumbers(tensor)), rows, this.channels),
    );
    multiplyAdd(view(this.#sums, this.channels, this.channels), transposed(own!), other!);
  }

  /** Σ x̂_i·x_j, row-major; a copy. */
  sums(): Float64Array {
    return this.#sums.slice();
  }
}
