import { type HostSteps, type Plan, type PlanMaker, referencePlans, type Specialized } from "../../compiler/index.js";
import type { Constant, Value } from "../../graph/index.js";
import { NonzeroError, type Tensor } from "../../tensor/index.js";
import { Choices, FormCache, storedFor } from "../tuner/index.js";
import { type DeviceBuffer, paddedBytes } from "./device-buffer.js";
import { checkGpuFeed } from "./feeds.js";
import { formsOf } from "./forms.js";
import { type Gpu, USAGE } from "./gpu.js";
import type { GpuTensor } from "./gpu-tensor.js";
import type { Kernel } from "./kernel.js";
import { allKernels } from "./kernels/index.js";
import { type Compile, type CompileOptions, compilerOf } from "./pipelines.js";
import { webgpuPlan } from "./plan.js";
import { download } from "./transfer.js";

/** A constant's forms on the device, by key, and how many plans use them. */
interface Resident {
  readonly forms: Map<string, DeviceBuffer>;
  plans: number;
}

/** Memory for activations that plans share: one GPUBuffer a slot. */
interface Arena {
  readonly slots: readonly GPUBuffer[];
  plans: number;
}

/** What one plan holds of a session; `release` gives it back. */
export interface Holding {
  /** A dense constant's elements on the device. */
  upload(tensor: Tensor): DeviceBuffer;
  /** A constant in a kernel's form; made once, for all plans of the session. */
  prepare(constant: Constant, key: string, bytes: number, fill: (target: Uint8Array) => void): DeviceBuffer;
  /** Buffers of at least these sizes for activations; to be called once. */
  arena(bytes: readonly number[]): readonly GPUBuffer[];
  /** A buffer of the plan's own. */
  allocate(bytes: number, usage: number): GPUBuffer;
  release(): void;
}

/** Constants and activations of one model on a GPU, shared by all of its plans and kept while any of them lives. */
export class Session implements PlanMaker<Promise<Tensor[]>> {
  readonly gpu: Gpu;
  readonly kernels: readonly Kernel[];
  readonly choices: Choices;
  readonly layout: "auto" | "stored";
  /** Dense forms of sparse constants that an evaluation on the host asked for. */
  readonly unpacked = new Map<Constant, Tensor>();
  /** Whether an output of the model, by its position, is left on the GPU. */
  readonly keeps: readonly boolean[];
  readonly compile: Compile;
  readonly #host: PlanMaker;
  readonly #forms = new FormCache();
  readonly #residents = new Map<Constant, Resident>();
  #arena: Arena | null = null;
  #last: Promise<unknown> = Promise.resolve();

  /**
   * `host` makes the plans of bodies of Loop, If and Scan, which run on the host. `layout`: whether sparse weights may be brought into another
   * layout, or made dense, where that is faster.
   */
  constructor(
    gpu: Gpu,
    host: PlanMaker = referencePlans,
    kernels: readonly Kernel[] = allKernels,
    keeps: readonly boolean[] = [],
    compiling: CompileOptions = {},
    choices: Choices = new Choices(),
    layout: "auto" | "stored" = "auto",
  ) {
    this.gpu = gpu;
    this.#host = host;
    this.kernels = kernels;
    this.keeps = keeps;
    this.choices = choices;
    this.layout = layout;
    this.compile = compilerOf(gpu, compiling);
  }

