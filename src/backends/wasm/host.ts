/** A worker, whatever the host calls it. */
export interface WorkerHandle {
  postMessage(message: unknown): void;
  terminate(): void;
}

/** What differs between Node and a page. */
export interface Host {
  /** Whether the calling thread may sleep on shared memory (a page's main thread may not). */
  readonly mayBlock: boolean;
  /** The WebAssembly engine and the processor, as far as the host tells: what the speed of code depends on. */
  readonly engine: string;
  /** Logical processors. */
  readonly processors: number;
  /** Starts a worker from source text; it must not keep the process alive. `onFailure` is told, at any time, why it cannot work. */
  startWorker(source: string, onFailure: (reason: string) => void): WorkerHandle;
}

const FORBIDDEN = "the page's Content-Security-Policy must allow worker-src blob:";

const browserHost = (): Host => ({
  mayBlock: typeof document === "undefined",
  engine: globalThis.navigator?.userAgent ?? "unknown",
  processors: globalThis.navigator?.hardwareConcurrency ?? 1,
  startWorker(source, onFailure) {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    try {
      const worker = new Worker(url);
      worker.onerror = (event) => {
        event.preventDefault(); // said by `onFailure`
        // A worker that may not start at all fails without a message.
        onFailure(event.message || FORBIDDEN);
      };
      return worker;
    } catch {
      onFailure(FORBIDDEN);
      return { postMessage() {}, terminate() {} };
    } finally {
      URL.revokeObjectURL(url);
    }
  },
});

let current: Host | undefined;

/** The host in use: a page's, unless `setHost` put another in place. */
export const host = (): Host => {
  current ??= browserHost();
  return current;
};

/** Puts another host in place; `nonzero/node` does. */
export function setHost(replacement: Host): void {
  current = replacement;
}
