import { FAILED, STATE } from "./driver.js";

/** Words of the memory through which a thread is called. */
export const CONTROL = { state: 0, store: 1, program: 2, epoch: 3, posted: 4, handled: 5 } as const;

/** What a thread is doing: in its event loop; asleep on its control words; called to a run; sent back to its event loop. */
export const THREAD = { away: 0, waiting: 1, called: 2, dismissed: 3 } as const;

/** How long a thread sleeps on its control words before it goes back to its event loop. */
const LINGER_MS = 100;
/** How often it looks before it falls asleep: some ten microseconds. */
const SPINS = 3000;

/**
 * What a worker runs, as text, so that no bundler has to find a second file: Node evaluates it, a page loads it from a Blob
 * (its content security policy must allow `worker-src blob:`). The work itself is in the driver and the kernels.
 */
export const WORKER_SOURCE = `
const stores = new Map();
let control;
const follow = (id, program, epoch) => {
  const store = stores.get(id);
  if (!store) return;
  try {
    store.driver.follow(program, epoch);
  } catch {
    const words = new Int32Array(store.env.memory.buffer, program);
    Atomics.store(words, ${FAILED / 4}, 1);
    Atomics.sub(words, ${STATE / 4}, 1);
  }
};
const linger = () => {
  while (Atomics.load(control, ${CONTROL.handled}) === Atomics.load(control, ${CONTROL.posted})) {
    Atomics.store(control, ${CONTROL.state}, ${THREAD.waiting});
    for (let i = 0; i < ${SPINS} && Atomics.load(control, ${CONTROL.state}) === ${THREAD.waiting}; i++);
    Atomics.wait(control, ${CONTROL.state}, ${THREAD.waiting}, ${LINGER_MS});
    if (Atomics.compareExchange(control, ${CONTROL.state}, ${THREAD.waiting}, ${THREAD.away}) !== ${THREAD.called}) {
      break;
    }
    const id = Atomics.load(control, ${CONTROL.store});
    follow(id, Atomics.load(control, ${CONTROL.program}), Atomics.load(control, ${CONTROL.epoch}));
  }
  Atomics.store(control, ${CONTROL.state}, ${THREAD.away});
};
const receive = (message) => {
  handle(message);
  Atomics.add(control, ${CONTROL.handled}, 1);
  if (message.kind === "run") linger();
};
const handle = (message) => {
  switch (message.kind) {
    case "control":
      control = message.control;
      break;
    case "store": {
      const table = new WebAssembly.Table({ element: "anyfunc", initial: 64 });
      const env = { memory: message.memory, table };
      stores.set(message.id, { env, table, driver: new WebAssembly.Instance(message.driver, { env }).exports });
      break;
    }
    case "kernel": {
      const { env, table } = stores.get(message.id);
      if (message.index >= table.length) table.grow(table.length);
      table.set(message.index, new WebAssembly.Instance(message.module, { env }).exports.kernel);
      break;
    }
    case "run":
      follow(message.id, message.program, message.epoch);
      break;
    case "drop":
      stores.delete(message.id);
      break;
  }
};
if (typeof self === "undefined") require("node:worker_threads").parentPort.on("message", receive);
else self.onmessage = (event) => receive(event.data);
`;
