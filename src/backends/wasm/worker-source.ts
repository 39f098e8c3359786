/**
 * What a worker runs, as text, so that no bundler has to find a second file: Node evaluates it, a page loads it from a Blob
 * (its content security policy must allow `worker-src blob:`). The work itself is in the driver and the kernels.
 */
export const WORKER_SOURCE = `
const stores = new Map();
const handle = (message) => {
  switch (message.kind) {
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
      stores.get(message.id).driver.follow(message.program, message.epoch);
      break;
    case "drop":
      stores.delete(message.id);
      break;
  }
};
if (typeof self === "undefined") require("node:worker_threads").parentPort.on("message", handle);
else self.onmessage = (event) => handle(event.data);
`;
