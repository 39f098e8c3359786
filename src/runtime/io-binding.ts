import type { BoundPlan } from "../compiler/index.js";
import type { Value } from "../graph/index.js";
import type { Tensor } from "../tensor/index.js";

/**
 * A model bound to inputs and outputs that stay in the device's memory (onnxruntime's IoBinding): write the inputs' elements, `run`, read the
 * outputs'. Nothing is copied or allocated by a run, and inputs keep what was written until it is written over.
 *
 *     const binding = runner.ioBinding({ x: { dtype: "float32", shape: [1, 768] } });
 *     binding.inputs.x.data.set(samples);
 *     binding.run();
 *     draw(binding.outputs.y.data);
 *
 * After `release`, or the runner's, all of it throws a NonzeroError "invalid-argument", and the tensors must not be used any more.
 */
export interface IoBinding {
  /** By name, tensors over the device's memory. Where that is not shared with threads it moves as the session makes other plans: ask anew then. */
  readonly inputs: Record<string, Tensor>;
  /** As `inputs`: the results of the last run. */
  readonly outputs: Record<string, Tensor>;
  run(): void;
  /** Gives the memory back. */
  release(): void;
}

export const ioBinding = (plan: BoundPlan, inputs: readonly Value[], outputs: readonly Value[]): IoBinding => ({
  get inputs() {
    return named(inputs, plan.inputs());
  },
  get outputs() {
    return named(outputs, plan.outputs());
  },
  run: () => plan.run(),
  release: () => plan.release(),
});

const named = (values: readonly Value[], tensors: readonly Tensor[]): Record<string, Tensor> =>
  Object.fromEntries(values.map(({ name }, i) => [name, tensors[i]!]));
