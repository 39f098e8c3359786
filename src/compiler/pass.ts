import type { Graph } from "../graph/index.js";

/** Graph in, graph out. A pass never changes what a graph computes, beyond the rounding of reordered float arithmetic. */
export interface Pass {
  readonly name: string;
  run(graph: Graph): Graph;
}
