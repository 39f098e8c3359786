import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { basename } from "node:path";
import type { InferenceSession, Tensor as OrtTensor, TensorConstructor } from "onnxruntime-common";
import { type DataType, type NumericArray, Tensor } from "../../tensor/index.js";
import { untilQuiet } from "./quiet.js";

/** What onnxruntime-web and onnxruntime-node both export, as far as it is needed here. */
interface Onnxruntime {
  readonly InferenceSession: {
    create(model: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession>;
    create(path: string, options: InferenceSession.SessionOptions): Promise<InferenceSession>;
  };
  readonly Tensor: TensorConstructor;
  readonly env: { readonly versions: Readonly<Record<string, string | undefined>> };
}

export type RivalName = "onnxruntime-web" | "onnxruntime-node";
export const RIVALS: readonly RivalName[] = ["onnxruntime-web", "onnxruntime-node"];

/** A model in another runtime, with its inputs bound. */
export interface RivalSession {
  /** Runs it once; outputs in that runtime's form. */
  run(): Promise<InferenceSession.OnnxValueMapType>;
  /** Until its threads have fallen asleep; undefined where it has none. */
  readonly settle: (() => Promise<void>) | undefined;
  /** Runs it once and gives the outputs as tensors of ours. */
  outputs(): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
}

/** Another runtime that may be compared with. */
export interface Rival {
  readonly name: RivalName;
  readonly version: string;
  /** `model` is a standard ONNX file. @throws whatever the runtime says of a model that it does not run. */
  open(model: Uint8Array, feeds: Readonly<Record<string, Tensor>>): Promise<RivalSession>;
  /** As `open`, from a file; its external data, if any, is in `<path>.data`. */
  openFile(path: string, feeds: Readonly<Record<string, Tensor>>): Promise<RivalSession>;
}

/**
 * onnxruntime-web (its WebAssembly provider) or onnxruntime-node (its CPU provider), or null where the package is not installed.
 * onnxruntime-web fixes its number of threads with the first session of a process: one number a process.
 */
export async function loadRival(name: RivalName, threads: number): Promise<Rival | null> {
  const web = name === "onnxruntime-web";
  const ort = await (web ? importWeb(threads) : importNode());
  if (ort === null) return null;
  const options: InferenceSession.SessionOptions = {
    executionProviders: [web ? "wasm" : "cpu"],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  };
  const bound = (session: InferenceSession, feeds: Readonly<Record<string, Tensor>>): RivalSession => {
    const inputs: Record<string, OrtTensor> = Object.fromEntries(
      session.inputNames.flatMap((input) => {
        const tensor = feeds[input];
        return tensor === undefined ? [] : [[input, toOnnxruntime(ort, tensor)]];
      }),
    );
    return {
      run: () => session.run(inputs),
      settle: threads > 1 ? untilQuiet : undefined,
      outputs: async () =>
        Object.fromEntries(
          Object.entries(await session.run(inputs)).map(([output, value]) => [output, fromOnnxruntime(value)]),
        ),
      release: () => session.release(),
    };
  };
  return {
    name,
    version: ort.env.versions[web ? "web" : "node"] ?? ort.env.versions.common ?? "unknown",
    open: async (model, feeds) => bound(await ort.InferenceSession.create(model, options), feeds),
    async openFile(path, feeds) {
      if (!web) return bound(await ort.InferenceSession.create(path, options), feeds);
      const data = `${path}.data`;
      const externalData = existsSync(data) ? [{ path: basename(data), data: readLarge(data) }] : [];
      return bound(await ort.InferenceSession.create(readFileSync(path), { ...options, externalData }), feeds);
    },
  };
}

const CHUNK = 2 ** 30;

/** A file of any size: `readFileSync` takes less than 2 GB. */
function readLarge(path: string): Uint8Array {
  const fd = openSync(path, "r");
  try {
    const bytes = new Uint8Array(fstatSync(fd).size);
    for (let at = 0; at < bytes.length; ) {
      const read = readSync(fd, bytes, at, Math.min(CHUNK, bytes.length - at), at);
      if (read === 0) throw new Error(`'${path}' became shorter while it was read`);
      at += read;
    }
    return bytes;
  } finally {
    closeSync(fd);
  }
}

async function importWeb(threads: number): Promise<Onnxruntime | null> {
  const ort = await installed(() => import("onnxruntime-web"));
  if (ort !== null) ort.env.wasm.numThreads = threads;
  return ort as Onnxruntime | null;
}

const importNode = async (): Promise<Onnxruntime | null> =>
  (await installed(() => import("onnxruntime-node"))) as Onnxruntime | null;

async function installed<T>(load: () => Promise<T>): Promise<T | null> {
  try {
    return await load();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND") return null;
    throw error;
  }
}

const toOnnxruntime = ({ Tensor: Theirs }: Onnxruntime, { dtype, data, shape }: Tensor): OrtTensor =>
  new Theirs(dtype as "float32", data as Float32Array, shape);

const fromOnnxruntime = ({ type, data, dims }: OrtTensor): Tensor =>
  new Tensor(type as DataType, dims, data as NumericArray);
