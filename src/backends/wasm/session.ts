import type { HostSteps, Plan, PlanMaker, Specialized } from "../../compiler/index.js";
import type { Constant } from "../../graph/index.js";
import type { Tensor } from "../../tensor/index.js";
import type { Buffer, DeviceInfo, Kernel } from "./kernel.js";
import { allKernels } from "./kernels/index.js";
import { wasmPlan } from "./plan.js";
import { Store } from "./store.js";

/** Constants and activations of one model on the WebAssembly device, shared by all of its plans. */
export class Session implements PlanMaker {
  readonly store: Store;
  readonly kernels: readonly Kernel[];
  /** Dense forms of sparse constants that an evaluation on the host asked for. */
  readonly unpacked = new Map<Constant, Tensor>();
  readonly #constants = new Map<Constant, Map<string, Buffer>>();
  #arena = { address: 0, bytes: 0 };

  constructor(device: DeviceInfo, kernels: readonly Kernel[] = allKernels) {
    this.store = new Store(device);
    this.kernels = kernels;
  }

  plan(spec: Specialized, host: HostSteps): Plan {
    return wasmPlan(spec, host, this);
  }

  /** A dense constant's elements in memory. */
  upload(tensor: Tensor): Buffer {
    return this.prepare(tensor, "", tensor.byteLength, (target) => target.set(tensor.bytes()));
  }

  /** A constant in a kernel's form; made once. */
  prepare(constant: Constant, key: string, bytes: number, fill: (target: Uint8Array) => void): Buffer {
    let forms = this.#constants.get(constant);
    if (forms === undefined) {
      forms = new Map();
      this.#constants.set(constant, forms);
    }
    let buffer = forms.get(key);
    if (buffer === undefined) {
      const address = this.store.allocate(bytes);
      const target = new Uint8Array(this.store.buffer, address, bytes);
      target.fill(0);
      fill(target);
      buffer = { bytes, address };
      forms.set(key, buffer);
    }
    return buffer;
  }

  /**
   * Address of an arena of at least `bytes`. Plans of one session never run at the same time, so they share it; when a
   * plan needs more, a larger one is made, and the old one stays for the plans that were laid out in it.
   */
  arena(bytes: number): number {
    if (bytes > this.#arena.bytes) {
      const size = Math.ceil(bytes * 1.25);
      this.#arena = { address: this.store.allocate(size), bytes: size };
    }
    return this.#arena.address;
  }

  release(): void {
    this.#constants.clear();
    this.unpacked.clear();
    this.store.release();
  }
}
