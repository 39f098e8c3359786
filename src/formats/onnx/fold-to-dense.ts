import { type Constant, labelOf, type Node, subgraphsOf, type Value } from "../../graph/index.js";
import type { SparseTensor } from "../../layouts/index.js";
import { Attributes } from "../../ops/index.js";
import { readToDense, toDenseName, toSparseTensor } from "../../ops/sparse/index.js";
import { locate, Tensor } from "../../tensor/index.js";

/**
 * Turns the outputs of ToDense nodes whose inputs are all constants of this graph into sparse constants. Gives back the nodes that are
 * left; parts that nothing else reads leave `constants`. `fed` are values that may be something else when the model runs.
 */
export function foldToDense(
  nodes: readonly Node[],
  constants: Map<Value, Constant>,
  fed: readonly Value[],
  outputs: readonly Value[],
): readonly Node[] {
  const variable = new Set(fed);
  const packed = new Map<Node, Tensor[]>();
  for (const node of nodes) {
    if (node.op !== toDenseName.op || node.domain !== toDenseName.domain) continue;
    const parts = node.inputs.map((input) =>
      input === null || variable.has(input) ? undefined : constants.get(input),
    );
    if (parts.every((part) => part instanceof Tensor)) packed.set(node, parts);
  }
  if (packed.size === 0) return nodes;
  const left = nodes.filter((node) => !packed.has(node));
  const used = new Set<Value | null>([...fed, ...outputs]);
  markReads(left, used);
  for (const [node, parts] of packed) {
    locate({ node: labelOf(node) }, () => {
      const tensor = toSparseTensor(parts, readToDense(new Attributes(node)));
      const output = node.outputs[0];
      if (output) replace(constants, output, tensor);
    });
  }
  for (const node of packed.keys()) {
    for (const input of node.inputs) if (input !== null && !used.has(input)) constants.delete(input);
  }
  return left;
}

function replace(constants: Map<Value, Constant>, output: Value, tensor: SparseTensor): void {
  output.type = { dtype: tensor.dtype, shape: tensor.shape };
  constants.set(output, tensor);
}

function markReads(nodes: readonly Node[], used: Set<Value | null>): void {
  for (const node of nodes) {
    for (const input of node.inputs) used.add(input);
    for (const graph of subgraphsOf(node)) {
      for (const output of graph.outputs) used.add(output);
      markReads(graph.nodes, used);
    }
  }
}
