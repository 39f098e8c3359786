import { type CopyOperator, copiesCost, copyOperators, type ValueCopy } from "../../../specs/move/copies.js";
import { renameSpec } from "../../../specs/move/rename.js";
import { elementBytes } from "../../../specs/node.js";
import { anyKernel, type Kernel } from "../../kernel.js";
import { launchCopy } from "./copy.js";

const copyKernel = ({ name, spec }: CopyOperator): Kernel =>
  anyKernel<readonly ValueCopy[], null>({
    name,
    match: spec,
    schedules: () => [null],
    lower(copies, _schedule, _node, to) {
      for (const { input, output, dims, into, from } of copies) {
        launchCopy(to, {
          bytes: elementBytes(input, to)!,
          dims,
          into: { buffer: to.buffer(output), ...into },
          from: { buffer: to.buffer(input), ...from },
        });
      }
    },
    cost: copiesCost,
  });

const rename = anyKernel<true, null>({
  name: "alias",
  match: renameSpec,
  schedules: () => [null],
  lower: (_spec, _schedule, node, to) => to.alias(node.outputs[0]!, node.inputs[0]!),
  cost: () => ({ multiplyAdds: 0, bytes: 0 }),
});

export const copyKernels: readonly Kernel[] = [rename, ...copyOperators.map(copyKernel)];
