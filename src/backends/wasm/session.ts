import type { BoundPlan, HostSteps, Plan, PlanMaker, Specialized } from "../../compiler/index.js";
import type { Constant } from "../../graph/index.js";
import type { Tensor } from "../../tensor/index.js";
import { Choices, FormCache, storedFor } from "../tuner/index.js";
import { formsOf } from "./forms.js";
import type { Buffer, DeviceInfo, Kernel } from "./kernel.js";
import { allKernels } from "./kernels/index.js";
import { boundPlan, wasmPlan } from "./plan.js";
import { Store } from "./store.js";

/** A constant's forms in memory, by key, and how many plans use them. */
interface Resident {
  readonly forms: Map<string, Buffer>;
  plans: number;
}

interface Arena {
  readonly address: number;
  readonly bytes: number;
  plans: number;
}

/** Where plans that never run inside each other put their activations: one arena for them all. */
export interface Arenas {
  current: Arena | null;
}

/** What one plan holds of a session; `release` gives it back. */
export interface Holding {
  /** A dense constant's elements in memory. */
  upload(tensor: Tensor): Buffer;
  /** A constant in a kernel's form; made once, for all plans of the session. */
  prepare(constant: Constant, key: string, bytes: number, fill: (target: Uint8Array) => void): Buffer;
  /** Address of an arena of at least `bytes` for activations; to be called once. */
  arena(bytes: number): number;
  /** Memory of the plan's own. */
  allocate(bytes: number): number;
  release(): void;
}

/** Constants and activations of one model on the WebAssembly device, shared by all of its plans and kept while any of them lives. */
export class Session implements PlanMaker {
  readonly store: Store;
  readonly kernels: readonly Kernel[];
  readonly choices: Choices;
  readonly layout: "auto" | "stored";
  /** Dense forms of sparse constants that an evaluation on the host asked for. */
  readonly unpacked = new Map<Constant, Tensor>();
  readonly #forms = new FormCache();
  readonly #residents = new Map<Constant, Resident>();
  readonly #arenas: Arenas = { current: null };

  /** `layout`: whether sparse weights may be brought into another layout, or made dense, where that is faster. */
  constructor(
    device: DeviceInfo,
    kernels: readonly Kernel[] = allKernels,
    choices: Choices = new Choices(),
    layout: "auto" | "stored" = "auto",
  ) {
    this.store = new Store(device);
    this.kernels = kernels;
    this.choices = choices;
    this.layout = layout;
  }

  /** The graph with its sparse weights in the layouts that suit the device. */
  stored(spec: Specialized): Specialized {
    return this.layout === "stored" ? spec : storedFor(spec, formsOf, this.choices, this.#forms);
  }

  plan(spec: Specialized, host: HostSteps): Plan {
    return wasmPlan(spec, host, this, this.#arenas);
  }

  bind(spec: Specialized, host: HostSteps): BoundPlan {
    return boundPlan(spec, host, this);
  }

  nested(): PlanMaker {
    const arenas: Arenas = { current: null };
    return { plan: (spec, host) => wasmPlan(spec, host, this, arenas), nested: () => this.nested() };
  }

  /** Memory for a new plan, its arena among those that it shares or, without any, its own. */
  hold(arenas: Arenas | null): Holding {
    const { store } = this;
    const constants = new Set<Constant>();
    const regions: { address: number; bytes: number }[] = [];
    let arena: Arena | null = null;
    const prepare: Holding["prepare"] = (constant, key, bytes, fill) => {
      const resident = this.#residents.get(constant) ?? { forms: new Map<string, Buffer>(), plans: 0 };
      this.#residents.set(constant, resident);
      if (!constants.has(constant)) resident.plans++;
      constants.add(constant);
      let buffer = resident.forms.get(key);
      if (buffer === undefined) {
        const address = store.allocate(bytes);
        const target = new Uint8Array(store.buffer, address, bytes);
        target.fill(0);
        fill(target);
        buffer = { bytes, address };
        resident.forms.set(key, buffer);
      }
      return buffer;
    };
    const allocate = (bytes: number): number => {
      const address = store.allocate(bytes);
      regions.push({ address, bytes });
      return address;
    };
    return {
      prepare,
      upload: (tensor) => prepare(tensor, "", tensor.byteLength, (target) => target.set(tensor.bytes())),
      arena: (bytes) => {
        if (arenas === null) return allocate(bytes);
        arena = this.#arenaOf(arenas, bytes);
        arena.plans++;
        return arena.address;
      },
      allocate,
      release: () => {
        for (const { address, bytes } of regions) store.free(address, bytes);
        for (const constant of constants) this.#leave(constant);
        if (arena === null || --arena.plans > 0) return;
        store.free(arena.address, arena.bytes);
        if (arenas !== null && arena === arenas.current) arenas.current = null;
      },
    };
  }

  release(): void {
    this.#residents.clear();
    this.unpacked.clear();
    this.store.release();
  }

  /** The current arena if it is large enough; else a larger one, the old one staying for the plans that were laid out in it. */
  #arenaOf(arenas: Arenas, bytes: number): Arena {
    const { current } = arenas;
    if (current !== null && bytes <= current.bytes) return current;
    const size = Math.ceil(bytes * 1.25) + 64;
    arenas.current = { address: this.store.allocate(size), bytes: size, plans: 0 };
    return arenas.current;
  }

  #leave(constant: Constant): void {
    const resident = this.#residents.get(constant);
    if (resident === undefined || --resident.plans > 0) return;
    for (const { address, bytes } of resident.forms.values()) this.store.free(address!, bytes);
    this.#residents.delete(constant);
    this.unpacked.delete(constant);
  }
}
