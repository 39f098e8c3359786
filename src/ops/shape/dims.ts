import type { Dim } from "../../graph/index.js";
import { NonzeroError } from "../../tensor/index.js";
import { type Dims, knownInts, need } from "../infer.js";
import type { Operand } from "../operator.js";

let unknowns = 0;

/** A name for a dimension of which nothing is known; no two are equal. */
export const unknownDim = (): string => `?${unknowns++}`;

export const unknownDims = (rank: number): string[] => Array.from({ length: rank }, unknownDim);

/** The sum of dimensions: a number where all are numbers, a name made of theirs otherwise. */
export function addDims(dims: readonly Dim[]): Dim {
  const names = dims.filter((dim) => typeof dim === "string");
  const sum = dims.reduce<number>((total, dim) => total + (typeof dim === "number" ? dim : 0), 0);
  if (names.length === 0) return sum;
  if (names.length === 1 && sum === 0) return names[0]!;
  return `(${[...names, ...(sum === 0 ? [] : [sum])].join("+")})`;
}

/** The product of dimensions: a number where all are numbers or one is 0, a name made of theirs otherwise. */
export function multiplyDims(dims: readonly Dim[]): Dim {
  const names = dims.filter((dim) => typeof dim === "string");
  const product = dims.reduce<number>((total, dim) => total * (typeof dim === "number" ? dim : 1), 1);
  if (names.length === 0 || product === 0) return product;
  if (names.length === 1 && product === 1) return names[0]!;
  return `(${[...names, ...(product === 1 ? [] : [product])].join("*")})`;
}

/** f of a dimension that is a number; a new unknown one otherwise. */
export const mapDim = (dim: Dim, f: (dim: number) => number): Dim => (typeof dim === "number" ? f(dim) : unknownDim());

/** The length of a list (shape, axes, pads) that an input will hold; undefined when not even that is known. */
export function listLength(operand: Operand): number | undefined {
  const shape = operand.type.shape;
  if (shape === null) return undefined;
  const length = shape.length === 0 ? 1 : shape[0]!;
  return typeof length === "number" ? length : undefined;
}

/** A shape of which only the length of the input `operand` is known. */
export function shapeOfLength(operand: Operand): Dims {
  const length = listLength(operand);
  return length === undefined ? null : unknownDims(length);
}

/** A list that early versions hold in an attribute and later ones in input `index`; undefined when it is not known yet. */
export const listOf = (
  attribute: readonly number[] | null,
  inputs: readonly (Operand | null)[],
  index: number,
): readonly number[] | undefined => attribute ?? knownInts(need(inputs, index));

/** `index` counted from the front. @throws NonzeroError "shape" when it is outside [-dim, dim). */
export function normalizeIndex(index: number, dim: number): number {
  if (index < -dim || index >= dim) throw new NonzeroError("shape", `index ${index} is outside [-${dim}, ${dim})`);
  return index < 0 ? index + dim : index;
}

/** @throws NonzeroError "shape" unless every dimension is a whole number, 0 or more, and the tensor can be addressed. */
export function checkShape(shape: readonly number[]): readonly number[] {
  let size = 1;
  for (const dim of shape) {
    if (!Number.isSafeInteger(dim) || dim < 0) throw new NonzeroError("shape", `[${shape}] is not a shape`);
    size *= dim;
  }
  if (size > 2 ** 31 - 1) throw new NonzeroError("shape", `a tensor of shape [${shape}] is too large`);
  return shape;
}
