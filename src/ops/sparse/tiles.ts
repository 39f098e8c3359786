import type { Dim, ValueType } from "../../graph/index.js";
import { checkTiled } from "../../sparsity/index.js";
import { type DataType, NonzeroError } from "../../tensor/index.js";
import { expectDtype } from "../infer.js";
import type { Operand } from "../operator.js";

/** What operators on matrices of 4×4 tiles infer. */

const DTYPES: readonly DataType[] = ["float32", "float16", "bfloat16"];

/** @throws NonzeroError "shape" for what is no matrix of tiles, as far as is known. */
export function tiledType({ type }: Pick<Operand, "type">): ValueType {
  const { dtype, shape } = type;
  expectDtype(dtype, DTYPES);
  if (shape === null) return type;
  if (shape.length !== 2) throw new NonzeroError("shape", `2:4 is for matrices, not for shape [${shape}]`);
  const [rows, cols] = shape.map((dim) => (typeof dim === "number" ? dim : 0));
  checkTiled(rows!, cols!);
  return type;
}

/** Types of a Sparsify24's outputs for x of this dtype and shape. */
export function packedTypes(dtype: DataType, shape: ValueType["shape"]) {
  const type = (dtype: DataType, dims: (rows: Dim, cols: Dim) => Dim[]): ValueType => ({
    dtype,
    shape: shape === null ? null : dims(shape[0]!, shape[1]!),
  });
  return {
    packed: type(dtype, (rows, cols) => [rows, divided(cols, 2)]),
    meta: type("uint8", (rows, cols) => [rows, divided(cols, 8)]),
    packedT: type(dtype, (rows, cols) => [cols, divided(rows, 2)]),
    metaT: type("uint8", (rows, cols) => [cols, divided(rows, 8)]),
    mask: type("uint16", (rows, cols) => [divided(rows, 4), divided(cols, 4)]),
  };
}

/** Rounded up. */
const divided = (dim: Dim, by: number): Dim => (typeof dim === "number" ? Math.ceil(dim / by) : `ceil(${dim}/${by})`);
