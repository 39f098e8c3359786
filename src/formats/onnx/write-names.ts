import type { Graph, Value } from "../../graph/index.js";

/** Names of values as a file needs them: not empty, and no two alike in a graph and those around it. */
export class Names {
  readonly #outer: Names | null;
  readonly #names = new Map<Value, string>();
  readonly #taken = new Set<string>();

  /** Names for what `graph` defines: inputs and outputs first, so that they keep theirs. */
  constructor(graph: Graph, outer: Names | null) {
    this.#outer = outer;
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
    for (let i = 1; name === "" || this.#isTaken(name); i++) name = `${wish || "value"}_${i}`;
    this.#taken.add(name);
    return name;
  }

  #add(value: Value): void {
    if (!this.#names.has(value)) this.#names.set(value, this.fresh(value.name));
  }

  #isTaken(name: string): boolean {
    for (let names: Names | null = this; names !== null; names = names.#outer) if (names.#taken.has(name)) return true;
    return false;
  }
}
