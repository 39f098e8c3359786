/// <reference types="@webgpu/types" />
import { NonzeroError } from "../../tensor/index.js";
import type { Gpu } from "./gpu.js";
import { type ShaderCode, uniformsIn } from "./kernel.js";

/** How many of the shaders that are wanted are compiled. */
export interface CompileProgress {
  readonly done: number;
  readonly total: number;
}

/** What a user may say of compiling. */
export interface CompileOptions {
  /** Called when shaders begin to be compiled and after each that is; not for those that the device has compiled before. */
  readonly onProgress?: (progress: CompileProgress) => void;
  /** Aborted, no further shader is compiled, and what waits for one fails with a NonzeroError "aborted". */
  readonly signal?: AbortSignal;
}

/** Pipelines that a device keeps; the least recently used goes first. A plan holds those that it needs. */
const KEPT = 1024;

/** Shaders at the compiler at a time: enough for all of a browser's threads, few enough to stop soon. */
const AT_ONCE = 16;

/** The pipelines of one device, one per shader's key. */
export class PipelineCache {
  readonly #gpu: Pick<Gpu, "device" | "info" | "explain">;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();

  constructor(gpu: Pick<Gpu, "device" | "info" | "explain">) {
    this.#gpu = gpu;
  }

  /** Whether the shader is compiled, or will be soon. */
  has({ key }: ShaderCode): boolean {
    return this.#pipelines.has(key);
  }

  /** @throws NonzeroError "device" where the GPU's compiler refuses the shader. */
  get(code: ShaderCode): Promise<GPUComputePipeline> {
    const { key } = code;
    let pipeline = this.#pipelines.get(key);
    this.#pipelines.delete(key);
    if (pipeline === undefined) {
      const compiling = this.#compile(code);
      compiling.catch(() => {
        if (this.#pipelines.get(key) === compiling) this.#pipelines.delete(key);
      });
      pipeline = compiling;
    }
    this.#pipelines.set(key, pipeline); // the newest is last
    if (this.#pipelines.size > KEPT) this.#pipelines.delete(this.#pipelines.keys().next().value!);
    return pipeline;
  }

  clear(): void {
    this.#pipelines.clear();
  }

  async #compile(code: ShaderCode): Promise<GPUComputePipeline> {
    const { device, info } = this.#gpu;
    const place = uniformsIn(code.uniforms.length, info);
    const storage = code.bindings.map(({ access }) => (access === "read" ? "read-only-storage" : "storage"));
    const types: GPUBufferBindingType[] = place === "buffer" ? [...storage, "uniform"] : storage;
    let mistake: Promise<GPUError | null> | null = null;
    try {
      device.pushErrorScope("validation");
      const layout = device.createBindGroupLayout({
        entries: types.map((type, binding) => ({ binding, visibility: COMPUTE_STAGE, buffer: { type } })),
      });
      const module = device.createShaderModule({ label: code.key, code: code.build(info) });
      const pipelineLayout = device.createPipelineLayout({
        bindGroupLayouts: [layout],
        ...(place === "immediates" ? { immediateSize: 4 * code.uniforms.length } : {}),
      });
      mistake = device.popErrorScope().catch(() => null);
      const compute = { module, entryPoint: "main" };
      return await device.createComputePipelineAsync({ label: code.key, layout: pipelineLayout, compute });
    } catch (cause) {
      const found = (await mistake)?.message;
      throw await this.#gpu.explain(cause, `the kernel '${code.key}' does not compile`, found);
    }
  }
}

const COMPUTE_STAGE = 0x4;

/** Compiles shaders side by side, each once; their pipelines by key. */
export type Compile = (codes: readonly ShaderCode[]) => Promise<ReadonlyMap<string, GPUComputePipeline>>;

/** What compiles for one session; progress counts all that its plans wait for at a time. */
export function compilerOf({ pipelines }: Pick<Gpu, "pipelines">, { onProgress, signal }: CompileOptions): Compile {
  let open: { done: number; total: number } | null = null;

  return async (codes) => {
    const wanted = new Map(codes.map((code) => [code.key, code]));
    const fresh = [...wanted.values()].filter((code) => !pipelines.has(code));
    open ??= { done: 0, total: 0 };
    const batch = open;
    const report = (): void => {
      if (batch === open) onProgress?.({ ...batch });
    };
    const queue = fresh.values();
    const work = async (): Promise<void> => {
      for (const code of queue) {
        checkSignal(signal);
        await pipelines.get(code);
        batch.done++;
        report();
      }
    };
    batch.total += fresh.length;
    if (fresh.length > 0) report();
    try {
      await untilAborted(Promise.all(Array.from({ length: AT_ONCE }, work)), signal);
      if (batch.done === batch.total && batch === open) open = null;
    } catch (error) {
      if (batch === open) open = null;
      throw error;
    }
    const found = [...wanted].map(async ([key, code]) => [key, await pipelines.get(code)] as const);
    return new Map(await Promise.all(found));
  };
}

function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new NonzeroError("aborted", "compiling was aborted", {}, { cause: signal.reason });
}

/** `work`, or the error that the signal stands for, whichever comes first. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => {
      try {
        checkSignal(signal);
      } catch (error) {
        reject(error);
      }
    };
    signal.addEventListener("abort", stop);
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
