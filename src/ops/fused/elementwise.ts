import type { Graph } from "../../graph/index.js";
import type { Operator } from "../operator.js";

export interface ElementwiseAttributes {
  readonly body: Graph;
}

/**
 * ai.nonzero Elementwise: a chain of elementwise operators as one node. The attribute `body` is a graph whose inputs are the
 * node's inputs in order and whose nodes are all elementwise (broadcasting as NumPy); its outputs are the node's.
 */
export const elementwise: Operator<ElementwiseAttributes> = {
  name: "Elementwise",
  domain: "ai.nonzero",
  attributes: (node) => ({ body: node.graph("body") }),
  infer: (inputs, { body }, context) =>
    context.infer(
      body,
      inputs.map((input) => input!),
    ),
  evaluate: (inputs, { body }, context) =>
    context.run(
      body,
      inputs.map((input) => input!),
    ),
};
