import {
  type Attribute,
  type Constant,
  capturesOf,
  type Graph,
  type Node,
  subgraphsOf,
  Value,
} from "../graph/index.js";
import { Tensor } from "../tensor/index.js";

/** What a rewriting rule may ask about the graph around a node, outer graphs included. */
export class GraphIndex {
  readonly #producers = new Map<Value, Node>();
  readonly #uses = new Map<Value, number>();
  readonly #constants: ReadonlyMap<Value, Constant>;
  readonly #outer: GraphIndex | null;
  /** Constants that rules made. */
  readonly made = new Map<Value, Constant>();

  constructor(graph: Pick<Graph, "nodes" | "outputs" | "constants">, outer: GraphIndex | null = null) {
    this.#constants = graph.constants;
    this.#outer = outer;
    const use = (value: Value | null): void => {
      if (value !== null) this.#uses.set(value, (this.#uses.get(value) ?? 0) + 1);
    };
    for (const node of graph.nodes) {
      for (const output of node.outputs) if (output !== null) this.#producers.set(output, node);
      node.inputs.forEach(use);
      for (const inner of subgraphsOf(node)) capturesOf(inner).forEach(use);
    }
    graph.outputs.forEach(use);
  }

  /** The node that makes a value; undefined for inputs and constants. */
  producer(value: Value | null | undefined): Node | undefined {
    return value ? (this.#producers.get(value) ?? this.#outer?.producer(value)) : undefined;
  }

  /** Lets the rules that follow see a node that a rule made. */
  note(node: Node): void {
    for (const output of node.outputs) if (output !== null) this.#producers.set(output, node);
  }

  /** The node that makes a value, if it is `op` of the default domain (or `domain::op`). */
  madeBy(value: Value | null | undefined, op: string): Node | undefined {
    const node = this.producer(value);
    return node !== undefined && (node.domain === "" ? node.op : `${node.domain}::${node.op}`) === op
      ? node
      : undefined;
  }

  /** How often a value is read: node inputs, captures and graph outputs of this graph. */
  uses(value: Value): number {
    return this.#uses.get(value) ?? 0;
  }

  constant(value: Value | null | undefined): Constant | undefined {
    if (!value) return undefined;
    return this.made.get(value) ?? this.#constants.get(value) ?? this.#outer?.constant(value);
  }

  /** A dense constant. */
  tensor(value: Value | null | undefined): Tensor | undefined {
    const constant = this.constant(value);
    return constant instanceof Tensor ? constant : undefined;
  }

  /** The number in a constant of one element. */
  scalar(value: Value | null | undefined): number | undefined {
    const tensor = this.tensor(value);
    return tensor?.size === 1 && tensor.dtype !== "string" ? tensor.item() : undefined;
  }

  /** True where a constant holds one number, within float32's rounding of `expected`. */
  isScalar(value: Value | null | undefined, expected: number): boolean {
    const scalar = this.scalar(value);
    return scalar !== undefined && Math.abs(scalar - expected) <= 1e-6 * Math.abs(expected);
  }

  /** Adds a constant to the graph. */
  addConstant(constant: Constant, name: string): Value {
    const value = new Value(name, { dtype: constant.dtype, shape: constant.shape });
    this.made.set(value, constant);
    return value;
  }
}

/** A rule looks at a node and may replace it by others that make the same outputs; what then nobody reads is dropped. */
export type Rule = (node: Node, index: GraphIndex) => readonly Node[] | null;

/** Applies a rule to every node of a graph and of its subgraphs, once each in order, and drops dead code. */
export function rewrite(graph: Graph, rule: Rule, outer: GraphIndex | null = null): Graph {
  const index = new GraphIndex(graph, outer);
  const nodes = graph.nodes.flatMap((node) => {
    const replaced = rule(node, index);
    return replaced ?? [withSubgraphs(node, (inner) => rewrite(inner, rule, index))];
  });
  const constants = index.made.size === 0 ? graph.constants : new Map([...graph.constants, ...index.made]);
  return dropDeadCode({ ...graph, nodes, constants });
}

/** The node with each of its subgraphs replaced. */
export function withSubgraphs(node: Node, change: (graph: Graph) => Graph): Node {
  if (subgraphsOf(node).length === 0) return node;
  const attributes = new Map<string, Attribute>();
  for (const [name, attribute] of node.attributes) {
    attributes.set(name, attribute.kind === "graph" ? { kind: "graph", value: change(attribute.value) } : attribute);
  }
  return { ...node, attributes };
}

/** The graph without nodes and constants that no output needs. */
export function dropDeadCode(graph: Graph): Graph {
  const needed = new Set<Value>(graph.outputs);
  const nodes: Node[] = [];
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i]!;
    if (!node.outputs.some((output) => output !== null && needed.has(output))) continue;
    nodes.push(node);
    for (const input of node.inputs) if (input !== null) needed.add(input);
    for (const inner of subgraphsOf(node)) for (const value of capturesOf(inner)) needed.add(value);
  }
  const constants = new Map([...graph.constants].filter(([value]) => needed.has(value)));
  return { ...graph, nodes: nodes.reverse(), constants };
}

/** The other of two inputs. */
export const otherInput = (node: Node, input: Value): Value | null =>
  (node.inputs[0] === input ? node.inputs[1] : node.inputs[0]) ?? null;

/**
 * True where nothing but `end` itself reads what is computed between `from` and `end`: then `end` may be computed from `from` in
 * another way, and all between is dropped.
 */
export function isClosed(end: Node, from: Value, index: GraphIndex): boolean {
  const reads = new Map<Value, number>();
  const pending = [end];
  const seen = new Set<Node>(pending);
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    for (const input of node.inputs) {
      if (input === null || input === from || index.constant(input) !== undefined) continue;
      reads.set(input, (reads.get(input) ?? 0) + 1);
      const producer = index.producer(input);
      if (producer === undefined) return false;
      if (seen.has(producer)) continue;
      seen.add(producer);
      pending.push(producer);
    }
  }
  return [...reads].every(([value, count]) => index.uses(value) === count);
}
