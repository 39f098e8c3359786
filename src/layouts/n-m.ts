import type { Layout } from "./layout.js";
import { bandLayout } from "./v-n-m.js";

/**
 * n:m, `n:m:N:M`: each run of M columns of a row stores N values. The parts are those of `v:n:m` with V = 1:
 *
 * | part | dtype | shape | content |
 * | --- | --- | --- | --- |
 * | `indices` | uint8 | [rows, ceil(slots × ceil(log2 M) / 8)] | a row's columns, packed as `Groups` says |
 * | `values` | | [rows, slots], slots = ceil(cols / M) × N | values at these columns, zero beyond the matrix |
 */
export const nm = (n: number, m: number): Layout => bandLayout("n:m", `n:m:${n}:${m}`, 1, n, m);
