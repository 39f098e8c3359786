import { capturesOf, type Graph, type Value } from "../../graph/index.js";

/**
 * Names of values as a file needs them: not empty, no two alike in a graph, and none that hides a value of the graphs around it that this
 * graph reads.
 */
export class Names {
  readonly #outer: Names | null;
  readonly #names = new Map<Value, string>();
  readonly #taken: Set<string>;
  /** The last number that made a name of this start unique. */
  readonly #counts = new Map<string, number>();

  /** Names for what `graph` defines: inputs and outputs first, so that they keep theirs. */
  constructor(graph: Graph, outer: Names | null) {
    this.#outer = outer;
    this.#taken = new Set(outer === null ? [] : capturesOf(graph).map((value) => outer.of(value)));
    const made = new Set<Value>(graph.constants.keys());
    for (const node of graph.nodes) for (const output of node.outputs) if (output !== null) made.add(output);
    for (const input of graph.inputs) this.#add(input);
    for (const output of graph.outputs) if (made.has(output)) this.#add(output);
    for (const value of made) this.#add(value);
  }

  /** The name of a value of this graph or those around it; the value's own where none of them defines it. */
  of(value: Value): string {
    for (let names: Names | null = this; names !== null; names = names.#outer) {
      const name = names.#names.get(value);
      if (name !== undefined) return name;
    }
    return value.name;
  }

  /** A name that starts like `wish` and is not taken; taken from now on. */
  fresh(wish: string): string {
    let name = wish;
    let count = this.#counts.get(wish) ?? 0;
    while (name === "" || this.#taken.has(name)) name = `${wish || "value"}_${++count}`;
    this.#counts.set(wish, count);
    this.#taken.add(name);
    return name;
  }

  #add(value: Value): void {
    if (!this.#names.has(value)) this.#names.set(value, this.fresh(value.name));
  }
}
