import { type AttributeLike, GraphBuilder, type Model, type Value } from "../../../src/graph/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { modelOf } from "../linear-model.js";
import { normals } from "../normals.js";

/** A model built by name, with random weights of the right shapes. */
export interface BuiltModel {
  readonly name: string;
  readonly model: Model;
  readonly parameters: number;
  /** The input's shape. */
  readonly image: readonly number[];
}

/** Deviation of weights, as ViT and SAM start from. */
const DEVIATION = 0.02;
const EPSILON = 1e-6;
/** The first with Attention. */
const OPSET = 23;

/** Builds a graph layer by layer and counts parameters. */
export class Network {
  readonly #b: GraphBuilder;
  #parameters = 0;
  #seed = 0;
  readonly #lists = new Map<string, Value>();

  constructor(readonly name: string) {
    this.#b = new GraphBuilder(name);
  }

  input(shape: readonly number[]): Value {
    return this.#b.input("image", "float32", shape);
  }

  /** Normal, mean 0. */
  parameter(name: string, shape: readonly number[], deviation = DEVIATION): Value {
    return this.#add(name, shape, (size) => normals(size, deviation, this.#seed));
  }

  op(op: string, inputs: readonly Value[], attributes: Readonly<Record<string, AttributeLike>> = {}): Value {
    return this.#b.add(op, inputs, attributes, { version: OPSET });
  }

  /** As `op`, of com.microsoft. */
  microsoft(op: string, inputs: readonly Value[], attributes: Readonly<Record<string, AttributeLike>>): Value {
    return this.#b.add(op, inputs, attributes, { domain: "com.microsoft" });
  }

  /** ONNX's Attention on [batch, heads, tokens, size], its scores as they are. */
  attention(q: Value, k: Value, v: Value): Value {
    return this.#b.add("Attention", [q, k, v], { scale: { kind: "float", value: 1 } }, { version: OPSET });
  }

  /** A table that is no parameter. */
  constant(tensor: Tensor): Value {
    return this.#b.constant(tensor);
  }

  reshape(x: Value, shape: readonly number[]): Value {
    return this.op("Reshape", [x, this.list(shape)]);
  }

  transpose(x: Value, perm: readonly number[]): Value {
    return this.op("Transpose", [x], { perm });
  }

  /** Whole numbers as a constant; equal ones are one. */
  list(values: readonly number[]): Value {
    const key = values.join();
    const known = this.#lists.get(key);
    if (known !== undefined) return known;
    const made = this.#b.constant(new Tensor("int64", [values.length], BigInt64Array.from(values, BigInt)));
    this.#lists.set(key, made);
    return made;
  }

  /** Parts of x along an axis. */
  split(x: Value, sizes: readonly number[], axis: number): Value[] {
    return this.#b.addMany("Split", [x, this.list(sizes)], sizes.length, { axis }, { version: OPSET });
  }

  scalar(value: number): Value {
    return this.#b.constant(new Tensor("float32", [], Float32Array.of(value)));
  }

  /** x [..., inputs] · W + b. */
  linear(x: Value, name: string, inputs: number, outputs: number): Value {
    const product = this.op("MatMul", [x, this.parameter(`${name}.weight`, [inputs, outputs])]);
    return this.op("Add", [product, this.parameter(`${name}.bias`, [outputs])]);
  }

  layerNorm(x: Value, name: string, width: number): Value {
    return this.op("LayerNormalization", [x, ...this.scaleAndShift(name, width)], {
      axis: -1,
      epsilon: { kind: "float", value: EPSILON },
    });
  }

  scaleAndShift(name: string, width: number): [Value, Value] {
    const scale = this.#add(`${name}.weight`, [width], (size) => new Float32Array(size).fill(1));
    return [scale, this.parameter(`${name}.bias`, [width])];
  }

  build(output: Value, shape: readonly number[], image: readonly number[]): BuiltModel {
    output.type = { dtype: "float32", shape };
    this.#b.output(output, "output");
    const { name } = this;
    return { name, model: modelOf(this.#b, OPSET), parameters: this.#parameters, image };
  }

  #add(name: string, shape: readonly number[], fill: (size: number) => Float32Array): Value {
    const size = shape.reduce((a, b) => a * b, 1);
    this.#parameters += size;
    this.#seed++;
    return this.#b.constant(new Tensor("float32", shape, fill(size)), name);
  }
}
