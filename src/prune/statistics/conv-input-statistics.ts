import { type ConvAttributes, convWindow } from "../../ops/nn/conv.js";
import { tapsOf } from "../../ops/nn/taps.js";
import { sizeOf, type Tensor } from "../../tensor/index.js";
import { finiteNumbers, InputAccumulator, type InputStatistics } from "./input-statistics.js";

/**
 * Sums up what a convolution's weight multiplies: for each output pixel the patch of the input under the kernel, kernel positions outermost
 * and channels innermost, as `weightsOf` sees the weight [outputs, k… × C/group]. Zeros where the kernel reaches into the padding.
 * Each group of a grouped convolution sees channels of its own and has statistics of its own.
 */
export class ConvInputAccumulator {
  readonly #weight: readonly number[];
  readonly #attributes: ConvAttributes;
  readonly #groups: readonly InputAccumulator[];

  /** `weight` is the shape [O, C/group, k…]. `gram` as InputAccumulator's. */
  constructor(weight: readonly number[], attributes: ConvAttributes, options: { readonly gram: boolean }) {
    this.#weight = weight;
    this.#attributes = attributes;
    const channels = sizeOf(weight.slice(1));
    this.#groups = Array.from({ length: attributes.group }, () => new InputAccumulator(channels, options));
  }

  /** Takes in a batch [N, C, spatial…]. @throws NonzeroError "shape", "invalid-argument" for a value that is no finite number. */
  accumulate(tensor: Tensor): void {
    const window = convWindow(tensor.shape, this.#weight, this.#attributes);
    const values = finiteNumbers(tensor);
    const perGroup = this.#weight[1]!;
    const plane = sizeOf(window.input);
    const pixels = sizeOf(window.output);
    const sources = sourcesOf(tapsOf(window), pixels);
    const taps = sizeOf(window.kernel);
    this.#groups.forEach((group, g) => {
      for (let n = 0; n < tensor.shape[0]!; n++) {
        const first = (n * tensor.shape[1]! + g * perGroup) * plane;
        for (let pixel = 0; pixel < pixels; pixel++) {
          const row = group.nextRow();
          for (let tap = 0, to = 0; tap < taps; tap++) {
            const source = sources[tap * pixels + pixel]!;
            for (let channel = 0; channel < perGroup; channel++)
              row[to++] = source < 0 ? 0 : values[first + channel * plane + source]!;
          }
        }
      }
    });
  }

  /** One entry a group, for outputs [g·O/group, (g + 1)·O/group). */
  statistics(): InputStatistics[] {
    return this.#groups.map((group) => group.statistics());
  }
}

/** Where in its input plane each tap of each output pixel reads [taps, pixels]; -1 in the padding. */
function sourcesOf({ count, step, starts, out, input, length }: ReturnType<typeof tapsOf>, pixels: number): Int32Array {
  const sources = new Int32Array(count * pixels).fill(-1);
  for (let tap = 0; tap < count; tap++) {
    for (let run = starts[tap]!; run < starts[tap + 1]!; run++)
      for (let i = 0; i < length[run]!; i++) sources[tap * pixels + out[run]! + i] = input[run]! + i * step;
  }
  return sources;
}
