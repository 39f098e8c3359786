import { host, type WorkerHandle } from "./host.js";
import { CONTROL, THREAD, WORKER_SOURCE } from "./worker-source.js";

/**
 * A worker thread. It waits for work in two ways: asleep on a word of shared memory for a while after each run, where it wakes within
 * microseconds, and after that in its event loop, where messages reach it.
 */
export class Thread {
  readonly #worker: WorkerHandle;
  readonly #control = new Int32Array(new SharedArrayBuffer(64));

  constructor() {
    this.#worker = host().startWorker(WORKER_SOURCE, workAlone);
    Atomics.store(this.#control, CONTROL.posted, 1);
    this.#worker.postMessage({ kind: "control", control: this.#control });
  }

  /** Sends a message; messages arrive in order, and before any later call. */
  post(message: unknown): void {
    const control = this.#control;
    Atomics.add(control, CONTROL.posted, 1);
    if (Atomics.compareExchange(control, CONTROL.state, THREAD.waiting, THREAD.dismissed) === THREAD.waiting) {
      Atomics.notify(control, CONTROL.state);
    }
    this.#worker.postMessage(message);
  }

  /** Has the thread join a run of a store's program, if it comes in time. */
  call(store: number, program: number, epoch: number): void {
    const control = this.#control;
    // A thread that has just left the run before is about to wait again.
    for (let spins = 0; spins < 5000 && Atomics.load(control, CONTROL.state) === THREAD.called; spins++);
    if (Atomics.load(control, CONTROL.handled) === Atomics.load(control, CONTROL.posted)) {
      Atomics.store(control, CONTROL.store, store);
      Atomics.store(control, CONTROL.program, program);
      Atomics.store(control, CONTROL.epoch, epoch);
      const state = Atomics.compareExchange(control, CONTROL.state, THREAD.waiting, THREAD.called);
      if (state === THREAD.waiting) Atomics.notify(control, CONTROL.state);
      if (state === THREAD.waiting || state === THREAD.called) return;
    }
    this.post({ kind: "run", id: store, program, epoch });
  }

  terminate(): void {
    this.#worker.terminate();
  }
}

const threads: Thread[] = [];

let alone = false;

function workAlone(reason: string): void {
  if (alone) return;
  alone = true;
  console.warn(`Nonzero runs on one thread, its workers cannot start: ${reason}`);
}

/** True once a thread could not start or failed: from then on the calling thread works alone. Runs never wait for one to join. */
export const threadsFail = (): boolean => alone;

/** The `i`-th thread of this process, started when first asked for; all stores share them. */
export function threadAt(i: number): Thread {
  threads[i] ??= new Thread();
  return threads[i];
}

/** Stops all threads; the next parallel run starts new ones, so sessions must not be used across this call. */
export function terminateWorkers(): void {
  for (const thread of threads.splice(0)) thread.terminate();
}
