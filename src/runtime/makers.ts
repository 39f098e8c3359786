import { Choices, type TrialSession, type Workbench } from "../backends/tuner/index.js";
import { detectDevice, identityOf, Session } from "../backends/wasm/index.js";
import type { CompileOptions, GpuTensor } from "../backends/webgpu/index.js";
import { type PlanMaker, type Results, referencePlans } from "../compiler/index.js";
import type { Value } from "../graph/index.js";
import { NonzeroError, type Tensor } from "../tensor/index.js";
import { withFallback } from "./fallback.js";
import { type OutputLocations, outputsOnGpu } from "./location.js";
import type { Tunable, TuneAtCreation } from "./tuning.js";

/** Devices that run models. `reference` evaluates each operator on the host, in plain TypeScript: slow, and the meaning of them all. */
export const DEVICES = ["wasm", "reference"] as const;
export type DeviceName = (typeof DEVICES)[number];

/** Devices that answer later, which `Runner.create` takes besides: WebGPU, and "auto", WebGPU where there is a GPU and WebAssembly elsewhere. */
export const ASYNC_DEVICES = ["webgpu", "auto"] as const;
export type AsyncDeviceName = (typeof ASYNC_DEVICES)[number];

export interface RunnerOptions {
  /** Default "wasm". */
  readonly device?: DeviceName | AsyncDeviceName;
  /** The GPU to run on; default: what the host offers. It is used with the features and limits that it has, and never destroyed. */
  readonly gpuDevice?: GPUDevice;
  /** Threads of the WebAssembly device; default: all processors, at most 8. One where memory can't be shared. */
  readonly threads?: number;
  /** Sizes for named dimensions of the inputs, by name. */
  readonly freeDimensionOverrides?: Readonly<Record<string, number>>;
  /** Where `runLocated` leaves outputs; default "cpu". "auto" that found no GPU leaves all there. */
  readonly preferredOutputLocation?: OutputLocations;
  /** For a GPU: who hears of its shaders being compiled, when a run (or `describe`) is the first of its shapes, and may stop that. */
  readonly compiling?: CompileOptions;
  /**
   * For runners that `create` makes: kernels are measured for the inputs' declared shapes, and what is fastest is used and kept. Where it is
   * left out, what was kept before is used; false: neither.
   */
  readonly tune?: TuneAtCreation | false;
  /**
   * "auto", the default: a plan may bring a sparse weight into the layout that the device multiplies fastest, or make it dense where it is too dense
   * to gain (at most 256 MiB of a session's weights); "stored": all stay as the model has them.
   */
  readonly layout?: "auto" | "stored";
}

/** A device made ready for one model. */
export interface Maker<R extends Results> {
  readonly device: DeviceName | "webgpu";
  /** Why WebAssembly runs what a GPU was to run. */
  readonly fallback: { reason: string | null };
  readonly plans: PlanMaker<R>;
  readonly threads: number;
  /** What only a GPU has. */
  readonly gpu: GpuSide | null;
  /** Null where there is nothing to tune. */
  readonly tunable: Tunable | null;
  release(): void;
}

export interface GpuSide {
  readonly device: GPUDevice;
  /** Writes a result into a buffer of the caller's. @throws NonzeroError as `writeInto` does. */
  writeInto(target: GpuTensor, result: Tensor | GpuTensor): Promise<void>;
}

