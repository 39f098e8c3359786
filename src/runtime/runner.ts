import { detectDevice, Session } from "../backends/wasm/index.js";
import {
  Executor,
  inferTypes,
  optimize,
  type PlanMaker,
  type PlanStep,
  type Results,
  referencePlans,
} from "../compiler/index.js";
import { type Dim, type Graph, type Model, Value, type ValueType } from "../graph/index.js";
import { NonzeroError, type Tensor } from "../tensor/index.js";

/** Devices that run models. `reference` evaluates each operator on the host, in plain TypeScript: slow, and the meaning of them all. */
export const DEVICES = ["wasm", "reference"] as const;
export type DeviceName = (typeof DEVICES)[number];

/** Devices that answer later, which `Runner.create` takes besides: WebGPU, and "auto", WebGPU where there is a GPU and WebAssembly elsewhere. */
export const ASYNC_DEVICES = ["webgpu", "auto"] as const;
export type AsyncDeviceName = (typeof ASYNC_DEVICES)[number];

export interface RunnerOptions {
  /** Default "wasm". */
  readonly device?: DeviceName | AsyncDeviceName;
  /** The GPU to run on; default: what the host offers. */
  readonly gpuDevice?: GPUDevice;
  /** Threads of the WebAssembly device; default: all processors, at most 8. One where memory can't be shared. */
  readonly threads?: number;
  /** Sizes for named dimensions of the inputs, by name. */
  readonly freeDimensionOverrides?: Readonly<Record<string, number>>;
}

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
  /** Why "auto" did not give a GPU; null where it did, or another device was asked for. */
  readonly fallback: string | null;
  /** Null once released, so that a runner that is still referred to holds neither weights nor memory. */
  #live: { readonly graph: Graph; readonly maker: Maker<R> } | null;
  /** An executor for each set of defaults that callers override, by their names. */
  readonly #executors = new Map<string, Executor<R>>();

  /**
   * A runner on any device. Where that is a GPU, `run` gives promises.
   * @throws NonzeroError as the constructor does; "device" where WebGPU was asked for and there is none.
   */
  static async create(model: Model, options: RunnerOptions = {}): Promise<Runner<Results>> {
    const maker: Maker<Results> = await asyncMakerFor(options);
    return new Runner<Results>(model, options, maker);
  }

  /** On a device that answers at once. @throws NonzeroError "invalid-argument" for options that make no sense, "unsupported" for operators that Nonzero does not have. */
  constructor(model: Model, options: RunnerOptions = {}, maker = makerFor(options) as unknown as Maker<R>) {
    const { graph } = model;
    const sized = sizesFor(options.freeDimensionOverrides ?? {});
    this.inputs = graph.inputs.filter((input) => !graph.constants.has(input)).map(sized);
    this.defaults = graph.inputs.filter((input) => graph.constants.has(input)).map(sized);
    this.outputs = outputsOf(graph).map(sized);
    this.#live = { graph, maker };
    this.threads = maker.threads;
    this.device = maker.device;
    this.fallback = maker.fallback;
    this.#executor([]);
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
    for (const name of Object.keys(fetches)) {
      if (!this.outputs.some((output) => output.name === name))
        throw new NonzeroError("not-found", "the model has no such output", { field: name });
    }
    const named = (results: readonly Tensor[]): Record<string, Tensor> =>
      Object.fromEntries(this.outputs.map(({ name }, i) => [name, results[i]!]));
    const into = this.outputs.map(({ name }) => fetches[name]);
    const results: Results = executor.run(tensors, into);
    return (results instanceof Promise ? results.then(named) : named(results)) as Outputs<R>;
  }

  /** What runs where for these inputs: one line a step, with the kernel that computes it. */
  describe(feeds: Readonly<Record<string, Tensor>>): readonly PlanStep[] {
    const { executor, tensors } = this.#prepare(feeds);
    return executor.describe(tensors);
  }

  /** Gives back the device's memory. */
  release(): void {
    for (const executor of this.#executors.values()) executor.release();
    this.#executors.clear();
    this.#live?.maker.release();
    this.#live = null;
  }

  #prepare(feeds: Readonly<Record<string, Tensor>>): { executor: Executor<R>; tensors: Tensor[] } {
    this.#held();
    const overridden = this.defaults.filter(({ name }) => feeds[name] !== undefined);
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

interface Maker<R extends Results> {
  readonly device: DeviceName | "webgpu";
  readonly fallback: string | null;
  readonly plans: PlanMaker<R>;
  readonly threads: number;
  release(): void;
}

async function asyncMakerFor(options: RunnerOptions): Promise<Maker<Results>> {
  const { device, gpuDevice } = options;
  if (device !== "webgpu" && device !== "auto") return makerFor(options);
  const { holdGpu, Session: WebGpuSession } = await import("../backends/webgpu/index.js"); // loaded by those who use it
  try {
    const held = await holdGpu(gpuDevice === undefined ? {} : { device: gpuDevice });
    const host = new Session(detectDevice(1)); // bodies of Loop, If and Scan run there
    const session = new WebGpuSession(held.gpu, host);
    return {
      device: "webgpu",
      fallback: null,
      plans: session,
      threads: 1,
      release: () =>
        void session.release().then(() => {
          host.release();
          held.release();
        }),
    };
  } catch (error) {
    if (device === "webgpu" || !(error instanceof NonzeroError) || error.code !== "device") throw error;
    return { ...makerFor({ ...options, device: "wasm" }), fallback: error.message };
  }
}

function makerFor({ device = "wasm", threads }: RunnerOptions): Maker<Tensor[]> {
  if (threads !== undefined && !(Number.isSafeInteger(threads) && threads >= 1)) {
    throw new NonzeroError("invalid-argument", `expected a whole number of at least 1, not ${threads}`, {
      field: "threads",
    });
  }
  switch (device) {
    case "wasm": {
      const session = new Session(detectDevice(threads));
      return {
        device,
        fallback: null,
        plans: session,
        threads: session.store.device.threads,
        release: () => session.release(),
      };
    }
    case "reference":
      return {
        device,
        fallback: null,
        plans: referencePlans,
        threads: 1,
        release: () => {},
      };
    case "webgpu":
    case "auto":
      throw new NonzeroError("invalid-argument", `'${device}' answers later: use Runner.create`, { field: "device" });
    default: {
      const all = [...DEVICES, ...ASYNC_DEVICES].join(", ");
      throw new NonzeroError("invalid-argument", `no device '${device}'; there are ${all}`, { field: "device" });
    }
  }
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
function checkFeed(name: string, tensor: Tensor, type: ValueType | null): void {
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
