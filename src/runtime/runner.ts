import { loadKernelsFor } from "../backends/wasm/index.js";
import { type GpuTensor, isGpuTensor } from "../backends/webgpu/gpu-tensor.js";
import type { OwnedGpuTensor } from "../backends/webgpu/index.js";
import {
  deliver,
  Executor,
  inferTypes,
  type LocatedTensor,
  optimize,
  type PlanStep,
  type Results,
} from "../compiler/index.js";
import { type Dim, type Graph, type Model, Value, type ValueType } from "../graph/index.js";
import { locateAsync, NonzeroError, Tensor } from "../tensor/index.js";
import { type IoBinding, ioBinding } from "./io-binding.js";
import { asyncMakerFor, type DeviceName, type Maker, makerFor, type RunnerOptions } from "./makers.js";
import { exampleFeeds, recall, type TuneOptions, type TuneReport, tuneTo } from "./tuning.js";

/** Outputs by name: at once, or where the device answers later, a promise of them. */
export type Outputs<R extends Results> =
  R extends Promise<unknown> ? Promise<Record<string, Tensor>> : Record<string, Tensor>;

/** A model ready to run on a device. */
export class Runner<R extends Results = Tensor[]> {
  /** What must be fed, with the sizes of `freeDimensionOverrides`. */
  readonly inputs: readonly Value[];
  /** Inputs that the model has a value for; they may be fed all the same. */
  readonly defaults: readonly Value[];
  readonly outputs: readonly Value[];
  /** Threads in use: 1 but for WebAssembly. */
  readonly threads: number;
  /** What it runs on: for "auto" what was found. */
  readonly device: DeviceName | "webgpu";
  readonly #fallback: Maker<R>["fallback"];
  /** The GPU that it runs on, which its outputs are of and feeds in GPUBuffers must be of; null for other devices. */
  readonly gpuDevice: GPUDevice | null;
  /** Null once released, so that a runner that is still referred to holds neither weights nor memory. */
  #live: { readonly graph: Graph; readonly maker: Maker<R> } | null;
  /** An executor for each set of defaults that callers override, by their names. */
  readonly #executors = new Map<string, Executor<R>>();

  /**
   * A runner on any device. Where that is a GPU, `run` gives promises.
   * @throws NonzeroError as the constructor does; "device" where WebGPU was asked for and there is none.
   */
  static async create(model: Model, options: RunnerOptions = {}): Promise<Runner<Results>> {
    const { tune } = options;
    await loadKernelsFor(model.graph);
    const maker: Maker<Results> = await asyncMakerFor(options, model.graph.outputs);
    try {
      if (tune !== false && maker.tunable !== null) await recall(maker.tunable, tune ?? { onWarning: () => {} }); // nobody asked for it
      const runner = new Runner<Results>(model, options, maker);
      if (tune && tune.budget !== 0) await runner.tune(exampleFeeds(runner.inputs, tune.dims), tune);
      return runner;
    } catch (error) {
      maker.release();
      throw error;
    }
  }

  /**
   * On a device that answers at once. In a page, kernels that few models need (8-bit products, sparsification both ways) are there once `create` has loaded them
   * for some model; until then the host evaluates such operators. @throws NonzeroError "invalid-argument" for options that make no sense, "unsupported" for operators that Nonzero does not have. */
  constructor(model: Model, options: RunnerOptions = {}, made?: Maker<R>) {
    const { graph } = model;
    const maker = made ?? (makerFor(options, graph.outputs) as unknown as Maker<R>);
    const sized = sizesFor(options.freeDimensionOverrides ?? {});
    this.inputs = graph.inputs.filter((input) => !graph.constants.has(input)).map(sized);
    this.defaults = graph.inputs.filter((input) => graph.constants.has(input)).map(sized);
    this.outputs = outputsOf(graph).map(sized);
    this.#live = { graph, maker };
    this.threads = maker.threads;
    this.device = maker.device;
    this.#fallback = maker.fallback;
    this.gpuDevice = maker.gpu?.device ?? null;
    this.#executor([]);
  }

  /**
   * With "auto", why there is no GPU, or why the last plan that did not fit on it, or failed there, runs on WebAssembly; null as long as the
   * GPU runs everything, and for other devices.
   */
  get fallback(): string | null {
    return this.#fallback.reason;
  }

