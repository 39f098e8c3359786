import type { Kernel as WasmKernel } from "../../../wasm/kernel.js";
import { elementBytes, type ValueCopy, copyKernels as wasmCopies } from "../../../wasm/kernels/move/kernels.js";
import { anyKernel, type Kernel } from "../../kernel.js";
import { specOf, WASM_HOST } from "../same-spec.js";
import { launchCopy } from "./copy.js";
import type { MovedBytes } from "./rearrange.js";

/** A kernel for operators that are nothing but copies. */
const copyKernel = (source: WasmKernel): Kernel =>
  anyKernel<readonly ValueCopy[], null>({
    name: source.name,
    match: (node, at) => specOf<readonly ValueCopy[]>(source, node, at),
    schedules: () => [null],
    lower(copies, _schedule, _node, to) {
      for (const { input, output, dims, into, from } of copies) {
        launchCopy(to, {
          bytes: elementBytes(input, { ...to, device: WASM_HOST }) as MovedBytes,
          dims,
          into: { buffer: to.buffer(output), ...into },
          from: { buffer: to.buffer(input), ...from },
        });
      }
    },
    cost: (copies) => source.cost(copies),
  });

/** Nodes that only give their first input another shape. */
const aliasKernel = (source: WasmKernel): Kernel =>
  anyKernel<true, null>({
    name: source.name,
    match: (node, at) => specOf<true>(source, node, at),
    schedules: () => [null],
    lower: (_spec, _schedule, node, to) => to.alias(node.outputs[0]!, node.inputs[0]!),
    cost: () => ({ multiplyAdds: 0, bytes: 0 }),
  });

export const copyKernels: readonly Kernel[] = wasmCopies.map((source) =>
  source.name === "alias" ? aliasKernel(source) : copyKernel(source),
);
