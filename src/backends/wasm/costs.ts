import { fuse, type Specialized } from "../../compiler/index.js";
import type { Node } from "../../graph/index.js";
import { isFusible } from "../specs/elementwise/program.js";
import type { Cost } from "../specs/node.js";
import { Choices, FormCache, storedFor } from "../tuner/index.js";
import { formsOf } from "./forms.js";
import type { DeviceInfo, MatchContext } from "./kernel.js";
import { allKernels } from "./kernels/index.js";

/** What a plan's step asks for; `cost` is null where no kernel takes the node and the host evaluates it. */
export interface StepCost {
  readonly node: Node;
  readonly kernel: string;
  readonly cost: Cost | null;
}

/** The steps that a plan for this graph would have where nothing was tuned, in order, with their costs: nothing is generated or run. */
export function costsOf(concrete: Specialized, device: DeviceInfo): StepCost[] {
  const fused = fuse(concrete, (node) => isFusible(node, (value) => concrete.types.get(value)?.dtype));
  const spec = storedFor(fused, formsOf, new Choices(), new FormCache());
  const at: MatchContext = {
    device,
    type: (value) => spec.types.get(value)!,
    constant: (value) => spec.constants.get(value),
  };
  return spec.steps.map(({ node, captures }): StepCost => {
    const known = [...node.inputs, ...node.outputs].every((value) => value === null || spec.types.has(value));
    if (known && captures.size === 0) {
      for (const kernel of allKernels) {
        const match = kernel.match(node, at);
        if (match !== null) return { node, kernel: kernel.name, cost: kernel.cost(match) };
      }
    }
    return { node, kernel: "evaluation", cost: null };
  });
}
