import type { SparseTensor } from "../layouts/index.js";
import { type DataType, NonzeroError, type Tensor } from "../tensor/index.js";

/** One dimension: a number, or the name of one that is known when the model runs. */
export type Dim = number | string;

/** What is known of a tensor before it exists; `shape` is null when even the rank is unknown. */
export interface ValueType {
  readonly dtype: DataType;
  readonly shape: readonly Dim[] | null;
}

/** An edge of the graph. Identity is by reference; `name` is for people and files. */
export class Value {
  name: string;
  type: ValueType | null;
  constructor(name: string, type: ValueType | null = null) {
    this.name = name;
    this.type = type;
  }
}

export type Attribute =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "tensor"; readonly value: Tensor }
  | { readonly kind: "graph"; readonly value: Graph }
  | { readonly kind: "ints"; readonly value: readonly number[] }
  | { readonly kind: "floats"; readonly value: readonly number[] }
  | { readonly kind: "strings"; readonly value: readonly string[] };

/** An application of an operator. Optional inputs and outputs that are left out are null. */
export interface Node {
  readonly op: string;
  /** "" is ONNX's default domain. */
  readonly domain: string;
  /** The opset version of `domain` that the model imports: what the operator means. */
  readonly version: number;
  readonly name: string;
  readonly inputs: readonly (Value | null)[];
  readonly outputs: readonly (Value | null)[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}

/** A tensor that the model carries: dense, or sparse in some layout. */
export type Constant = Tensor | SparseTensor;

/**
 * A computation: nodes in topological order over values. A graph inside an attribute (of If, Loop, Scan) may use
 * values of the graphs around it by reference.
 */
export interface Graph {
  readonly name: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly nodes: readonly Node[];
  readonly constants: ReadonlyMap<Value, Constant>;
}

/** A graph and what a model file says about it. */
export interface Model {
  readonly graph: Graph;
  /** Opset version by domain. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly irVersion: number;
  readonly producer: string;
  readonly metadata: ReadonlyMap<string, string>;
}

/** How a node is named in messages: its name, or its operator and first output. */
export const labelOf = (node: Node): string =>
  node.name || `${node.op} → ${node.outputs.find((v) => v !== null)?.name ?? "?"}`;

/** The subgraphs that a node's attributes hold. */
export function subgraphsOf(node: Node): Graph[] {
  const graphs: Graph[] = [];
  for (const attribute of node.attributes.values()) if (attribute.kind === "graph") graphs.push(attribute.value);
  return graphs;
}

/** Values that `graph` (subgraphs included) reads but does not define: what it captures from around it. */
export function capturesOf(graph: Graph): Value[] {
  const defined = new Set<Value>([...graph.inputs, ...graph.constants.keys()]);
  const captured = new Set<Value>();
  for (const node of graph.nodes) {
    for (const input of node.inputs) if (input && !defined.has(input)) captured.add(input);
    for (const inner of subgraphsOf(node))
      for (const value of capturesOf(inner)) if (!defined.has(value)) captured.add(value);
    for (const output of node.outputs) if (output) defined.add(output);
  }
  for (const output of graph.outputs) if (!defined.has(output)) captured.add(output);
  return [...captured];
}

/** The same node with some fields replaced. */
export const withNode = (node: Node, change: Partial<Node>): Node => ({ ...node, ...change });

/**
 * Nodes in an order in which each comes after those that it reads (captures of subgraphs included); stable: independent nodes keep their order.
 * @throws NonzeroError "invalid-model" naming a node on the cycle when there is one.
 */
export function topologicalOrder(nodes: readonly Node[]): Node[] {
  const producer = new Map<Value, Node>();
  for (const node of nodes) for (const output of node.outputs) if (output) producer.set(output, node);
  const order: Node[] = [];
  const state = new Map<Node, "open" | "done">();
  for (const start of nodes) {
    // Depth first without recursion: graphs may be thousands of nodes deep.
    const stack: { node: Node; reads: Value[]; next: number }[] = [];
    const enter = (node: Node): void => {
      if (state.get(node) === "done") return;
      if (state.get(node) === "open")
        throw new NonzeroError("invalid-model", "the graph has a cycle", { node: labelOf(node) });
      state.set(node, "open");
      const reads = node.inputs.filter((v): v is Value => v !== null);
      for (const inner of subgraphsOf(node)) for (const value of capturesOf(inner)) reads.push(value);
      stack.push({ node, reads, next: 0 });
    };
    enter(start);
    while (stack.length > 0) {
      const top = stack[stack.length - 1] as (typeof stack)[number];
      const read = top.reads[top.next++];
      if (read === undefined) {
        stack.pop();
        state.set(top.node, "done");
        order.push(top.node);
      } else {
        const from = producer.get(read);
        if (from !== undefined) enter(from);
      }
    }
  }
  return order;
}
