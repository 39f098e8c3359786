import {
  type Attribute,
  type Constant,
  type Graph,
  type Model,
  type Node,
  subgraphsOf,
  type Value,
} from "../graph/index.js";
import { SparseTensor } from "../layouts/index.js";

/**
 * The model with some of its constants replaced, wherever in its graphs they are. Everything else is shared with the original. A constant that was
 * the default of an input and is now sparse is no input any more: what is fed is dense.
 */
export const replaceConstants = (model: Model, replaced: ReadonlyMap<Value, Constant>): Model => ({
  ...model,
  graph: inGraph(model.graph, replaced),
});

function inGraph(graph: Graph, replaced: ReadonlyMap<Value, Constant>): Graph {
  const constants = new Map(graph.constants);
  for (const value of graph.constants.keys()) {
    const constant = replaced.get(value);
    if (constant !== undefined) constants.set(value, constant);
  }
  const inputs = graph.inputs.filter((input) => !(replaced.get(input) instanceof SparseTensor));
  return { ...graph, inputs, constants, nodes: graph.nodes.map((node) => inNode(node, replaced)) };
}

function inNode(node: Node, replaced: ReadonlyMap<Value, Constant>): Node {
  if (subgraphsOf(node).length === 0) return node;
  const attributes = new Map<string, Attribute>();
  for (const [name, attribute] of node.attributes) {
    attributes.set(
      name,
      attribute.kind === "graph" ? { kind: "graph", value: inGraph(attribute.value, replaced) } : attribute,
    );
  }
  return { ...node, attributes };
}

/** The model with its Constant nodes' tensors as constants of their graphs, so that weights given as nodes can be pruned. */
export const constantNodesToConstants = (model: Model): Model => ({ ...model, graph: hoist(model.graph) });

function hoist(graph: Graph): Graph {
  const constants = new Map(graph.constants);
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const value = node.op === "Constant" && node.domain === "" ? node.attributes.get("value") : undefined;
    const [output] = node.outputs;
    if (value?.kind === "tensor" && output && value.value.size > 1) {
      output.type ??= { dtype: value.value.dtype, shape: value.value.shape };
      constants.set(output, value.value);
      continue;
    }
    const attributes = new Map<string, Attribute>();
    for (const [name, attribute] of node.attributes) {
      attributes.set(name, attribute.kind === "graph" ? { kind: "graph", value: hoist(attribute.value) } : attribute);
    }
    nodes.push({ ...node, attributes });
  }
  return { ...graph, nodes, constants };
}
