import { type Constant, labelOf, type Value } from "../graph/index.js";
import { evaluateNode, operators } from "../ops/index.js";
import type { Tensor } from "../tensor/index.js";
import { deliver } from "./deliver.js";
import { checkOutput, denseOf, type HostSteps, type Plan, type PlanMaker, type TimedStep } from "./executor.js";
import type { Specialized } from "./specialize.js";

/** Plans that evaluate every operator on the host: the device "reference". */
export const referencePlans: PlanMaker = { plan: referencePlan, nested: () => referencePlans };

function referencePlan(spec: Specialized, host: HostSteps): Plan {
  const unpacked = new Map<Constant, Tensor>();
  const lines = spec.steps.map(({ node }) => ({ op: node.op, name: labelOf(node), kernel: "evaluation" }));

  /** Evaluates all steps; `done` is called after each. Gives a reader of values. */
  const evaluate = (feeds: readonly Tensor[], done: (step: number) => void): ((value: Value) => Tensor) => {
    const values = new Map<Value, Tensor>();
    spec.inputs.forEach((input, i) => values.set(input, feeds[i]!));
    const read = (value: Value): Tensor => {
      const constant = spec.constants.get(value);
      return constant === undefined ? values.get(value)! : denseOf(constant, unpacked);
    };
    spec.steps.forEach((step, s) => {
      const inputs = step.node.inputs.map((input) => (input === null ? null : read(input)));
      const outputs = evaluateNode(step.node, inputs, operators, {
        run: (graph, inner) => host.runSubgraph(graph, inner, (value) => read(step.captures.get(value) ?? value)),
      });
      step.node.outputs.forEach((output, i) => {
        if (output !== null) values.set(output, checkOutput(step, output, outputs[i], spec));
      });
      done(s);
    });
    return read;
  };

  return {
    run(feeds, fetches = []) {
      const read = evaluate(feeds, () => {});
      return spec.outputs.map((output, i) => deliver(output, read(output), fetches[i]));
    },
    describe: () => lines,
    profile(feeds) {
      const times: TimedStep[] = [];
      let start = performance.now();
      evaluate(feeds, (s) => {
        const end = performance.now();
        times.push({ ...lines[s]!, milliseconds: end - start });
        start = end;
      });
      return times;
    },
    release() {},
  };
}
