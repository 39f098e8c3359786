import { type Constant, capturesOf, type Graph, type Node, subgraphsOf, type Value } from "../graph/index.js";
import { SparseTensor } from "../layouts/index.js";
import { inferNode, type Operand, operators } from "../ops/index.js";
import { type DataType, NonzeroError, type Tensor } from "../tensor/index.js";
import { decidedBranch, fold, inferContext, isConcrete } from "./fold.js";

/** A type with every dimension known. */
export interface ConcreteType {
  readonly dtype: DataType;
  readonly shape: readonly number[];
}

/** A node to run. Its inputs are resolved; `captures` says for each value that its subgraphs read from around it where that now is. */
export interface Step {
  readonly node: Node;
  readonly captures: ReadonlyMap<Value, Value>;
}

/** A graph for given input shapes: every type concrete, everything known folded, every decided If inlined. */
export interface Specialized {
  readonly inputs: readonly Value[];
  readonly steps: readonly Step[];
  readonly types: ReadonlyMap<Value, ConcreteType>;
  readonly constants: ReadonlyMap<Value, Constant>;
  /** What to compute: the graph's outputs, or where `rest` is set what it needs of this part. */
  readonly outputs: readonly Value[];
  /**
   * Set when the shape of a node's result depends on data (NonZero, a Loop's scan outputs, …): the last step is that node, whose
   * results' shapes only a run tells, and `rest` is what comes after: a graph whose inputs are `outputs`.
   */
  readonly rest: Graph | null;
}

/** What is known of an input: its type, and its value where the plan may depend on it. */
export interface InputSpec {
  readonly type: ConcreteType;
  readonly value?: Tensor | undefined;
  /** Fed in the device's own memory. */
  readonly onDevice?: boolean;
}

/** @throws NonzeroError "shape" naming the node where shapes don't fit. */
export function specialize(graph: Graph, specs: readonly InputSpec[]): Specialized {
  const types = new Map<Value, ConcreteType>();
  const constants = new Map<Value, Constant>();
  const alias = new Map<Value, Value>();
  const steps: Step[] = [];

  const resolve = (value: Value): Value => {
    let at = value;
    for (let next = alias.get(at); next !== undefined; next = alias.get(at)) at = next;
    return at;
  };
  const define = (value: Value, constant: Constant): void => {
    constants.set(value, constant);
    types.set(value, { dtype: constant.dtype, shape: constant.shape });
  };
  const operandOf = (value: Value): Operand => {
    const at = resolve(value);
    const type = types.get(at);
    if (type === undefined) throw new NonzeroError("invalid-model", `value '${value.name}' is read but never made`);
    const constant = constants.get(at);
    return { type, value: constant instanceof SparseTensor ? undefined : constant };
  };

  graph.inputs.forEach((input, i) => {
    const { type, value } = specs[i]!;
    types.set(input, type);
    if (value !== undefined) constants.set(input, value);
  });
  for (const [value, constant] of graph.constants) define(value, constant);

  const pending = [...graph.nodes].reverse();
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    const operands = node.inputs.map((input) => (input === null ? null : operandOf(input)));
    if (node.op === "Identity" && node.domain === "") {
      alias.set(node.outputs[0]!, node.inputs[0]!);
      continue;
    }
    const branch = decidedBranch(node, operands[0]?.value);
    if (branch !== null) {
      for (const [value, constant] of branch.constants) define(value, constant);
      pending.push(...[...branch.nodes].reverse());
      node.outputs.forEach((output, i) => {
        if (output !== null) alias.set(output, branch.outputs[i]!);
      });
      continue;
    }
    const folded = fold(node, operands, (value) => constants.get(resolve(value)));
    if (folded !== null) {
      node.outputs.forEach((output, i) => {
        if (output !== null && folded[i] !== undefined) define(output, folded[i]);
      });
      continue;
    }
    const captures = subgraphsOf(node).flatMap(capturesOf);
    steps.push({
      node: { ...node, inputs: node.inputs.map((input) => (input === null ? null : resolve(input))) },
      captures: new Map(captures.map((value) => [value, resolve(value)])),
    });
    const inferred = inferNode(node, operands, operators, inferContext(operandOf));
    if (!node.outputs.every((output, i) => output === null || isConcrete(inferred[i]))) {
      const rest = restOf(graph, pending.reverse(), constants, resolve);
      return prune({ inputs: graph.inputs, steps, types, constants, outputs: rest.inputs, rest });
    }
    node.outputs.forEach((output, i) => {
      if (output !== null) types.set(output, inferred[i] as ConcreteType);
    });
  }
  return prune({ inputs: graph.inputs, steps, types, constants, outputs: graph.outputs.map(resolve), rest: null });
}

/** What follows the node that ended a plan, as a graph of its own. Its inputs are the values that it reads from before. */
function restOf(
  graph: Graph,
  pending: readonly Node[],
  constants: ReadonlyMap<Value, Constant>,
  resolve: (value: Value) => Value,
): Graph {
  const made = new Set(pending.flatMap((node) => node.outputs));
  const nodes = pending.map((node) => ({
    ...node,
    inputs: node.inputs.map((input) => (input === null || made.has(input) ? input : resolve(input))),
  }));
  // Subgraphs name what they capture themselves: where that is an alias by now, a node makes it anew under its name.
  const renamed = pending
    .flatMap((node) => subgraphsOf(node).flatMap(capturesOf))
    .filter((value, i, all) => !made.has(value) && resolve(value) !== value && all.indexOf(value) === i)
    .map(
      (value): Node => ({
        op: "Identity",
        domain: "",
        version: 21,
        name: "",
        inputs: [resolve(value)],
        outputs: [value],
        attributes: new Map(),
      }),
    );
  const outputs = graph.outputs.map(resolve);
  const open: Graph = { name: graph.name, inputs: [], outputs, nodes: [...renamed, ...nodes], constants };
  return { ...open, inputs: capturesOf(open) };
}

/** Drops steps whose results nobody reads, and constants that no step reads. */
export function prune(spec: Specialized): Specialized {
  const { steps, needed } = liveSteps(spec.steps, spec.outputs, spec.rest !== null);
  const constants = new Map([...spec.constants].filter(([value]) => needed.has(value)));
  return { ...spec, steps, constants };
}

/** The steps that make `outputs`, and all that they read; with `endsPlan` the last step stays whether it does or not. */
export function liveSteps(
  steps: readonly Step[],
  outputs: readonly Value[],
  endsPlan: boolean,
): { steps: readonly Step[]; needed: ReadonlySet<Value> } {
  const needed = new Set<Value>(outputs);
  const live: Step[] = [];
  for (let i = steps.length - 1; i >= 0; i--) {
    const step = steps[i]!;
    const ends = endsPlan && i === steps.length - 1;
    if (!ends && !step.node.outputs.some((output) => output !== null && needed.has(output))) continue;
    for (const input of step.node.inputs) if (input !== null) needed.add(input);
    for (const capture of step.captures.values()) needed.add(capture);
    live.push(step);
  }
  return { steps: live.reverse(), needed };
}
