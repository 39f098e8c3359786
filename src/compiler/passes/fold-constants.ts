import { type Constant, capturesOf, type Graph, type Node, subgraphsOf, type Value } from "../../graph/index.js";
import { SparseTensor } from "../../layouts/index.js";
import { NonzeroError } from "../../tensor/index.js";
import { decidedBranch, fold, operandOfConstant, UNKNOWN } from "../fold.js";
import type { Pass } from "../pass.js";
import { dropDeadCode, withSubgraphs } from "../rewrite.js";

/**
 * Computes what depends on constants alone, takes the branch of every If whose condition is constant, and drops Identity and
 * Dropout (inference). A Transpose of a sparse constant turns its axes instead of unpacking it.
 */
export const foldConstants: Pass = { name: "fold-constants", run: (graph) => foldGraph(graph, () => undefined) };

function foldGraph(graph: Graph, outer: (value: Value) => Constant | undefined): Graph {
  const constants = new Map(graph.constants);
  const alias = new Map<Value, Value>();
  const resolve = (value: Value): Value => {
    let at = value;
    for (let next = alias.get(at); next !== undefined; next = alias.get(at)) at = next;
    return at;
  };
  const read = readValues(graph);
  const constantOf = (value: Value): Constant | undefined => constants.get(resolve(value)) ?? outer(resolve(value));
  const nodes: Node[] = [];
  const pending = [...graph.nodes].reverse();
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    const inputs = node.inputs.map((input) => (input === null ? null : resolve(input)));
    const operands = inputs.map((input) => {
      if (input === null) return null;
      const constant = constantOf(input);
      return constant === undefined ? { type: input.type ?? UNKNOWN } : operandOfConstant(constant);
    });
    if (isIdentity(node, read)) {
      alias.set(node.outputs[0]!, inputs[0]!);
      continue;
    }
    const branch = decidedBranch(node, operands[0]?.value);
    if (branch !== null) {
      for (const [value, constant] of branch.constants) constants.set(value, constant);
      pending.push(...[...branch.nodes].reverse());
      node.outputs.forEach((output, i) => {
        if (output !== null) alias.set(output, branch.outputs[i]!);
      });
      continue;
    }
    const turned = transposedSparse(node, inputs[0] && constantOf(inputs[0]));
    if (turned !== null) {
      constants.set(node.outputs[0]!, turned);
      continue;
    }
    const known = operands.every((operand) => operand === null || operand.value !== undefined);
    const folded = known ? tryFold(node, operands, constantOf) : null;
    if (folded !== null) {
      node.outputs.forEach((output, i) => {
        if (output !== null && folded[i] !== undefined) constants.set(output, folded[i]);
      });
      continue;
    }
    nodes.push(withSubgraphs({ ...node, inputs }, (inner) => foldGraph(inner, constantOf)));
  }
  // Subgraphs and outputs keep the names that they read: an Identity makes what now goes by another.
  const missing = (value: Value): boolean => alias.has(value);
  const outputs = graph.outputs.map((output) => {
    if (!missing(output)) return output;
    nodes.push(identity(resolve(output), output));
    return output;
  });
  const renamed = [...alias.keys()]
    .filter((value) => !outputs.includes(value))
    .map((value) => identity(resolve(value), value));
  return dropDeadCode({ ...graph, nodes: orderAliases(nodes, renamed), outputs, constants });
}

/** Identities go right after what they copy; those that nobody reads are dropped with the dead code. */
function orderAliases(nodes: readonly Node[], identities: readonly Node[]): Node[] {
  const waiting = new Map<Value, Node[]>();
  const made = new Set<Value>(
    nodes.flatMap((node) => node.outputs.filter((output): output is Value => output !== null)),
  );
  const ordered: Node[] = [];
  for (const node of identities) {
    const source = node.inputs[0]!;
    if (!made.has(source)) ordered.push(node);
    else waiting.set(source, [...(waiting.get(source) ?? []), node]);
  }
  for (const node of nodes) {
    ordered.push(node);
    for (const output of node.outputs) if (output !== null) ordered.push(...(waiting.get(output) ?? []));
  }
  return ordered;
}

const identity = (from: Value, to: Value): Node => ({
  op: "Identity",
  domain: "",
  version: 21,
  name: "",
  inputs: [from],
  outputs: [to],
  attributes: new Map(),
});

function isIdentity(node: Node, read: ReadonlySet<Value>): boolean {
  if (node.domain !== "") return false;
  if (node.op === "Identity") return true;
  const alone = node.outputs.slice(1).every((output) => output === null || !read.has(output));
  return node.op === "Dropout" && node.inputs.length < 3 && alone;
}

/** The values that a graph's nodes, their subgraphs and its outputs read. */
function readValues(graph: Graph): ReadonlySet<Value> {
  const read = new Set<Value>(graph.outputs);
  for (const node of graph.nodes) {
    for (const input of node.inputs) if (input !== null) read.add(input);
    for (const inner of subgraphsOf(node)) {
      for (const value of capturesOf(inner)) read.add(value);
      for (const value of readValues(inner)) read.add(value);
    }
  }
  return read;
}

/** What a Transpose makes of a sparse constant: the same matrix under other axes; null for other nodes and constants. */
export function transposedSparse(node: Node, constant: Constant | null | undefined): SparseTensor | null {
  if (node.op !== "Transpose" || node.domain !== "" || !(constant instanceof SparseTensor)) return null;
  const attribute = node.attributes.get("perm");
  const perm =
    attribute?.kind === "ints" ? attribute.value : constant.shape.map((_, i) => constant.shape.length - 1 - i);
  const shape = perm.map((axis) => constant.shape[axis]!);
  return new SparseTensor(
    shape,
    constant.perm.map((axis) => perm.indexOf(axis)),
    constant.stored,
  );
}

/** Folding may fail where running would not (a branch never taken): such nodes stay as they are. */
function tryFold(node: Node, operands: Parameters<typeof fold>[1], outer: (value: Value) => Constant | undefined) {
  try {
    return fold(node, operands, outer);
  } catch (error) {
    if (error instanceof NonzeroError) return null;
    throw error;
  }
}
