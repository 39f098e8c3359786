import { type Constant, capturesOf, type Graph, labelOf, subgraphsOf, type Value } from "../graph/index.js";
import { type DataType, locateAsync, NonzeroError, Tensor } from "../tensor/index.js";
import type { Fetches } from "./deliver.js";
import { readsValue, shapingInputs, signatureOf, specOf } from "./signature.js";
import { type ConcreteType, type InputSpec, type Specialized, type Step, specialize } from "./specialize.js";

/** What a run gives: at once, or where the device works on its own, later. */
export type Results = Tensor[] | Promise<Tensor[]>;
/** What a profile gives, as late as results `R`. */
export type Profile<R extends Results> =
  R extends Promise<unknown> ? Promise<readonly TimedStep[]> : readonly TimedStep[];

/** A tensor wherever it is: a `Tensor` on the host, or another object for one in a device's own memory, which only plans of that device read. */
export interface LocatedTensor {
  readonly dtype: DataType;
  readonly shape: readonly number[];
}

/** A specialized graph made ready to run on some device. */
export interface Plan<R extends Results = Tensor[]> {
  /**
   * Outputs for feeds of exactly the types that the plan was made for, in order of `Specialized.outputs`; those that have a tensor in
   * `fetches` are written into it.
   */
  run(feeds: readonly Tensor[], fetches?: Fetches): R;
  /** On devices with memory of their own: feeds may be there, and outputs stay there where the plan's maker was told so. */
  runLocated?(feeds: readonly LocatedTensor[]): Promise<LocatedTensor[]>;
  /** What runs where, in order. */
  describe(): readonly PlanStep[];
  /** Runs each step by itself and says how long it took, in milliseconds; slower as a whole than `run`. */
  profile(feeds: readonly Tensor[]): Profile<R>;
  /** Gives back what the plan holds on its device. */
  release(): void;
}

/** A plan whose inputs and outputs have places of their own in the device's memory. */
export interface BoundPlan {
  /** Tensors over that memory, in order of `Specialized.inputs`. They go stale when the memory grows: take them late. */
  inputs(): Tensor[];
  outputs(): Tensor[];
  /** From what is in the inputs now to the outputs. */
  run(): void;
  release(): void;
}

/** One line of a plan's description. */
export interface PlanStep {
  readonly op: string;
  readonly name: string;
  /** The kernel's name, or "evaluation" where the device has none and the host evaluates the operator. */
  readonly kernel: string;
  /** Bytes that this step moves between the host and a device that has no kernel for it. */
  readonly transferBytes?: number;
}

/** A step and its time in milliseconds. */
export interface TimedStep extends PlanStep {
  readonly milliseconds: number;
}

/** Makes plans for one device. */
export interface PlanMaker<R extends Results = Tensor[]> {
  /** `fed`: the inputs that come in the device's own memory; none where it is left out. */
  plan(spec: Specialized, host: HostSteps, fed?: ReadonlySet<Value>): Plan<R>;
  /** A plan that copies nothing in or out; for devices that work in memory which the host sees. */
  bind?(spec: Specialized, host: HostSteps): BoundPlan;
  /** A tensor of the device's memory on the host. */
  download?(tensor: LocatedTensor): Promise<Tensor>;
  /** A maker for plans that run in the middle of this one's (bodies of Loop and Scan): they must not share its activations' memory. */
  nested(): PlanMaker;
}

/** What a plan needs for steps that the host runs: subgraphs go through executors of their own. */
export interface HostSteps {
  runSubgraph(graph: Graph, feeds: readonly Tensor[], captured: (value: Value) => Tensor): Tensor[];
}

/** Plans kept per executor; the least recently used goes first. */
const CACHED_PLANS = 64;

interface Entry<R extends Results> {
  readonly plan: Plan<R>;
  readonly spec: Specialized;
  /** Runs what follows a data-dependent shape. */
  readonly rest: Executor<R> | null;
}