  /** The graph with its sparse weights in the layouts that suit the device. */
  stored(spec: Specialized): Specialized {
    return this.layout === "stored" ? spec : storedFor(spec, formsOf(this.gpu.info), this.choices, this.#forms);
  }

  plan(spec: Specialized, host: HostSteps, fed: ReadonlySet<Value> = new Set()): Plan<Promise<Tensor[]>> {
    return webgpuPlan(spec, host, this, fed);
  }

  async download(tensor: GpuTensor): Promise<Tensor> {
    await checkGpuFeed(this.gpu, tensor, "is read on the host, because a shape depends on it");
    return download(this.gpu, tensor);
  }

  nested(): PlanMaker {
    return this.#host;
  }

  /** Runs `body` after all that came before it: plans share their activations' memory. */
  inTurn<T>(body: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(body);
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** Memory for a new plan. */
  hold(): Holding {
    const constants = new Set<Constant>();
    const own: GPUBuffer[] = [];
    let arena: Arena | null = null;
    const prepare: Holding["prepare"] = (constant, key, bytes, fill) => {
      const resident = this.#residents.get(constant) ?? { forms: new Map<string, DeviceBuffer>(), plans: 0 };
      this.#residents.set(constant, resident);
      if (!constants.has(constant)) resident.plans++;
      constants.add(constant);
      let buffer = resident.forms.get(key);
      if (buffer === undefined) {
        buffer = { bytes, gpu: this.#filled(bytes, fill) };
        resident.forms.set(key, buffer);
      }
      return buffer;
    };
    return {
      prepare,
      upload: (tensor) => prepare(tensor, "", tensor.byteLength, (target) => target.set(tensor.bytes())),
      arena: (bytes) => {
        arena = this.#arenaOf(bytes);
        arena.plans++;
        return arena.slots;
      },
      allocate: (bytes, usage) => {
        const buffer = this.#create(bytes, usage);
        own.push(buffer);
        return buffer;
      },
      release: () => {
        for (const buffer of own) buffer.destroy();
        for (const constant of constants) this.#leave(constant);
        if (arena === null || --arena.plans > 0) return;
        destroyAll(arena); // a failed plan's may be invalid
        if (arena === this.#arena) this.#arena = null;
      },
    };
  }

  /** Gives back the memory of constants and activations, after the runs that were asked for; the GPU itself stays. */
  release(): Promise<void> {
    return this.inTurn(async () => this.#destroy());
  }

  /** Memory for an output, which will be the caller's. */
  room(bytes: number): GPUBuffer {
    return this.#create(bytes, USAGE.storage | USAGE.copySource | USAGE.copyTarget);
  }

  #destroy(): void {
    for (const { forms } of this.#residents.values()) for (const { gpu } of forms.values()) gpu?.destroy();
    this.#residents.clear();
    this.unpacked.clear();
    if (this.#arena !== null) destroyAll(this.#arena);
    this.#arena = null;
  }

  #create(bytes: number, usage: number, mapped = false): GPUBuffer {
    const { maxBufferSize } = this.gpu.info.limits;
    if (bytes > maxBufferSize) {
      throw new NonzeroError("device", `a buffer of ${bytes} bytes is needed; the GPU's largest has ${maxBufferSize}`);
    }
    return this.gpu.device.createBuffer({ size: paddedBytes(bytes), usage, mappedAtCreation: mapped });
  }

  #filled(bytes: number, fill: (target: Uint8Array) => void): GPUBuffer {
    const buffer = this.#create(bytes, USAGE.storage, true);
    fill(new Uint8Array(buffer.getMappedRange(), 0, bytes));
    buffer.unmap();
    return buffer;
  }

  /** The current arena if it is large enough; else a larger one, the old one staying for the plans that were laid out in it. */
  #arenaOf(wanted: readonly number[]): Arena {
    const sizes = [...wanted].map((bytes) => paddedBytes(bytes));
    const current = this.#arena;
    const have = current?.slots.map(({ size }) => size) ?? [];
    if (current !== null && sizes.every((size, i) => size <= (have[i] ?? 0))) return current;
    const usage = USAGE.storage | USAGE.copySource | USAGE.copyTarget;
    const slots = Array.from({ length: Math.max(sizes.length, have.length) }, (_, i) =>
      this.#create(Math.max(sizes[i] ?? 0, have[i] ?? 0), usage),
    );
    this.#arena = { slots, plans: 0 };
    return this.#arena;
  }

  #leave(constant: Constant): void {
    const resident = this.#residents.get(constant);
    if (resident === undefined || --resident.plans > 0) return;
    for (const { gpu } of resident.forms.values()) gpu?.destroy();
    this.#residents.delete(constant);
    this.unpacked.delete(constant);
  }
}

function destroyAll({ slots }: Arena): void {
  for (const buffer of slots) buffer.destroy();
}
