import { Tensor } from "../tensor/index.js";
import { type Attribute, type Constant, type Dim, type Graph, type Node, Value, type ValueType } from "./graph.js";

/** What an attribute may be given as: a number or list of numbers is an int where all are integers, unless tagged. */
export type AttributeLike = Attribute | number | string | Tensor | readonly number[] | readonly string[];

/** Opset that built nodes mean, by domain. */
const BUILT_VERSION: Readonly<Record<string, number>> = { "": 21, "com.microsoft": 1, "ai.nonzero": 1 };

/** Builds a graph node by node, in order. */
export class GraphBuilder {
  readonly #name: string;
  readonly #inputs: Value[] = [];
  readonly #outputs: Value[] = [];
  readonly #nodes: Node[] = [];
  readonly #constants = new Map<Value, Constant>();
  #count = 0;

  constructor(name = "graph") {
    this.#name = name;
  }

  input(name: string, dtype: ValueType["dtype"], shape: readonly Dim[] | null): Value {
    const value = new Value(name, { dtype, shape });
    this.#inputs.push(value);
    return value;
  }

  constant(tensor: Constant, name = `constant_${this.#count++}`): Value {
    const value = new Value(name, { dtype: tensor.dtype, shape: tensor.shape });
    this.#constants.set(value, tensor);
    return value;
  }

  /** Adds a node with one output and returns that output. */
  add(
    op: string,
    inputs: readonly (Value | null)[],
    attributes: Readonly<Record<string, AttributeLike>> = {},
    options: NodeOptions = {},
  ): Value {
    return this.addMany(op, inputs, 1, attributes, options)[0] as Value;
  }

  /** Adds a node with `outputs` outputs. */
  addMany(
    op: string,
    inputs: readonly (Value | null)[],
    outputs: number,
    attributes: Readonly<Record<string, AttributeLike>> = {},
    options: NodeOptions = {},
  ): Value[] {
    const domain = options.domain ?? "";
    const name = options.name ?? `${op}_${this.#count++}`;
    const values = Array.from({ length: outputs }, (_, i) => new Value(outputs === 1 ? name : `${name}:${i}`));
    this.#nodes.push({
      op,
      domain,
      version: options.version ?? BUILT_VERSION[domain] ?? 1,
      name,
      inputs,
      outputs: values,
      attributes: attributesOf(attributes),
    });
    return values;
  }

  output(value: Value, name?: string): void {
    if (name !== undefined) value.name = name;
    this.#outputs.push(value);
  }

  build(): Graph {
    return {
      name: this.#name,
      inputs: this.#inputs,
      outputs: this.#outputs,
      nodes: this.#nodes,
      constants: this.#constants,
    };
  }
}

export interface NodeOptions {
  readonly domain?: string;
  readonly version?: number;
  readonly name?: string;
}

/** Attributes from plain values. Mark a float that happens to be whole as `{ kind: "float", value }`. */
export function attributesOf(plain: Readonly<Record<string, AttributeLike>>): ReadonlyMap<string, Attribute> {
  const attributes = new Map<string, Attribute>();
  for (const [name, value] of Object.entries(plain)) attributes.set(name, attributeOf(value));
  return attributes;
}

function attributeOf(value: AttributeLike): Attribute {
  if (typeof value === "number") return { kind: Number.isInteger(value) ? "int" : "float", value };
  if (typeof value === "string") return { kind: "string", value };
  if (value instanceof Tensor) return { kind: "tensor", value };
  if (Array.isArray(value)) {
    if (value.length > 0 && typeof value[0] === "string") return { kind: "strings", value: value as string[] };
    return { kind: (value as number[]).every(Number.isInteger) ? "ints" : "floats", value: value as number[] };
  }
  return value as Attribute;
}
