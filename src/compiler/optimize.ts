import type { Graph } from "../graph/index.js";
import { passes } from "./passes/index.js";

/** The graph after all passes, in order. */
export const optimize = (graph: Graph): Graph => passes.reduce((current, pass) => pass.run(current), graph);
