import type { Operator } from "../operator.js";
import { ifOperator } from "./if.js";
import { loop } from "./loop.js";
import { scan } from "./scan.js";

/** If, Loop, Scan. */
export const controlOperators: readonly Operator[] = [ifOperator, loop, scan];
