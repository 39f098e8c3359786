import { type Graph, labelOf, type Node, type Value, type ValueType } from "../graph/index.js";
import { SparseTensor } from "../layouts/index.js";
import { locate, NonzeroError, type Tensor } from "../tensor/index.js";
import { Attributes } from "./attributes.js";
import type { EvaluateContext, InferContext, Operand, Operator } from "./operator.js";
import { operatorKey } from "./operator.js";

export type OperatorTable = ReadonlyMap<string, Operator>;

/** The operator of a node. @throws NonzeroError "unsupported" when there is none. */
export function operatorOf(node: Node, table: OperatorTable): Operator {
  const operator = table.get(operatorKey(node));
  if (operator === undefined)
    throw new NonzeroError("unsupported", `no operator '${operatorKey(node)}'`, { node: labelOf(node) });
  return operator;
}

/** Parsed attributes by node, so that running a graph many times parses them once. */
const parsed = new WeakMap<Node, unknown>();

/** The node's attributes as its operator parses them; cached. */
export function attributesFor(node: Node, operator: Operator): unknown {
  if (!parsed.has(node)) parsed.set(node, operator.attributes(new Attributes(node)));
  return parsed.get(node);
}

/** Evaluates one node on the host. Errors name the node. */
export function evaluateNode(
  node: Node,
  inputs: readonly (Tensor | null)[],
  table: OperatorTable,
  context: EvaluateContext,
): readonly Tensor[] {
  return locate({ node: labelOf(node) }, () => {
    const operator = operatorOf(node, table);
    return operator.evaluate(inputs, attributesFor(node, operator), context);
  });
}

/** Infers the types of one node's outputs. Errors name the node. */
export function inferNode(
  node: Node,
  inputs: readonly (Operand | null)[],
  table: OperatorTable,
  context: InferContext,
): readonly ValueType[] {
  return locate({ node: labelOf(node) }, () => {
    const operator = operatorOf(node, table);
    return operator.infer(inputs, attributesFor(node, operator), context);
  });
}

/**
 * Runs a whole graph on the host by its operators' evaluations: the reference that every device is tested against.
 * `feeds` are the graph's inputs in order; `outer` holds values that the graph captures.
 */
export function evaluateGraph(
  graph: Graph,
  feeds: readonly Tensor[],
  table: OperatorTable,
  outer?: (value: Value) => Tensor | undefined,
): Tensor[] {
  const values = new Map<Value, Tensor>();
  graph.inputs.forEach((input, i) => {
    const feed = feeds[i];
    if (feed !== undefined) values.set(input, feed);
  });
  const lookup = (value: Value): Tensor | undefined => {
    const known = values.get(value);
    if (known !== undefined) return known;
    const constant = graph.constants.get(value);
    if (constant === undefined) return outer?.(value);
    const dense = constant instanceof SparseTensor ? constant.toDense() : constant;
    values.set(value, dense);
    return dense;
  };
  const need = (value: Value, reader: string): Tensor => {
    const tensor = lookup(value);
    if (tensor === undefined)
      throw new NonzeroError("invalid-model", `value '${value.name}' is read but never made`, { node: reader });
    return tensor;
  };
  const context: EvaluateContext = { run: (inner, inputs) => evaluateGraph(inner, inputs, table, lookup) };
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((input) => (input === null ? null : need(input, labelOf(node))));
    const outputs = evaluateNode(node, inputs, table, context);
    node.outputs.forEach((output, i) => {
      const tensor = outputs[i];
      if (output !== null && tensor !== undefined) values.set(output, tensor);
    });
  }
  return graph.outputs.map((output) => need(output, `outputs of ${graph.name}`));
}