/** Runs a graph for whatever shapes come: a plan per signature, in a bounded cache. */
export class Executor<R extends Results = Tensor[]> {
  readonly #graph: Graph;
  readonly #maker: PlanMaker<R>;
  readonly #shaping: ReadonlySet<Value>;
  readonly #plans = new Map<string, Entry<R>>();
  readonly #bound = new Set<BoundPlan>();
  #constants: ReadonlyMap<Value, Constant> | undefined;
  readonly #subgraphs = new Map<Graph, { executor: Executor; captures: Value[] }>();

  constructor(graph: Graph, maker: PlanMaker<R>) {
    this.#graph = graph;
    this.#maker = maker;
    this.#shaping = shapingInputs(graph);
  }

  /** `feeds` in order of the graph's inputs; the outputs in order, in the tensors of `fetches` where there are any. */
  run(feeds: readonly Tensor[], fetches: Fetches = []): R {
    const { plan, rest } = this.#entry(feeds);
    if (rest === null) return plan.run(feeds, fetches);
    const values = plan.run(feeds);
    return (values instanceof Promise ? values.then((now) => rest.run(now, fetches)) : rest.run(values, fetches)) as R;
  }

  /**
   * As `run`, with feeds that may be in the device's memory, and outputs that the maker keeps there. What a plan's shapes depend on is read
   * back first.
   * @throws NonzeroError "unsupported" where the device has no memory of its own.
   */
  async runLocated(feeds: readonly LocatedTensor[]): Promise<LocatedTensor[]> {
    const known = await Promise.all(feeds.map((feed, i) => this.#withValue(this.#graph.inputs[i]!, feed)));
    const { plan, rest } = this.#entry(known);
    if (plan.runLocated === undefined) throw new NonzeroError("unsupported", "this device has no memory of its own");
    const outputs = await plan.runLocated(known);
    return rest === null ? outputs : rest.runLocated(outputs);
  }

  /**
   * A plan for inputs of these types, in order of the graph's inputs, that stay in the device's memory. Released with the executor.
   * @throws NonzeroError "unsupported" where the device can't, where a shape depends on data, or naming an input whose value decides shapes.
   */
  bind(types: readonly ConcreteType[]): BoundPlan {
    const specs = this.#graph.inputs.map((input, i): InputSpec => {
      if (this.#shaping.has(input))
        throw new NonzeroError("unsupported", "its value decides shapes, so it cannot be bound", { field: input.name });
      return { type: types[i]! };
    });
    const spec = specialize(this.#graph, specs);
    if (spec.rest !== null)
      throw new NonzeroError("unsupported", "a model with shapes that depend on data cannot be bound");
    if (this.#maker.bind === undefined)
      throw new NonzeroError("unsupported", "this device has no memory that the host could see");
    const plan = this.#maker.bind(spec, this.#host());
    this.#bound.add(plan);
    const held = (): BoundPlan => {
      if (!this.#bound.has(plan)) throw new NonzeroError("invalid-argument", "the binding was released");
      return plan;
    };
    return {
      inputs: () => held().inputs(),
      outputs: () => held().outputs(),
      run: () => held().run(),
      release: () => {
        if (this.#bound.delete(plan)) plan.release();
      },
    };
  }

  /** The steps that `run` would take for these feeds up to the first data-dependent shape. */
  describe(feeds: readonly LocatedTensor[]): readonly PlanStep[] {
    return this.#entry(feeds).plan.describe();
  }

  /** As `describe`, with each step's time. */
  profile(feeds: readonly Tensor[]): Profile<R> {
    return this.#entry(feeds).plan.profile(feeds);
  }

  /** Lets the plans go, so that runs from now on make new ones. Bindings keep theirs. */
  replan(): void {
    for (const { plan, rest } of this.#plans.values()) {
      plan.release();
      rest?.release();
    }
    this.#plans.clear();
    for (const { executor } of this.#subgraphs.values()) executor.replan();
  }

  release(): void {
    this.replan();
    for (const plan of this.#bound) plan.release();
    this.#bound.clear();
    for (const { executor } of this.#subgraphs.values()) executor.release();
    this.#subgraphs.clear();
  }

  /** The feed, on the host where a plan is made for its value. */
  async #withValue(input: Value, feed: LocatedTensor): Promise<LocatedTensor> {
    if (feed instanceof Tensor || !readsValue(input, feed, this.#shaping)) return feed;
    const maker = this.#maker;
    return locateAsync({ field: input.name }, () => maker.download?.(feed) ?? feed);
  }

  #entry(feeds: readonly LocatedTensor[]): Entry<R> {
    const specs = this.#graph.inputs.map((input, i) => specOf(input, feeds[i]!, this.#shaping));
    const key = signatureOf(specs);
    let entry = this.#plans.get(key);
    this.#plans.delete(key);
    entry ??= this.#make(specs);
    this.#plans.set(key, entry); // the newest is last
    if (this.#plans.size > CACHED_PLANS) {
      const [oldest, old] = this.#plans.entries().next().value as [string, Entry<R>];
      this.#plans.delete(oldest);
      old.plan.release();
      old.rest?.release();
    }
    return entry;
  }

  #make(specs: readonly InputSpec[]): Entry<R> {
    const spec = specialize(this.#graph, specs);
    const rest = spec.rest === null ? null : new Executor(spec.rest, this.#maker);
    const fed = new Set(this.#graph.inputs.filter((_, i) => specs[i]!.onDevice));
    return { plan: this.#maker.plan(spec, this.#host(), fed), spec, rest };
  }

  #host(): HostSteps {
    return { runSubgraph: (graph, feeds, captured) => this.#runSubgraph(graph, feeds, captured) };
  }

  #runSubgraph(graph: Graph, feeds: readonly Tensor[], captured: (value: Value) => Tensor): Tensor[] {
    let known = this.#subgraphs.get(graph);
    if (known === undefined) {
      this.#constants ??= constantsOf(this.#graph);
      const fixed = this.#constants;
      const outer = capturesOf(graph);
      const captures = outer.filter((value) => !fixed.has(value));
      const constants = new Map(graph.constants);
      for (const value of outer) if (fixed.has(value)) constants.set(value, fixed.get(value)!);
      const closed: Graph = { ...graph, inputs: [...graph.inputs, ...captures], constants };
      known = { executor: new Executor(closed, this.#maker.nested()), captures };
      this.#subgraphs.set(graph, known);
    }
    return known.executor.run([...feeds, ...known.captures.map(captured)]);
  }
}

/** The constants of a graph and of its subgraphs, which a subgraph may capture. */
function constantsOf(graph: Graph): Map<Value, Constant> {
  const constants = new Map(graph.constants);
  for (const inner of graph.nodes.flatMap(subgraphsOf)) {
    for (const [value, constant] of constantsOf(inner)) constants.set(value, constant);
  }
  return constants;
}

/** The dense tensor of a constant, unpacked at most once. */
export function denseOf(constant: Constant, cache: Map<Constant, Tensor>): Tensor {
  if (constant instanceof Tensor) return constant;
  let dense = cache.get(constant);
  if (dense === undefined) {
    dense = constant.toDense();
    cache.set(constant, dense);
  }
  return dense;
}

/** Throws unless an evaluation gave what inference promised: kernels after it rely on the shape. */
export function checkOutput(step: Step, value: Value, tensor: Tensor | undefined, spec: Specialized): Tensor {
  const type = spec.types.get(value);
  if (tensor === undefined)
    throw new NonzeroError("unsupported", `output '${value.name}' was not computed`, { node: labelOf(step.node) });
  if (type !== undefined && (type.dtype !== tensor.dtype || type.shape.join() !== tensor.shape.join())) {
    throw new NonzeroError(
      "shape",
      `output '${value.name}' was inferred as ${type.dtype}[${type.shape}] but is ${tensor.dtype}[${tensor.shape}]`,
      { node: labelOf(step.node) },
    );
  }
  return tensor;
}
