import { type Constant, type Graph, subgraphsOf, type Value, type ValueType } from "../graph/index.js";
import { inferNode, type Operand, operators } from "../ops/index.js";
import { NonzeroError } from "../tensor/index.js";
import { fold, inferContext, operandOfConstant, UNKNOWN } from "./fold.js";

/**
 * The type of every value of a graph and of its subgraphs, as far as it follows from the inputs' types (a subgraph's own inputs
 * count as declared). Where an operator cannot tell, or a node cannot be inferred at all, the type is unknown.
 */
export function inferTypes(graph: Graph, inputs: ReadonlyMap<Value, ValueType>): ReadonlyMap<Value, ValueType> {
  const known = new Map<Value, Operand>();
  const constants = new Map<Value, Constant>();
  const look = (value: Value): Operand => known.get(value) ?? { type: value.type ?? UNKNOWN };
  const walk = (inner: Graph): void => {
    for (const input of inner.inputs) known.set(input, { type: inputs.get(input) ?? input.type ?? UNKNOWN });
    for (const [value, constant] of inner.constants) {
      constants.set(value, constant);
      known.set(value, operandOfConstant(constant));
    }
    for (const node of inner.nodes) {
      const operands = node.inputs.map((input) => (input === null ? null : look(input)));
      subgraphsOf(node).forEach(walk);
      const results = quietly(() => fold(node, operands, (value) => constants.get(value)));
      const types = results ?? quietly(() => inferNode(node, operands, operators, inferContext(look))) ?? [];
      node.outputs.forEach((output, i) => {
        const type = types[i];
        if (output === null || type === undefined) return;
        known.set(output, results ? operandOfConstant(results[i]!) : { type });
        if (results) constants.set(output, results[i]!);
      });
    }
  };
  walk(graph);
  return new Map([...known].map(([value, { type }]) => [value, type]));
}

function quietly<T>(body: () => T): T | null {
  try {
    return body();
  } catch (error) {
    if (error instanceof NonzeroError) return null;
    throw error;
  }
}
