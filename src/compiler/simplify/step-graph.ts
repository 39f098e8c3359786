import {
  type AttributeLike,
  attributesOf,
  type Constant,
  type Graph,
  type Node,
  subgraphsOf,
  Value,
} from "../../graph/index.js";
import { SparseTensor } from "../../layouts/index.js";
import { inferNode, type Operand, operators } from "../../ops/index.js";
import { Tensor } from "../../tensor/index.js";
import { inferContext } from "../fold.js";
import { type ConcreteType, liveSteps, prune, type Specialized, type Step } from "../specialize.js";

/**
 * A rule looks at a node and may give others that make its outputs instead, or replace the outputs by values that there are
 * already (`StepGraph.replace`) and give nothing. What then nobody reads is dropped.
 */
export type StepRule = (node: Node, graph: StepGraph) => readonly Node[] | null;

/** How a node that a rule makes differs from a plain one with one new output. */
export interface MadeNode {
  readonly domain?: string;
  readonly version?: number;
  readonly outputs?: readonly (Value | null)[];
}

/** A specialized graph while rules change it: every shape is known, and so is who makes and how often something reads each value. */
export class StepGraph {
  readonly #inputs: readonly Value[];
  readonly #rest: Graph | null;
  readonly #types: Map<Value, ConcreteType>;
  readonly #constants: Map<Value, Constant>;
  readonly #replaced = new Map<Value, Value>();
  readonly #derived = new Map<unknown, Map<string, Value>>();
  #steps: readonly Step[];
  #outputs: readonly Value[];
  #producers = new Map<Value, Node>();
  #reads = new Map<Value, number>();
  #kept = new Set<Value>();

  constructor(spec: Specialized) {
    this.#inputs = spec.inputs;
    this.#rest = spec.rest;
    this.#types = new Map(spec.types);
    this.#constants = new Map(spec.constants);
    this.#steps = spec.steps;
    this.#outputs = spec.outputs;
  }

  /** Applies a rule to every node, in order. Nodes with subgraphs stay, and so does one that ends a plan. */
  rewrite(rule: StepRule): void {
    this.#count();
    const last = this.#rest === null ? null : this.#steps[this.#steps.length - 1];
    const steps: Step[] = [];
    for (const step of this.#steps) {
      const current = this.#current(step);
      const fixed = step === last || subgraphsOf(step.node).length > 0;
      const made = fixed ? null : rule(current.node, this);
      if (made !== null) for (const node of made) this.#read(node.inputs);
      for (const next of made?.map((node): Step => ({ node, captures: new Map() })) ?? [current]) {
        for (const output of next.node.outputs) if (output !== null) this.#producers.set(output, next.node);
        steps.push(next);
      }
    }
    this.#outputs = this.#outputs.map((output) => this.#resolve(output));
    this.#steps = liveSteps(steps, this.#outputs, this.#rest !== null).steps;
  }

  specialized(): Specialized {
    return prune({
      inputs: this.#inputs,
      steps: this.#steps,
      types: this.#types,
      constants: this.#constants,
      outputs: this.#outputs,
      rest: this.#rest,
    });
  }

  /** The node that makes a value; undefined for inputs and constants. */
  producer(value: Value | null | undefined): Node | undefined {
    return value ? this.#producers.get(value) : undefined;
  }

  /** The node that makes a value, if it is `op` of the default domain. */
  madeBy(value: Value | null | undefined, op: string): Node | undefined {
    const node = this.producer(value);
    return node?.op === op && node.domain === "" ? node : undefined;
  }

