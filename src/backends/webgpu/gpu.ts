/// <reference types="@webgpu/types" />
import { NonzeroError } from "../../tensor/index.js";
import type { DeviceInfo, DeviceLimits } from "./kernel.js";
import { PipelineCache } from "./pipelines.js";

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
  "maxImmediateSize",
] as const satisfies readonly (keyof DeviceLimits)[];

/**
 * A GPU with every feature and the highest limits that kernels can use.
 * @throws NonzeroError "device" where there is no WebGPU, no adapter, or the adapter gives no device.
 */
export async function requestGpu(options: GpuOptions = {}): Promise<Gpu> {
  const { device, powerPreference } = options;
  if (device !== undefined) return new Gpu(device, false, (await find().catch(() => null))?.wgslLanguageFeatures);
  const gpu = await found(() => find(), "WebGPU does not start");
  if (gpu === null) throw new NonzeroError("device", "this host has no WebGPU");
  const preference = powerPreference === undefined ? {} : { powerPreference };
  const adapter = await found(() => gpu.requestAdapter(preference), "WebGPU gave no adapter");
  if (adapter === null) throw new NonzeroError("device", "WebGPU found no adapter");
  const limits = LIMITS.filter((limit) => adapter.limits[limit] !== undefined); // a browser need not know them all
  const request: GPUDeviceDescriptor = {
    label: "nonzero",
    requiredFeatures: FEATURES.filter((feature) => adapter.features.has(feature)),
    requiredLimits: Object.fromEntries(limits.map((limit) => [limit, adapter.limits[limit]])),
  };
  const given = await found(() => adapter.requestDevice(request), "the adapter gave no device");
  return new Gpu(given, true, gpu.wgslLanguageFeatures);
}

async function found<T>(search: () => Promise<T>, failure: string): Promise<T> {
  try {
    return await search();
  } catch (cause) {
    throw new NonzeroError("device", `${failure}: ${messageOf(cause)}`, {}, { cause });
  }
}

/** A GPUDevice, what it can do, its pipelines, and its errors as NonzeroErrors. */
export class Gpu {
  readonly device: GPUDevice;
  readonly info: DeviceInfo;
  /** Vendor, architecture and driver, as far as the host tells. */
  readonly description: string;
  readonly pipelines: PipelineCache;
  readonly #owned: boolean;
  #lost: NonzeroError | null = null;

  /** `language` is the host's `wgslLanguageFeatures`; an `owned` device is destroyed by `release`. */
  constructor(device: GPUDevice, owned: boolean, language: ReadonlySet<string> = new Set()) {
    this.device = device;
    this.#owned = owned;
    const { features, limits } = device;
    const adapterInfo: Partial<GPUAdapterInfo> = device.adapterInfo ?? {}; // newer than the rest of WebGPU
    const { subgroupMinSize: min, subgroupMaxSize: max } = adapterInfo;
    const known = Object.fromEntries(LIMITS.map((limit) => [limit, limits[limit]])) as unknown as DeviceLimits;
    const immediates = language.has("immediate_address_space") ? (known.maxImmediateSize ?? 0) : 0;
    this.info = {
      f16: features.has("shader-f16"),
      subgroups: features.has("subgroups") && min && max ? { min, max } : null,
      timestamps: features.has("timestamp-query"),
      limits: { ...known, maxImmediateSize: immediates },
    };
    this.description = [adapterInfo.vendor, adapterInfo.architecture, adapterInfo.description]
      .filter((part) => part)
      .join(" ");
    this.pipelines = new PipelineCache(this);
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
  async explain(cause: unknown, what = "the GPU failed", reason = messageOf(cause)): Promise<NonzeroError> {
    if (cause instanceof NonzeroError) return cause;
    await Promise.race([this.device.lost, new Promise((resolve) => setTimeout(resolve, 50))]);
    return this.#lost ?? new NonzeroError("device", `${what}: ${reason}`, {}, { cause });
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

  /** Destroys the device, if `requestGpu` made it. */
  release(): void {
    this.pipelines.clear();
    if (this.#owned) this.device.destroy();
  }
}

/** WebGPU's flags, whose global objects not every host has. */
export const USAGE = {
  mapRead: 0x1,
  copySource: 0x4,
  copyTarget: 0x8,
  uniform: 0x40,
  storage: 0x80,
  queryResolve: 0x200,
} as const;
export const MAP_READ = 0x1;

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
