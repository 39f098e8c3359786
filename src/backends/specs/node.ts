import type { Constant, Node, Value } from "../../graph/index.js";
import { attributesFor, operatorKey, operators } from "../../ops/index.js";
import { bitsOf, type DataType, Tensor } from "../../tensor/index.js";

/** A type with every dimension known. */
export interface ConcreteType {
  readonly dtype: DataType;
  readonly shape: readonly number[];
}

/** What a spec may ask about the node at hand. Shapes are concrete. */
export interface NodeContext {
  type(value: Value): ConcreteType;
  /** The value's constant, when it is one. Sparse constants stay sparse. */
  constant(value: Value): Constant | undefined;
}

/** What multiplying and moving a node asks for: the roofline's two numbers. */
export interface Cost {
  /** Of kept weights only. Other arithmetic (exponentials, comparisons) counts as the multiply-adds that take as long. */
  readonly multiplyAdds: number;
  /** That must be moved: every operand read once as it is stored, every result written once. */
  readonly bytes: number;
  /** Where the node multiplies a constant weight. */
  readonly product?: Product;
}

/** The product that a node makes of a constant weight, by the numbers that its time depends on. */
export interface Product {
  /** The weight's matrix: outputs × inputs. */
  readonly rows: number;
  readonly depth: number;
  /** Columns that it is multiplied with: tokens or pixels, of all batches. */
  readonly tokens: number;
  /** Stored weights. */
  readonly kept: number;
  /** Bytes of the weight as it is stored. */
  readonly bytes: number;
  /** Neighbouring rows that keep the same columns: 1 where each row has its own. */
  readonly share: number;
  readonly dtype: DataType;
  /** Whether each weight is multiplied with several places of the input (a convolution's window). */
  readonly window: boolean;
  /** Operations on each result besides, of an activation. */
  readonly activation: number;
}

export const attributesOfNode = <A>(node: Node): A => attributesFor(node, operators.get(operatorKey(node))!) as A;

/** Bytes of an element that moving kernels know. */
export type ElementBytes = 1 | 2 | 4 | 8;

/** Bytes of a value's elements; null where they are strings or share bytes. */
export function elementBytes(value: Value, at: NodeContext): ElementBytes | null {
  const bits = bitsOf(at.type(value).dtype);
  return bits >= 8 ? ((bits / 8) as ElementBytes) : null;
}

/** The elements of a constant integer input; undefined where it is not constant, null where it is left out. */
export function constantInts(node: Node, index: number, at: NodeContext): number[] | null | undefined {
  const value = node.inputs[index];
  if (value == null) return null;
  const constant = at.constant(value);
  return constant instanceof Tensor ? Array.from(constant.numbers()) : undefined;
}
