import { type Attribute, type Graph, labelOf, type Node } from "../graph/index.js";
import { NonzeroError, type Tensor } from "../tensor/index.js";

/** Typed, checked access to a node's attributes. Each getter throws NonzeroError "invalid-model" when the kind is wrong or a required one is absent. */
export class Attributes {
  readonly node: Node;

  constructor(node: Node) {
    this.node = node;
  }

  /** Opset version of the node's domain. */
  get version(): number {
    return this.node.version;
  }

  has(name: string): boolean {
    return this.node.attributes.has(name);
  }

  int(name: string, fallback?: number): number {
    return this.#get(name, "int", fallback);
  }

  /** A 0/1 int. */
  flag(name: string, fallback = false): boolean {
    return this.int(name, fallback ? 1 : 0) !== 0;
  }

  float(name: string, fallback?: number): number {
    return this.#get(name, "float", fallback);
  }

  string(name: string, fallback?: string): string {
    return this.#get(name, "string", fallback);
  }

  ints(name: string, fallback?: readonly number[]): readonly number[] {
    return this.#get(name, "ints", fallback);
  }

  floats(name: string, fallback?: readonly number[]): readonly number[] {
    return this.#get(name, "floats", fallback);
  }

  strings(name: string, fallback?: readonly string[]): readonly string[] {
    return this.#get(name, "strings", fallback);
  }

  tensor(name: string): Tensor {
    return this.#get<Tensor>(name, "tensor");
  }

  graph(name: string): Graph {
    return this.#get<Graph>(name, "graph");
  }

  /** The attribute when present, else undefined. */
  optional<K extends "int" | "float" | "string" | "ints" | "floats" | "strings" | "tensor">(
    name: string,
    kind: K,
  ): (Attribute & { kind: K })["value"] | undefined {
    return this.has(name) ? this.#get(name, kind) : undefined;
  }

  /** One of `allowed`. */
  oneOf<T extends string>(name: string, allowed: readonly T[], fallback?: T): T {
    const value = this.string(name, fallback);
    if (!(allowed as readonly string[]).includes(value))
      this.fail(name, `'${value}' is none of ${allowed.map((s) => `'${s}'`).join(", ")}`);
    return value as T;
  }

  fail(field: string, reason: string): never {
    throw new NonzeroError("invalid-model", reason, { node: labelOf(this.node), field });
  }

  #get<T>(name: string, kind: Attribute["kind"], fallback?: T): T {
    const attribute = this.node.attributes.get(name);
    if (attribute === undefined) {
      if (fallback === undefined) this.fail(name, `the attribute is missing, ${this.node.op} needs it`);
      return fallback as T;
    }
    if (attribute.kind !== kind && !(kind === "float" && attribute.kind === "int") && !isEmptyList(attribute, kind)) {
      this.fail(name, `expected ${kind}, found ${attribute.kind}`);
    }
    return attribute.value as T;
  }
}

const isEmptyList = (attribute: Attribute, kind: string): boolean =>
  kind.endsWith("s") && Array.isArray(attribute.value) && attribute.value.length === 0;