  /** How often nodes read a value; being an output of the graph counts as well. Never too few. */
  uses(value: Value): number {
    return (this.#reads.get(value) ?? 0) + (this.#kept.has(value) ? 1 : 0);
  }

  isOutput(value: Value): boolean {
    return this.#kept.has(value);
  }

  type(value: Value): ConcreteType {
    return this.#types.get(value)!;
  }

  shape(value: Value): readonly number[] {
    return this.type(value).shape;
  }

  isConstant(value: Value): boolean {
    return this.#constants.has(value);
  }

  /** A dense constant. */
  tensor(value: Value | null | undefined): Tensor | undefined {
    const constant = value ? this.#constants.get(value) : undefined;
    return constant instanceof Tensor ? constant : undefined;
  }

  /** The number in a constant of one element. */
  scalar(value: Value | null | undefined): number | undefined {
    const tensor = this.tensor(value);
    return tensor?.size === 1 && tensor.dtype !== "string" ? tensor.item() : undefined;
  }

  /** The numbers in a small constant of integers; undefined where the value is not constant. */
  ints(value: Value | null | undefined): number[] | undefined {
    const tensor = this.tensor(value);
    return tensor === undefined ? undefined : Array.from(tensor.numbers());
  }

  /** From now on whoever reads `from` reads `to`. */
  replace(from: Value, to: Value): void {
    const target = this.#resolve(to);
    this.#replaced.set(from, target);
    this.#reads.set(target, (this.#reads.get(target) ?? 0) + (this.#reads.get(from) ?? 0));
    if (this.#kept.has(from)) this.#kept.add(target);
  }

  constant(tensor: Tensor, name: string): Value {
    const value = new Value(name, { dtype: tensor.dtype, shape: tensor.shape });
    this.#constants.set(value, tensor);
    this.#types.set(value, { dtype: tensor.dtype, shape: tensor.shape });
    return value;
  }

  /** A constant made from another, once for each of its tensors' data and each key. */
  derived(from: Tensor, key: string, make: () => Tensor): Value {
    let made = this.#derived.get(from.data);
    if (made === undefined) {
      made = new Map();
      this.#derived.set(from.data, made);
    }
    let value = made.get(key);
    if (value === undefined) {
      value = this.constant(make(), key);
      made.set(key, value);
    }
    return value;
  }

  /** A node whose outputs, where none are given, is one new value. Their types are inferred. */
  node(
    op: string,
    inputs: readonly (Value | null)[],
    attributes: Readonly<Record<string, AttributeLike>>,
    name: string,
    { domain = "", version = 23, outputs = [new Value(name)] }: MadeNode = {},
  ): Node {
    const node: Node = { op, domain, version, name, inputs, outputs, attributes: attributesOf(attributes) };
    const operands = inputs.map((input) => (input === null ? null : this.#operand(input)));
    const types = inferNode(node, operands, operators, inferContext());
    outputs.forEach((output, i) => {
      if (output !== null && !this.#types.has(output)) this.#types.set(output, types[i] as ConcreteType);
    });
    return node;
  }

  /** A node that gives `input` another shape of the same size. */
  reshape(input: Value, shape: readonly number[], name: string, output = new Value(name)): Node {
    const dims = this.constant(Tensor.from("int64", [shape.length], shape), `${name}/shape`);
    const attributes = shape.includes(0) ? { allowzero: 1 } : {};
    return this.node("Reshape", [input, dims], attributes, name, { outputs: [output] });
  }

  #operand(value: Value): Operand {
    const constant = this.#constants.get(value);
    return { type: this.type(value), value: constant instanceof SparseTensor ? undefined : constant };
  }

  #resolve(value: Value): Value {
    let at = value;
    for (let next = this.#replaced.get(at); next !== undefined; next = this.#replaced.get(at)) at = next;
    return at;
  }

  #current(step: Step): Step {
    const { node, captures } = step;
    const stale = [...node.inputs, ...captures.values()].some((value) => value !== null && this.#replaced.has(value));
    if (!stale) return step;
    return {
      node: { ...node, inputs: node.inputs.map((input) => (input === null ? null : this.#resolve(input))) },
      captures: new Map([...captures].map(([inner, value]) => [inner, this.#resolve(value)])),
    };
  }

  #count(): void {
    this.#producers = new Map();
    this.#reads = new Map();
    this.#kept = new Set(this.#outputs);
    for (const { node, captures } of this.#steps) {
      for (const output of node.outputs) if (output !== null) this.#producers.set(output, node);
      this.#read(node.inputs);
      this.#read(captures.values());
    }
  }

  #read(values: Iterable<Value | null>): void {
    for (const value of values) if (value !== null) this.#reads.set(value, (this.#reads.get(value) ?? 0) + 1);
  }
}

/**
 * True where nothing but `end` itself sees what is computed between `from` and `end`: then `end` may be computed from `from` in
 * another way, and all between is dropped. `from` must cut `end` off from the inputs, up to constants.
 */
export function isClosed(end: Node, from: readonly Value[], graph: StepGraph): boolean {
  const reads = new Map<Value, number>();
  const pending = [end];
  const seen = new Set<Node>(pending);
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    for (const input of node.inputs) {
      if (input === null || from.includes(input) || graph.isConstant(input)) continue;
      reads.set(input, (reads.get(input) ?? 0) + 1);
      const producer = graph.producer(input);
      if (producer === undefined) return false;
      if (seen.has(producer)) continue;
      seen.add(producer);
      pending.push(producer);
    }
  }
  return [...reads].every(([value, count]) => graph.uses(value) === count);
}
