import { type Graph, subgraphsOf } from "../../../graph/index.js";
import type { Kernel } from "../kernel.js";
import { allKernels } from "./index.js";

/** Kernels that few models need, by the operators that want them: a page loads them with the first model that does. */
interface Extra {
  readonly wants: ReadonlySet<string>;
  load(): Promise<readonly Kernel[]>;
}

const EXTRAS: readonly Extra[] = [
  {
    wants: new Set(["MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "DynamicQuantizedLinear"]),
    load: async () => (await import("./integer/index.js")).integerKernels,
  },
  {
    wants: new Set(["Sparsify24", "Sparsify24Like"]),
    load: async () => (await import("./sparsify/index.js")).sparsifyKernels,
  },
];

/** Adds to the device's kernels, each once. */
export function addKernels(kernels: readonly Kernel[]): void {
  for (const kernel of kernels) if (!allKernels.includes(kernel)) allKernels.push(kernel);
}

/** Loads what a graph wants, its subgraphs included. Sessions that there are use it for plans that they make from then on. */
export async function loadKernelsFor(graph: Graph): Promise<void> {
  const wanted = operatorsOf(graph);
  for (const { wants, load } of EXTRAS) if ([...wants].some((op) => wanted.has(op))) addKernels(await load());
}

function operatorsOf({ nodes }: Graph): Set<string> {
  const found = new Set(nodes.map(({ op }) => op));
  for (const inner of nodes.flatMap(subgraphsOf)) for (const op of operatorsOf(inner)) found.add(op);
  return found;
}