/** For any device, and a model with those outputs. @throws NonzeroError as `makerFor` does; "device" where WebGPU was asked for and there is none. */
export async function asyncMakerFor(options: RunnerOptions, outputs: readonly Value[]): Promise<Maker<Results>> {
  const { device, gpuDevice, preferredOutputLocation, layout } = options;
  if (device !== "webgpu" && device !== "auto") return makerFor(options, outputs);
  checkLayout(layout);
  const keeps = outputsOnGpu(outputs, preferredOutputLocation);
  const webgpu = await import("../backends/webgpu/index.js"); // loaded by those who use it
  try {
    const held = await webgpu.holdGpu(gpuDevice === undefined ? {} : { device: gpuDevice });
    const host = new Session(detectDevice(1)); // bodies of Loop, If and Scan run there
    const choices = new Choices();
    const session = new webgpu.Session(held.gpu, host, undefined, keeps, options.compiling, choices, layout);
    const fallback: Maker<Results>["fallback"] = { reason: null };
    let slower: Maker<Tensor[]> | null = null;
    const onWasm = (): PlanMaker => {
      slower ??= makerFor(wasmOptions(options), outputs);
      return slower.plans;
    };
    const say = (why: NonzeroError): void => {
      fallback.reason = why.message;
    };
    return {
      device: "webgpu",
      fallback,
      plans: device === "auto" ? withFallback(session, onWasm, say) : session,
      threads: 1,
      gpu: {
        device: held.gpu.device,
        writeInto: (target, result) => webgpu.writeInto(held.gpu, target, result),
      },
      tunable: {
        identity: webgpu.identityOf(held.gpu),
        choices,
        workbench: () => workbench(choices, (tried) => webgpu.trialSession(held.gpu, tried, session.layout)),
      },
      release: () =>
        void session.release().then(() => {
          slower?.release();
          host.release();
          held.release();
        }),
    };
  } catch (error) {
    if (device === "webgpu" || !(error instanceof NonzeroError) || error.code !== "device") throw error;
    return { ...makerFor(wasmOptions(options), outputs), fallback: { reason: error.message } };
  }
}

function checkLayout(layout: string | undefined): void {
  if (layout !== undefined && layout !== "auto" && layout !== "stored")
    throw new NonzeroError("invalid-argument", `no layout '${layout}'; there are auto and stored`, { field: "layout" });
}

/** What "auto" asks of WebAssembly. */
const wasmOptions = ({ preferredOutputLocation: _, ...options }: RunnerOptions): RunnerOptions => ({
  ...options,
  device: "wasm",
});

/** For devices that answer at once. @throws NonzeroError "invalid-argument" for options that make no sense. */
export function makerFor(
  { device = "wasm", threads, preferredOutputLocation, layout }: RunnerOptions,
  outputs: readonly Value[],
): Maker<Tensor[]> {
  if (threads !== undefined && !(Number.isSafeInteger(threads) && threads >= 1)) {
    throw new NonzeroError("invalid-argument", `expected a whole number of at least 1, not ${threads}`, {
      field: "threads",
    });
  }
  if (device === "webgpu" || device === "auto")
    throw new NonzeroError("invalid-argument", `'${device}' answers later: use Runner.create`, { field: "device" });
  checkLayout(layout);
  if (outputsOnGpu(outputs, preferredOutputLocation).includes(true)) {
    throw new NonzeroError("invalid-argument", `outputs of the device '${device}' cannot be on the GPU`, {
      field: "preferredOutputLocation",
    });
  }
  switch (device) {
    case "wasm": {
      const choices = new Choices();
      const info = detectDevice(threads);
      const session = new Session(info, undefined, choices, layout);
      return {
        device,
        fallback: { reason: null },
        plans: session,
        threads: info.threads,
        gpu: null,
        tunable: { identity: identityOf(info), choices, workbench: () => workbench(choices, wasmTrials(session)) },
        release: () => session.release(),
      };
    }
    case "reference":
      return {
        ...{ device, fallback: { reason: null }, plans: referencePlans, threads: 1, gpu: null, tunable: null },
        release: () => {},
      };
    default: {
      const all = [...DEVICES, ...ASYNC_DEVICES].join(", ");
      throw new NonzeroError("invalid-argument", `no device '${device}'; there are ${all}`, { field: "device" });
    }
  }
}

/** Where candidates are tried beside those choices; loaded by those who tune. */
async function workbench(choices: Choices, open: (choices: Choices) => TrialSession): Promise<Workbench> {
  const { workbenchOf } = await import("../backends/tuner/workbench.js");
  return workbenchOf(open, choices);
}

const wasmTrials =
  ({ store, layout }: Session) =>
  (choices: Choices): TrialSession => {
    const session = new Session(store.device, undefined, choices, layout);
    return { maker: session, release: () => session.release() };
  };