  /**
   * Outputs by name, in the order of the model's outputs. Named dimensions may be anything, as in onnxruntime.
   * @throws NonzeroError "not-found" for an input that is missing or that the model does not have, "shape" for one of another dtype or
   * shape than the model declares, "invalid-argument" after `release`.
   *
   * Outputs are new tensors, but for those named in `fetches`: they are written into the tensors given there (of just their dtype and
   * shape, or it is a "shape" error), which spares a loop that runs again and again the memory.
   */
  run(feeds: Readonly<Record<string, Tensor>>, fetches: Readonly<Record<string, Tensor>> = {}): Outputs<R> {
    const { executor, tensors } = this.#prepare(feeds);
    this.#checkFetches(fetches);
    refuseGpuTensors({ ...feeds, ...fetches }, "`run` takes tensors on the host, `runLocated` those too");
    const named = (results: readonly Tensor[]): Record<string, Tensor> =>
      Object.fromEntries(this.outputs.map(({ name }, i) => [name, results[i]!]));
    const into = this.outputs.map(({ name }) => fetches[name]);
    const results: Results = executor.run(tensors as Tensor[], into);
    return (results instanceof Promise ? results.then(named) : named(results)) as Outputs<R>;
  }

  /**
   * As `run`, but on a GPU feeds may be in GPUBuffers, which kernels read where they are, and outputs stay there as
   * `preferredOutputLocation` said: tensors of the caller's, to be fed to other runs, downloaded, and disposed of. `fetches` may be in GPUBuffers with
   * the usage COPY_DST.
   * @throws NonzeroError as `run` does; naming the input, "unsupported" for a GPUBuffer where the runner's device is no GPU, "shape" for one that
   * is too small, "invalid-argument" for one without the usage STORAGE (or, where it must be copied, COPY_SRC), of another GPUDevice, or
   * destroyed; "device" where the GPU is lost or has no room.
   */
  async runLocated(
    feeds: Readonly<Record<string, Tensor | GpuTensor>>,
    fetches: Readonly<Record<string, Tensor | GpuTensor>> = {},
  ): Promise<Record<string, Tensor | GpuTensor | OwnedGpuTensor>> {
    const { executor, tensors } = this.#prepare(feeds);
    const { gpu } = this.#held().maker;
    this.#checkFetches(fetches);
    if (gpu === null) {
      refuseGpuTensors({ ...feeds, ...fetches }, `the device '${this.device}' takes tensors on the CPU`);
      return await this.run(feeds as Record<string, Tensor>, fetches as Record<string, Tensor>);
    }
    const results = (await executor.runLocated(tensors)) as (Tensor | OwnedGpuTensor)[];
    const placed = this.outputs.map(async (output, i) => {
      const [fetch, result] = [fetches[output.name], results[i]!];
      if (fetch === undefined) return [output.name, result] as const;
      await locateAsync({ field: output.name }, async () => {
        if (isGpuTensor(fetch)) await gpu.writeInto(fetch, result);
        else deliver(output, result instanceof Tensor ? result : await result.download(), fetch);
      }).finally(() => {
        if (!(result instanceof Tensor)) result.dispose();
      });
      return [output.name, fetch] as const;
    });
    return Object.fromEntries(await Promise.all(placed));
  }

  /**
   * Inputs and outputs in the device's memory, for inputs of these types: see IoBinding. For models that run again and again on inputs of one
   * shape; on WebGPU `runLocated` does the same.
   * @throws NonzeroError as `run` does; "unsupported" on another device than WebAssembly, for text, and where shapes depend on data.
   */
  ioBinding(types: Readonly<Record<string, LocatedTensor>>): IoBinding {
    const { executor, tensors } = this.#prepare(types);
    const inputs = [...this.inputs, ...this.#overridden(types)];
    for (const [i, { shape }] of tensors.entries()) {
      if (!shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0))
        throw new NonzeroError("shape", `no input has shape [${shape}]`, { field: inputs[i]!.name });
    }
    return ioBinding(executor.bind(tensors), inputs, this.outputs);
  }

  /** What runs where for these inputs: one line a step, with the kernel that computes it. */
  describe(feeds: Readonly<Record<string, Tensor | GpuTensor>>): readonly PlanStep[] {
    const { executor, tensors } = this.#prepare(feeds);
    return executor.describe(tensors);
  }

