import type { Value } from "../../graph/index.js";
import { NonzeroError } from "../../tensor/index.js";

/** Names of one graph or function body, and of those around it. */
export class Scope {
  readonly #outer: Scope | null;
  readonly #values = new Map<string, Value | null>();
  readonly #made = new Set<string>();
  /** True once a value was read before the node that makes it: the nodes are not in topological order. */
  unsorted = false;

  constructor(outer: Scope | null) {
    this.#outer = outer;
  }

  /** Gives a name its value; null is an optional input that a function's caller left out. @throws NonzeroError "invalid-model" for a second definition. */
  define(name: string, value: Value | null, made: boolean): void {
    if (name === "") throw new NonzeroError("invalid-model", "a value has no name");
    if (this.#values.has(name)) {
      throw new NonzeroError("invalid-model", `value '${name}' is defined more than once`, { field: name });
    }
    this.#values.set(name, value);
    if (made) this.#made.add(name);
  }

  /** Marks a value as computed by the nodes so far. */
  make(name: string): void {
    this.#made.add(name);
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** The value that this scope itself gives a name. */
  own(name: string): Value | null {
    return this.#values.get(name) ?? null;
  }

  /** The value of a name here or in the scopes around. @throws NonzeroError "invalid-model" when there is none. */
  read(name: string): Value | null {
    for (let scope: Scope | null = this; scope !== null; scope = scope.#outer) {
      const value = scope.#values.get(name);
      if (value === undefined) continue;
      if (!scope.#made.has(name)) scope.unsorted = true;
      return value;
    }
    throw new NonzeroError("invalid-model", `value '${name}' is read but never defined`, { field: name });
  }
}
