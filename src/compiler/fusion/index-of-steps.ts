import type { Node, Value } from "../../graph/index.js";
import type { ConcreteType, Specialized, Step } from "../specialize.js";

/** Who makes and who reads each value of a specialized graph. */
export class StepIndex {
  readonly spec: Specialized;
  readonly #producers = new Map<Value, Step>();
  readonly #readers = new Map<Value, Step[]>();
  readonly #kept: ReadonlySet<Value>;

  constructor(spec: Specialized) {
    this.spec = spec;
    this.#kept = new Set(spec.outputs);
    for (const step of spec.steps) {
      for (const output of step.node.outputs) if (output !== null) this.#producers.set(output, step);
      for (const input of [...step.node.inputs, ...step.captures.values()]) {
        if (input === null) continue;
        const readers = this.#readers.get(input);
        if (readers) readers.push(step);
        else this.#readers.set(input, [step]);
      }
    }
  }

  producer(value: Value): Step | undefined {
    return this.#producers.get(value);
  }

  type(value: Value): ConcreteType | undefined {
    return this.spec.types.get(value);
  }

  shapeOf(value: Value): string {
    return String(this.spec.types.get(value)?.shape);
  }

  /** True where no step but these reads a value, nor is it an output. */
  isReadBy(value: Value, steps: ReadonlySet<Step>): boolean {
    return !this.#kept.has(value) && (this.#readers.get(value) ?? []).every((reader) => steps.has(reader));
  }

  /** The step that reads a value, where it is the only one, reads it once, and the value is no output. */
  soleReader(value: Value): Step | undefined {
    const readers = this.#readers.get(value);
    if (readers?.length !== 1 || this.#kept.has(value) || readers[0]!.captures.size > 0) return undefined;
    return readers[0];
  }
}

/** A step that runs `node`. */
export const stepOf = (node: Node): Step => ({ node, captures: new Map() });