  /**
   * Measures kernels' schedules and weights' layouts for inputs like these, each node's by itself with its own weights, in turn with the default,
   * and uses what is faster beyond noise from now on; bindings made before stay as they are. Results may differ from before by rounding.
   * @throws NonzeroError as `run` does; "unsupported" for the device "reference", "invalid-argument" for a budget that is none.
   */
  async tune(feeds: Readonly<Record<string, Tensor>>, options: TuneOptions = {}): Promise<TuneReport> {
    const { tunable } = this.#held().maker;
    if (tunable === null)
      throw new NonzeroError("unsupported", `the device '${this.device}' has nothing to tune`, { field: "device" });
    const replan = (): void => {
      for (const executor of this.#executors.values()) executor.replan();
    };
    try {
      return await tuneTo(tunable, async () => [replan(), await this.run(feeds)], options);
    } finally {
      replan();
    }
  }

  /** Gives back the device's memory. */
  release(): void {
    for (const executor of this.#executors.values()) executor.release();
    this.#executors.clear();
    this.#live?.maker.release();
    this.#live = null;
  }

  #checkFetches(fetches: Readonly<Record<string, LocatedTensor>>): void {
    for (const name of Object.keys(fetches)) {
      if (!this.outputs.some((output) => output.name === name))
        throw new NonzeroError("not-found", "the model has no such output", { field: name });
    }
  }

  #prepare(feeds: Readonly<Record<string, LocatedTensor>>): { executor: Executor<R>; tensors: LocatedTensor[] } {
    this.#held();
    const overridden = this.#overridden(feeds);
    const open = [...this.inputs, ...overridden];
    for (const name of Object.keys(feeds)) {
      if (feeds[name] === undefined || open.some((input) => input.name === name)) continue;
      const names = this.inputs.map((input) => `'${input.name}'`).join(", ");
      throw new NonzeroError("not-found", `the model has no such input; it has ${names || "none"}`, { field: name });
    }
    const tensors = open.map((input) => {
      const tensor = feeds[input.name];
      if (tensor === undefined) throw new NonzeroError("not-found", "the input is missing", { field: input.name });
      checkFeed(input.name, tensor, input.type);
      return tensor;
    });
    return { executor: this.#executor(overridden.map(({ name }) => name)), tensors };
  }

  #overridden(feeds: Readonly<Record<string, LocatedTensor>>): readonly Value[] {
    return this.defaults.filter(({ name }) => feeds[name] !== undefined);
  }

  #held(): { readonly graph: Graph; readonly maker: Maker<R> } {
    if (this.#live === null)
      throw new NonzeroError("invalid-argument", "the model was released and cannot run any more");
    return this.#live;
  }

  /** Runs the graph with the inputs that must be fed and, after them, those defaults. */
  #executor(overridden: readonly string[]): Executor<R> {
    const key = JSON.stringify(overridden);
    let executor = this.#executors.get(key);
    if (executor === undefined) {
      const { graph, maker } = this.#held();
      executor = new Executor<R>(optimize(openGraph(graph, overridden)), maker.plans);
      this.#executors.set(key, executor);
    }
    return executor;
  }
}

/** The graph whose inputs are those without a constant behind them, and then those that are named. */
function openGraph(graph: Graph, overridden: readonly string[]): Graph {
  const fed = graph.inputs.filter((input) => graph.constants.has(input) && overridden.includes(input.name));
  const inputs = [...graph.inputs.filter((input) => !graph.constants.has(input)), ...fed];
  if (fed.length === 0) return { ...graph, inputs };
  return { ...graph, inputs, constants: new Map([...graph.constants].filter(([value]) => !fed.includes(value))) };
}

/** The outputs; a graph that was built in memory need not say their types. */
function outputsOf(graph: Graph): Value[] {
  if (graph.outputs.every(({ type }) => type !== null)) return [...graph.outputs];
  const types = inferTypes(graph, new Map());
  return graph.outputs.map((value) => new Value(value.name, value.type ?? types.get(value) ?? null));
}

/** Values with the named dimensions of their types replaced; the model's own stay as they are. */
function sizesFor(overrides: Readonly<Record<string, number>>): (value: Value) => Value {
  for (const [name, size] of Object.entries(overrides)) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new NonzeroError("invalid-argument", `dimension '${name}' cannot be ${size}`, {
        field: "freeDimensionOverrides",
      });
    }
  }
  const sizes = new Map<Dim, Dim>(Object.entries(overrides));
  return ({ name, type }) =>
    new Value(name, type?.shape ? { ...type, shape: type.shape.map((dim) => sizes.get(dim) ?? dim) } : type);
}

/** Checks a feed against the declared type. */
function checkFeed(name: string, tensor: LocatedTensor, type: ValueType | null): void {
  if (type === null) return;
  if (tensor.dtype !== type.dtype) {
    throw new NonzeroError("shape", `the input is ${tensor.dtype}, the model takes ${type.dtype}`, { field: name });
  }
  const { shape } = type;
  if (shape === null) return;
  const fits = (dim: Dim, axis: number): boolean => typeof dim === "string" || dim === tensor.shape[axis];
  if (tensor.shape.length !== shape.length || !shape.every(fits)) {
    throw new NonzeroError("shape", `the input has shape [${tensor.shape}], the model takes [${shape.join(", ")}]`, {
      field: name,
    });
  }
}

function refuseGpuTensors(tensors: Readonly<Record<string, LocatedTensor>>, what: string): void {
  for (const [field, tensor] of Object.entries(tensors)) {
    if (isGpuTensor(tensor)) throw new NonzeroError("unsupported", `the tensor is on 'gpu-buffer'; ${what}`, { field });
  }
}
