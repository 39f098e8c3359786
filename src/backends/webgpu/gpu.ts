/// <reference types="@webgpu/types" />
import { NonzeroError } from "../../tensor/index.js";
import type { DeviceInfo, DeviceLimits, ShaderCode } from "./kernel.js";

/** Where the GPU comes from. */
export interface GpuOptions {
  /** A device of the caller's; it is used with the features and limits that it has, and never destroyed. */
  readonly device?: GPUDevice;
  /** Which of several adapters to prefer. */
  readonly powerPreference?: "low-power" | "high-performance";
}

/** How this host finds WebGPU, or null where it has none. */
export type GpuFinder = () => Promise<GPU | null>;

let find: GpuFinder = async () => globalThis.navigator?.gpu ?? null;

/** Puts another way to find WebGPU in place; `nonzero/node` does. */
export function setGpuFinder(finder: GpuFinder): void {
  find = finder;
}

const FEATURES = ["shader-f16", "subgroups", "timestamp-query"] as const;
const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupsPerDimension",
] as const satisfies readonly (keyof DeviceLimits)[];

/**
 * A GPU with every feature and the highest limits that kernels can use.
 * @throws NonzeroError "device" where there is no WebGPU, no adapter, or the adapter gives no device.
 */
export async function requestGpu(options: GpuOptions = {}): Promise<Gpu> {
  if (options.device !== undefined) return new Gpu(options.device, false);
  const gpu = await find();
  if (gpu === null) throw new NonzeroError("device", "this host has no WebGPU");
  const { powerPreference } = options;
  const adapter = await gpu.requestAdapter(powerPreference === undefined ? {} : { powerPreference });
  if (adapter === null) throw new NonzeroError("device", "WebGPU found no adapter");
  try {
    const device = await adapter.requestDevice({
      label: "nonzero",
      requiredFeatures: FEATURES.filter((feature) => adapter.features.has(feature)),
      requiredLimits: Object.fromEntries(LIMITS.map((limit) => [limit, adapter.limits[limit]])),
    });
    return new Gpu(device, true);
  } catch (cause) {
    throw new NonzeroError("device", `the adapter gave no device: ${messageOf(cause)}`, {}, { cause });
  }
}

/** A GPUDevice, what it can do, its pipelines, and its errors as NonzeroErrors. */
export class Gpu {
  readonly device: GPUDevice;
  readonly info: DeviceInfo;
  /** Vendor, architecture and driver, as far as the host tells. */
  readonly description: string;
  readonly #owned: boolean;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  #lost: NonzeroError | null = null;

  constructor(device: GPUDevice, owned: boolean) {
    this.device = device;
    this.#owned = owned;
    const { features, limits, adapterInfo } = device;
    const { subgroupMinSize: min, subgroupMaxSize: max } = adapterInfo;
    this.info = {
      f16: features.has("shader-f16"),
      subgroups: features.has("subgroups") && min && max ? { min, max } : null,
      timestamps: features.has("timestamp-query"),
      limits: Object.fromEntries(LIMITS.map((limit) => [limit, limits[limit]])) as unknown as DeviceLimits,
    };
    this.description = [adapterInfo.vendor, adapterInfo.architecture, adapterInfo.description]
      .filter((part) => part)
      .join(" ");
    device.lost.then(({ reason, message }) => {
      const why = reason === "destroyed" ? "it was destroyed" : message || "the driver gave no reason";
      this.#lost = new NonzeroError("device", `the GPU is lost: ${why}`);
    });
  }

  /** @throws NonzeroError "device" once the device is lost. */
  check(): void {
    if (this.#lost !== null) throw this.#lost;
  }

  /** What a failure really was: losing the device makes everything else fail too. */
  async explain(cause: unknown): Promise<unknown> {
    if (cause instanceof NonzeroError) return cause;
    await Promise.race([this.device.lost, new Promise((resolve) => setTimeout(resolve, 50))]);
    return this.#lost ?? new NonzeroError("device", `the GPU failed: ${messageOf(cause)}`, {}, { cause });
  }

  /**
   * Runs `body`, which must not wait, and gives its result and a promise that is kept once the GPU has taken all of it.
   * @throws NonzeroError "device", by the promise, when it ran out of memory or found a mistake.
   */
  watch<T>(what: string, body: () => T): { result: T; taken: Promise<void> } {
    const { device } = this;
    this.check();
    const kinds = ["validation", "internal", "out-of-memory"] as const;
    for (const kind of kinds) device.pushErrorScope(kind);
    const scopes: Promise<GPUError | null>[] = [];
    try {
      const result = body();
      for (const _ of kinds) scopes.unshift(device.popErrorScope());
      return { result, taken: this.#settle(what, scopes) };
    } catch (cause) {
      for (let left = kinds.length - scopes.length; left > 0; left--) device.popErrorScope().catch(() => {});
      if (cause instanceof NonzeroError) throw cause;
      throw new NonzeroError("device", `${what}: ${messageOf(cause)}`, {}, { cause });
    }
  }

  async #settle(what: string, scopes: readonly Promise<GPUError | null>[]): Promise<void> {
    let errors: (GPUError | null)[];
    try {
      errors = await Promise.all(scopes);
    } catch (cause) {
      throw await this.explain(cause);
    }
    const [validation, internal, memory] = errors;
    if (memory) throw new NonzeroError("device", `${what}: the GPU is out of memory: ${memory.message}`);
    const error = validation ?? internal;
    if (error) throw new NonzeroError("device", `${what}: ${error.message}`);
  }

  /** The pipeline of a shader; one per key. @throws NonzeroError "device" where the GPU's compiler refuses it. */
  pipeline(code: ShaderCode): Promise<GPUComputePipeline> {
    let pipeline = this.#pipelines.get(code.key);
    if (pipeline === undefined) {
      pipeline = this.#compile(code);
      pipeline.catch(() => this.#pipelines.delete(code.key));
      this.#pipelines.set(code.key, pipeline);
    }
    return pipeline;
  }

  async #compile(code: ShaderCode): Promise<GPUComputePipeline> {
    const { device } = this;
    const storage = code.bindings.map(({ access }) => (access === "read" ? "read-only-storage" : "storage"));
    const types: GPUBufferBindingType[] = code.uniforms.length > 0 ? [...storage, "uniform"] : storage;
    device.pushErrorScope("validation");
    const layout = device.createBindGroupLayout({
      entries: types.map((type, binding) => ({ binding, visibility: COMPUTE_STAGE, buffer: { type } })),
    });
    const module = device.createShaderModule({ label: code.key, code: code.build(this.info) });
    const scope = device.popErrorScope();
    try {
      const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [layout] });
      const compute = { module, entryPoint: "main" };
      const pipeline = await device.createComputePipelineAsync({ label: code.key, layout: pipelineLayout, compute });
      await scope;
      return pipeline;
    } catch (cause) {
      this.check();
      const reason = (await scope)?.message ?? messageOf(cause);
      throw new NonzeroError("device", `the kernel '${code.key}' does not compile: ${reason}`, {}, { cause });
    }
  }

  /** Destroys the device, if `requestGpu` made it. */
  release(): void {
    this.#pipelines.clear();
    if (this.#owned) this.device.destroy();
  }
}

/** WebGPU's flags, whose global objects not every host has. */
export const USAGE = { mapRead: 0x1, copySource: 0x4, copyTarget: 0x8, uniform: 0x40, storage: 0x80 } as const;
export const MAP_READ = 0x1;
const COMPUTE_STAGE = 0x4;

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
