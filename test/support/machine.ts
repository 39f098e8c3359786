import type { Machine } from "../../src/backends/roofline/index.js";

const peaks = {
  ...{ threads: 1, float32: 30e9, int16: 48e9, int8: null },
  levels: [
    { name: "L1", capacity: 48e3, read: 110e9, copy: 200e9 },
    { name: "L2", capacity: 1e6, read: 100e9, copy: 160e9 },
    { name: "memory", capacity: null, read: 20e9, copy: 20e9 },
  ],
};
const product = (...seconds: number[]) => ({ seconds, memory: 1, points: 12, error: 0.02 });
const dense = product(1e-7, 1.3e-10, 0, 0, 1e-10);
const sparse = product(2e-7, 1.4e-10, 1.6e-10, 5e-9, 1e-10);

/** A machine with round numbers, so that tests of predictions measure nothing. */
export const MACHINE: Machine = {
  ...{ version: 3, device: "wasm", name: "a test's processor", engine: "no engine", software: false, threads: 1 },
  ...{ one: peaks, all: peaks, launch: 1e-8 },
  families: {
    "linear/dense/float32/1": product(1e-7, 5e-11, 0, 0, 1e-10),
    "linear/dense/float32/many": dense,
    "linear/sparse/float32/1": product(2e-7, 3e-10, 0, 1e-9, 1e-10),
    "linear/sparse/float32/many": sparse,
    "linear/shared/float32/many": product(2e-7, 6e-11, 4e-10, 1e-9, 1e-10),
    "conv/dense/float32/many": dense,
    "conv/sparse/float32/many": sparse,
    "kernel/elementwise": { seconds: [1e-7, 4e-11, 0], memory: 1, points: 9, error: 0.05 },
  },
};
