import type { Pattern } from "./pattern.js";
import { bandPattern } from "./v-n-m.js";

/** `n:m`: of each run of m inputs of a row, n are kept; a last run of r < m inputs keeps ceil(n × r / m). */
export const nm = (n: number, m: number): Pattern => bandPattern("n:m", `${n}:${m}`, 1, n, m);
