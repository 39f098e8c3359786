import { detectDevice, Session } from "../backends/wasm/index.js";
import { Executor, optimize, type PlanMaker, type PlanStep, referencePlans } from "../compiler/index.js";
import type { Dim, Graph, Model, Value, ValueType } from "../graph/index.js";
import { NonzeroError, type Tensor } from "../tensor/index.js";

/** Devices that run models. `reference` evaluates each operator on the host, in plain TypeScript: slow, and the meaning of them all. */
export const DEVICES = ["wasm", "reference"] as const;
export type DeviceName = (typeof DEVICES)[number];

export interface RunnerOptions {
  /** Default "wasm". */
  readonly device?: DeviceName;
  /** Threads of the WebAssembly device; default: all processors, at most 8. One where memory can't be shared. */
  readonly threads?: number;
  /** Sizes for named dimensions of the inputs, by name. */
  readonly freeDimensionOverrides?: Readonly<Record<string, number>>;
}

/** A model ready to run on a device. */
export class Runner {
  readonly model: Model;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** Threads in use: 1 for the reference device. */
  readonly threads: number;
  readonly #executor: Executor;
  readonly #release: () => void;

  constructor(model: Model, options: RunnerOptions = {}) {
    const graph = overrideDimensions(model.graph, options.freeDimensionOverrides ?? {});
    // Inputs with a constant behind them are defaults that the caller may leave out; they stay fixed.
    const open: Graph = { ...graph, inputs: graph.inputs.filter((input) => !graph.constants.has(input)) };
    this.model = model;
    this.inputs = open.inputs;
    this.outputs = graph.outputs;
    const maker = makerFor(options);
    this.threads = maker.threads;
    this.#release = maker.release;
    this.#executor = new Executor(optimize(open), maker.plans);
  }

  /**
   * Outputs by name, in the order of the model's outputs.
   * @throws NonzeroError "not-found" for a missing input, "shape" for one of another dtype or shape than the model declares.
   */
  run(feeds: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
    const results = this.#executor.run(this.#ordered(feeds));
    return Object.fromEntries(this.outputs.map((output, i) => [output.name, results[i]!]));
  }

  /** What runs where for these inputs: one line a step, with the kernel that computes it. */
  describe(feeds: Readonly<Record<string, Tensor>>): readonly PlanStep[] {
    return this.#executor.describe(this.#ordered(feeds));
  }

  /** Gives back the device's memory. */
  release(): void {
    this.#executor.release();
    this.#release();
  }

  #ordered(feeds: Readonly<Record<string, Tensor>>): Tensor[] {
    return this.inputs.map((input) => {
      const tensor = feeds[input.name];
      if (tensor === undefined) throw new NonzeroError("not-found", "the input is missing", { field: input.name });
      checkFeed(input.name, tensor, input.type);
      return tensor;
    });
  }
}

function makerFor(options: RunnerOptions): { plans: PlanMaker; threads: number; release: () => void } {
  switch (options.device ?? "wasm") {
    case "wasm": {
      const session = new Session(detectDevice(options.threads));
      return { plans: session, threads: session.store.device.threads, release: () => session.release() };
    }
    case "reference":
      return { plans: referencePlans, threads: 1, release: () => {} };
    default:
      throw new NonzeroError("invalid-argument", `no device '${options.device}'; there are ${DEVICES.join(", ")}`, {
        field: "device",
      });
  }
}

function overrideDimensions(graph: Graph, overrides: Readonly<Record<string, number>>): Graph {
  for (const [name, size] of Object.entries(overrides)) {
    if (!Number.isInteger(size) || size < 0) {
      throw new NonzeroError("invalid-argument", `dimension '${name}' cannot be ${size}`, {
        field: "freeDimensionOverrides",
      });
    }
  }
  for (const input of graph.inputs) {
    if (input.type?.shape) input.type = { ...input.type, shape: input.type.shape.map((dim) => overrides[dim] ?? dim) };
  }
  return graph;
}

/** Checks a feed against the declared type. As in onnxruntime, named dimensions may be anything. */
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
