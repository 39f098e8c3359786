import { NonzeroError } from "../../tensor/index.js";
import { moduleBytes } from "./asm/index.js";
import { MAX_PAGES } from "./asm/module.js";
import { type Driver, driverBytes, FAILED, STATE } from "./driver.js";
import { host } from "./host.js";
import type { DeviceInfo, KernelCode } from "./kernel.js";
import { threadAt, threadsFail } from "./threads.js";

const PAGE = 65536;
const ALIGN = 64;
const alignUp = (bytes: number): number => Math.ceil(bytes / ALIGN) * ALIGN;

/** Compiled kernels, for the life of the process: a kernel gets fast with use, and every session profits. */
const modules = new Map<string, WebAssembly.Module>();

function moduleOf(code: KernelCode, device: DeviceInfo): WebAssembly.Module {
  const key = `${code.key}|${device.relaxed ? "relaxed" : "simd"}|${device.shared ? "shared" : "own"}`;
  let module = modules.get(key);
  if (module === undefined) {
    module = new WebAssembly.Module(moduleBytes({ kernel: code.build(device) }, { shared: device.shared }));
    modules.set(key, module);
  }
  return module;
}

const drivers = new Map<boolean, WebAssembly.Module>();

function driverModule(shared: boolean): WebAssembly.Module {
  let module = drivers.get(shared);
  if (module === undefined) {
    module = new WebAssembly.Module(driverBytes(shared));
    drivers.set(shared, module);
  }
  return module;
}

let stores = 0;

/**
 * One session's memory, the kernels instantiated on it, and the threads that work in it.
 * Addresses are byte offsets; everything allocated is aligned to 64 bytes.
 */
export class Store {
  readonly device: DeviceInfo;
  readonly memory: WebAssembly.Memory;
  readonly #id = stores++;
  readonly #table: WebAssembly.Table;
  readonly #driver: Driver;
  readonly #kernels = new Map<string, number>();
  readonly #known: number[] = []; // per worker: how many of #installs it has been sent
  readonly #installs: unknown[] = [];
  readonly #free: { address: number; bytes: number }[] = [];
  #top = ALIGN; // address 0 stays unused
  #epoch = 0;

  constructor(device: DeviceInfo) {
    this.device = device;
    try {
      this.memory = new WebAssembly.Memory({ initial: 16, maximum: MAX_PAGES, shared: device.shared });
    } catch (cause) {
      throw new NonzeroError("io", "the host has no room for another WebAssembly memory", {}, { cause });
    }
    this.#table = new WebAssembly.Table({ element: "anyfunc", initial: 64 });
    const driver = driverModule(device.shared);
    const env = { memory: this.memory, table: this.#table };
    this.#driver = new WebAssembly.Instance(driver, { env }).exports as unknown as Driver;
    this.#installs.push({ kind: "store", id: this.#id, memory: this.memory, driver });
  }

  /** Bytes of the memory as it stands. Views over it go stale when it grows: take them late. */
  get buffer(): ArrayBufferLike {
    return this.memory.buffer;
  }

  /** Zeroed or not, `bytes` bytes; freed regions are used again. @throws NonzeroError "io" beyond 4 GiB. */
  allocate(bytes: number): number {
    const size = Math.max(ALIGN, alignUp(bytes));
    const index = this.#free.findIndex((region) => region.bytes >= size);
    const region = this.#free[index];
    if (region !== undefined) {
      this.#free.splice(index, 1);
      if (region.bytes > size) this.free(region.address + size, region.bytes - size);
      return region.address;
    }
    const address = this.#top;
    this.#top += size;
    const missing = Math.ceil(this.#top / PAGE) - this.memory.buffer.byteLength / PAGE;
    if (missing > 0) {
      try {
        this.memory.grow(missing);
      } catch (cause) {
        this.#top -= size;
        throw new NonzeroError("io", `out of WebAssembly memory: ${this.#top + size} bytes are needed`, {}, { cause });
      }
    }
    return address;
  }

  /** Gives a region back; neighbours are joined. */
  free(address: number, bytes: number): void {
    this.#free.push({ address, bytes: Math.max(ALIGN, alignUp(bytes)) });
    this.#free.sort((a, b) => a.address - b.address);
    for (let i = this.#free.length - 1; i > 0; i--) {
      const [left, right] = [this.#free[i - 1]!, this.#free[i]!];
      if (left.address + left.bytes === right.address) {
        this.#free.splice(i - 1, 2, { address: left.address, bytes: left.bytes + right.bytes });
      }
    }
    const last = this.#free[this.#free.length - 1];
    if (last !== undefined && last.address + last.bytes === this.#top) {
      this.#free.pop();
      this.#top = last.address;
    }
  }

  /** Index of a kernel in the table; compiled and instantiated when new. */
  kernel(code: KernelCode): number {
    let index = this.#kernels.get(code.key);
    if (index === undefined) {
      index = this.#kernels.size;
      const module = moduleOf(code, this.device);
      if (index >= this.#table.length) this.#table.grow(this.#table.length);
      this.#table.set(index, new WebAssembly.Instance(module, { env: { memory: this.memory } }).exports.kernel);
      this.#kernels.set(code.key, index);
      this.#installs.push({ kind: "kernel", id: this.#id, index, module });
    }
    return index;
  }

  /** Runs a program (see driver.ts) to its end. `parallel` false: on this thread alone. @throws WebAssembly.RuntimeError where a kernel traps. */
  run(program: number, parallel: boolean): void {
    if (!parallel || threadsFail() || this.device.threads === 1 || !this.device.shared) {
      this.#driver.serial(program);
      return;
    }
    this.#epoch = (this.#epoch + 2) & 0xffffff;
    this.#driver.open(program, this.#epoch);
    for (let i = 0; i < this.device.threads - 1; i++) {
      const thread = threadAt(i);
      for (let sent = this.#known[i] ?? 0; sent < this.#installs.length; sent++) thread.post(this.#installs[sent]);
      this.#known[i] = this.#installs.length;
      thread.call(this.#id, program, this.#epoch);
    }
    try {
      this.#driver.lead(program, this.#epoch, host().mayBlock ? 1 : 0);
    } catch (trap) {
      // The other threads leave as soon as they see it; until then the program is theirs as well.
      const words = new Int32Array(this.memory.buffer, program);
      Atomics.store(words, FAILED / 4, 1);
      while (Atomics.compareExchange(words, STATE / 4, this.#epoch << 8, (this.#epoch + 1) << 8) !== this.#epoch << 8);
      throw trap;
    }
  }

  /** Lets the workers forget this memory, so that it can be collected. */
  release(): void {
    this.#known.forEach((installed, i) => {
      if (installed) threadAt(i).post({ kind: "drop", id: this.#id });
    });
    this.#known.length = 0;
  }
}
