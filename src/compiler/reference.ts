import type { Constant, Value } from "../graph/index.js";
import { labelOf } from "../graph/index.js";
import { evaluateNode, operators } from "../ops/index.js";
import type { Tensor } from "../tensor/index.js";
import { checkOutput, denseOf, type PlanMaker } from "./executor.js";

/** Plans that evaluate every operator on the host: the device "reference". */
export const referencePlans: PlanMaker = {
  plan(spec, host) {
    const unpacked = new Map<Constant, Tensor>();
    return {
      run(feeds) {
        const values = new Map<Value, Tensor>();
        spec.inputs.forEach((input, i) => values.set(input, feeds[i]!));
        const read = (value: Value): Tensor => {
          const constant = spec.constants.get(value);
          return constant === undefined ? values.get(value)! : denseOf(constant, unpacked);
        };
        for (const step of spec.steps) {
          const inputs = step.node.inputs.map((input) => (input === null ? null : read(input)));
          const outputs = evaluateNode(step.node, inputs, operators, {
            run: (graph, inner) => host.runSubgraph(graph, inner, (value) => read(step.captures.get(value) ?? value)),
          });
          step.node.outputs.forEach((output, i) => {
            if (output !== null) values.set(output, checkOutput(step, output, outputs[i], spec));
          });
        }
        return spec.outputs.map(read);
      },
      describe: () => spec.steps.map(({ node }) => ({ op: node.op, name: labelOf(node), kernel: "evaluation" })),
      release() {},
    };
  },
};
