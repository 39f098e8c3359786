import {
  type Constant,
  capturesOf,
  type Graph,
  type Node,
  subgraphsOf,
  type Value,
  type ValueType,
} from "../graph/index.js";
import { SparseTensor } from "../layouts/index.js";
import {
  attributesFor,
  type EvaluateContext,
  evaluateGraph,
  evaluateNode,
  type InferContext,
  inferNode,
  type Operand,
  operatorOf,
  operators,
} from "../ops/index.js";
import { sizeOf, type Tensor } from "../tensor/index.js";

/** Results with more elements than this are computed when the model runs, not folded into it. */
const FOLD_LIMIT = 1 << 27;

export const UNKNOWN: ValueType = { dtype: "float32", shape: null };

export const isConcrete = (type: ValueType | undefined): boolean =>
  type?.shape?.every((dim) => typeof dim === "number") ?? false;

/** What inference may know of a constant: a sparse one is never unpacked for it. */
export const operandOfConstant = (constant: Constant): Operand => ({
  type: { dtype: constant.dtype, shape: constant.shape },
  value: constant instanceof SparseTensor ? undefined : constant,
});

/** A node's outputs where they follow from what is known of its inputs, else null. `outer` gives the constants that its subgraphs capture. */
export function fold(
  node: Node,
  operands: readonly (Operand | null)[],
  outer: (value: Value) => Constant | undefined,
): readonly Tensor[] | null {
  const operator = operatorOf(node, operators);
  if (operator.deterministic === false) return null;
  const fromTypes = operator.fromTypes?.(operands, attributesFor(node, operator));
  if (fromTypes) return fromTypes;
  if (operands.some((operand) => operand !== null && operand.value === undefined)) return null;
  const captures = subgraphsOf(node).flatMap(capturesOf);
  if (captures.some((value) => outer(value) === undefined)) return null;
  if (captures.length === 0) {
    const types = inferNode(node, operands, operators, inferContext());
    if (types.some((type) => isConcrete(type) && sizeOf(type.shape as number[]) > FOLD_LIMIT)) return null;
  }
  const dense = (value: Value): Tensor | undefined => {
    const constant = outer(value);
    return constant instanceof SparseTensor ? constant.toDense() : constant;
  };
  const context: EvaluateContext = { run: (graph, feeds) => evaluateGraph(graph, feeds, operators, dense) };
  const values = operands.map((operand) => operand?.value ?? null);
  return evaluateNode(node, values, operators, context);
}

/** Inference of subgraphs, node by node; what `outer` does not know is unknown. */
export function inferContext(outer: (value: Value) => Operand = () => ({ type: UNKNOWN })): InferContext {
  return {
    infer(graph: Graph, inputs) {
      const known = new Map<Value, Operand>();
      graph.inputs.forEach((input, i) => known.set(input, inputs[i] ?? { type: input.type ?? UNKNOWN }));
      for (const [value, constant] of graph.constants) known.set(value, operandOfConstant(constant));
      const look = (value: Value): Operand => known.get(value) ?? outer(value);
      for (const node of graph.nodes) {
        const operands = node.inputs.map((input) => (input === null ? null : look(input)));
        const types = inferNode(node, operands, operators, inferContext(look));
        node.outputs.forEach((output, i) => {
          if (output !== null) known.set(output, { type: types[i] ?? UNKNOWN });
        });
      }
      return graph.outputs.map((output) => look(output).type);
    },
  };
}

/** The branch of an If whose condition is known. */
export function decidedBranch(node: Node, condition: Tensor | undefined): Graph | null {
  if (node.op !== "If" || node.domain !== "" || condition === undefined) return null;
  const attribute = node.attributes.get(condition.item() !== 0 ? "then_branch" : "else_branch");
  return attribute?.kind === "graph" ? attribute.value : null;
}
