import type { Node, Value } from "../../graph/index.js";
import { attributesFor, operatorOf, operators } from "../../ops/index.js";
import type { StepGraph, StepRule } from "./step-graph.js";

const RESHAPING = new Set(["Reshape", "Squeeze", "Unsqueeze", "Flatten"]);

/**
 * Nodes that move no element: those that change nothing are dropped, all that only give another shape become one Reshape of where
 * the elements come from (Reshape∘Unsqueeze, a Transpose that moves axes of one element alone), and of two Transposes one remains.
 */
export const simplifyRenames: StepRule = (node, graph) => {
  if (node.domain !== "") return null;
  const [input] = node.inputs;
  const [output] = node.outputs;
  if (!input || !output || node.outputs.length !== 1 || graph.type(output) === undefined) return null;
  if (node.op === "Concat") return dropEmptyParts(node, output, graph);
  if (changesNothing(node, input, output, graph)) {
    graph.replace(output, input);
    return [];
  }
  if (node.op === "Transpose") return simplifyTranspose(node, input, output, graph);
  return RESHAPING.has(node.op) ? renamed(node, input, output, graph) : null;
};

/** The output as a Reshape of the first value that is no Reshape itself. */
function renamed(node: Node, input: Value, output: Value, graph: StepGraph): Node[] | null {
  let source = input;
  for (let from = graph.madeBy(source, "Reshape"); from !== undefined; from = graph.madeBy(source, "Reshape"))
    source = from.inputs[0]!;
  const shape = graph.shape(output);
  if (same(graph.shape(source), shape)) {
    graph.replace(output, source);
    return [];
  }
  return node.op === "Reshape" && source === input ? null : [graph.reshape(source, shape, node.name, output)];
}

function changesNothing(node: Node, input: Value, output: Value, graph: StepGraph): boolean {
  const [from, to] = [graph.type(input), graph.type(output)];
  if (from.dtype !== to.dtype || !same(from.shape, to.shape)) return false;
  switch (node.op) {
    case "Identity":
    case "Cast":
    case "Expand":
    case "Reshape":
    case "Squeeze":
    case "Unsqueeze":
    case "Flatten":
      return true;
    case "Slice":
      return node.inputs[4] == null || graph.ints(node.inputs[4])?.every((step) => step > 0) === true;
    case "Transpose":
      return permOf(node, from.shape.length).every((axis, i) => axis === i);
    default:
      return false;
  }
}

function simplifyTranspose(node: Node, input: Value, output: Value, graph: StepGraph): Node[] | null {
  const shape = graph.shape(input);
  let perm = permOf(node, shape.length);
  let source = input;
  const inner = graph.madeBy(input, "Transpose");
  if (inner !== undefined) {
    const first = permOf(inner, shape.length);
    perm = perm.map((axis) => first[axis]!);
    source = inner.inputs[0]!;
  }
  const from = graph.shape(source);
  if (perm.every((axis, i) => axis === i)) {
    graph.replace(output, source);
    return [];
  }
  const moved = perm.filter((axis) => from[axis] !== 1);
  if (moved.every((axis, i) => i === 0 || axis > moved[i - 1]!)) return renamed(node, source, output, graph);
  if (source === input) return null;
  return [graph.node("Transpose", [source], { perm }, node.name, { version: node.version, outputs: [output] })];
}

function dropEmptyParts(node: Node, output: Value, graph: StepGraph): Node[] | null {
  const shape = graph.shape(output);
  if (shape.includes(0)) return null;
  const parts = node.inputs.filter((part) => part === null || !graph.shape(part).includes(0));
  if (parts.length === 1 && parts[0]) {
    graph.replace(output, parts[0]);
    return [];
  }
  return parts.length === node.inputs.length ? null : [{ ...node, inputs: parts }];
}

/** A Transpose's permutation: output axis i is input axis perm[i]. */
export function permOf(node: Node, rank: number): number[] {
  const { perm } = attributesFor(node, operatorOf(node, operators)) as { perm: readonly number[] | null };
  return perm?.map((axis) => (axis < 0 ? axis + rank : axis)) ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
}

export const same = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((dim, i) => dim === b[i]);
