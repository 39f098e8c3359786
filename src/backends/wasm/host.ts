/** A worker, whatever the host calls it. */
export interface WorkerHandle {
  postMessage(message: unknown): void;
  terminate(): void;
}

/** What differs between Node and a page. */
export interface Host {
  /** Whether the calling thread may sleep on shared memory (a page's main thread may not). */
  readonly mayBlock: boolean;
  /** Logical processors. */
  readonly processors: number;
  /** Starts a worker from source text; it must not keep the process alive. */
  startWorker(source: string): WorkerHandle;
}

const browserHost = (): Host => ({
  mayBlock: typeof document === "undefined",
  processors: globalThis.navigator?.hardwareConcurrency ?? 1,
  startWorker(source) {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const worker = new Worker(url);
    URL.revokeObjectURL(url);
    return worker;
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
