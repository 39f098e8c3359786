import { Worker as NodeWorker } from "node:worker_threads";

const PRELUDE = `
require("node:v8").setFlagsFromString("--experimental-wasm-relaxed-simd");
const { parentPort } = require("node:worker_threads");
globalThis.self = globalThis;
globalThis.postMessage = (message, transfer) => parentPort.postMessage(message, transfer);
parentPort.on("message", (data) => globalThis.onmessage?.({ data }));
`;

/** What jax-js uses of a page's Worker, on a thread of Node's. */
class BlobWorker {
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: ((error: Error) => void) | null = null;
  readonly #worker: Promise<NodeWorker>;

  constructor(blob: Blob) {
    this.#worker = blob.text().then((text) => {
      const worker = new NodeWorker(PRELUDE + text, { eval: true });
      worker.unref();
      worker.on("message", (data: unknown) => this.onmessage?.({ data }));
      worker.on("error", (error: Error) => this.onerror?.(error));
      return worker;
    });
  }

  postMessage(message: unknown): void {
    void this.#worker.then((worker) => worker.postMessage(message));
  }
}

const urls = new Map<string, Blob>();

/** `new Worker(url)` for blobs that `URL.createObjectURL` was given meanwhile. */
function PageWorker(url: string): BlobWorker {
  const blob = urls.get(String(url));
  if (blob === undefined) throw new Error(`no worker for ${url}`);
  return new BlobWorker(blob);
}

/**
 * Runs `work` where it finds what a page would give it: Worker and a processor count, or for one thread neither. onnxruntime-web has a
 * Worker of its own in Node, so what is there is put back.
 */
export async function asInPage<T>(threads: number, work: () => Promise<T>): Promise<T> {
  const given = { Worker: threads > 1 ? PageWorker : undefined, navigator: { hardwareConcurrency: threads } };
  const before = Object.keys(given).map((key) => [key, Object.getOwnPropertyDescriptor(globalThis, key)] as const);
  const createObjectURL = URL.createObjectURL;
  for (const [key, value] of Object.entries(given))
    Object.defineProperty(globalThis, key, { value, configurable: true, writable: true });
  URL.createObjectURL = (blob) => {
    const url = createObjectURL.call(URL, blob);
    urls.set(url, blob as Blob);
    return url;
  };
  try {
    return await work();
  } finally {
    URL.createObjectURL = createObjectURL;
    for (const [key, descriptor] of before) {
      if (descriptor === undefined) Reflect.deleteProperty(globalThis, key);
      else Object.defineProperty(globalThis, key, descriptor);
    }
  }
}
