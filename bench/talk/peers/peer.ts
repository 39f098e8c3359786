import type { Tensor } from "../../../src/tensor/index.js";

/** y [n, m] = x [n, k] · w [k, m] for each of several w in memory of their own. */
export interface Product {
  /** All of them once. */
  run(): unknown | Promise<unknown>;
  /** Awaited after each run, untimed; undefined where the runtime is quiet once it is done. */
  readonly settle?: (() => Promise<void>) | undefined;
  /** The first of them. */
  output(): Promise<Tensor>;
  release(): void | Promise<void>;
}

/** In the order of tables. */
export const PEERS = ["onnxruntime-web", "tfjs-wasm", "jax-js", "onnxruntime-node"] as const;
export type PeerName = (typeof PEERS)[number];

/** Another runtime that multiplies matrices. */
export interface Peer {
  readonly name: PeerName;
  readonly version: string;
  /** Threads that it works on: fewer than asked for where it can't use them. */
  readonly threads: number;
  product(x: Tensor, weights: readonly Tensor[]): Promise<Product>;
}
