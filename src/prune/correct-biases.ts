import type { Constant, Model, Value } from "../graph/index.js";
import { locate, NonzeroError, Tensor } from "../tensor/index.js";
import { biasesOf } from "./biases.js";
import { weightMatrix } from "./mask-weight.js";
import { meanCorrection } from "./mean-correction.js";
import { constantNodesToConstants, replaceConstants } from "./replace.js";
import type { InputStatistics } from "./statistics/index.js";
import { weightsOf } from "./weights.js";

export interface CorrectedBiases {
  readonly model: Model;
  /** Weights whose layers' biases took up what pruning took from the mean of their outputs. */
  readonly corrected: readonly string[];
  /** Weights of layers that have no bias of their own. */
  readonly skipped: readonly string[];
}

/**
 * A pruned model whose biases keep the mean of each layer's outputs as it was: b += (W − Ŵ)·E[x], by the inputs that calibration saw. Weights are found
 * in both models by name; sparse ones too.
 * @param statistics of each weight's inputs; for a grouped convolution one entry a group.
 * @throws NonzeroError "not-found" for a name that is no weight of both models, "shape" for statistics of other channels.
 */
export function correctBiases(
  original: Model,
  pruned: Model,
  statistics: ReadonlyMap<string, InputStatistics | readonly InputStatistics[]>,
): CorrectedBiases {
  const model = constantNodesToConstants(pruned);
  const before = new Map(weightsOf(constantNodesToConstants(original)).map((weight) => [weight.name, weight]));
  const after = new Map(weightsOf(model).map((weight) => [weight.name, weight]));
  const replaced = new Map<Value, Constant>();
  const corrected: string[] = [];
  const skipped: string[] = [];
  for (const [name, seen] of statistics) {
    const [was, is] = [before.get(name), after.get(name)];
    if (was === undefined || is === undefined)
      throw new NonzeroError("not-found", `the models do not both have a weight '${name}'`, { field: "statistics" });
    const biases = biasesOf(model, is);
    if (biases === null) {
      skipped.push(name);
      continue;
    }
    const correction = locate({ field: name }, () =>
      meanCorrection(weightMatrix(was), weightMatrix(is), "channels" in seen ? [seen] : seen),
    );
    for (const { value, constant, gain } of biases) {
      const numbers = Float64Array.from(constant.numbers(), (b, i) => b + correction[i]! / gain);
      replaced.set(value, Tensor.from(constant.dtype, constant.shape, numbers));
    }
    corrected.push(name);
  }
  return { model: replaceConstants(model, replaced), corrected, skipped };
}
