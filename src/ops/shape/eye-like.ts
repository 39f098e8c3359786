import { type DataType, NonzeroError, sizeOf, Tensor } from "../../tensor/index.js";
import { isConcrete, need } from "../infer.js";
import { dtypeOfCode } from "../onnx-dtype.js";
import type { Operator } from "../operator.js";

interface EyeLikeAttributes {
  /** Null takes the input's. */
  readonly dtype: DataType | null;
  readonly k: number;
}

/** ONNX EyeLike: a matrix of the input's shape with ones on diagonal k (above the main one when positive) and zeros elsewhere. */
export const eyeLike: Operator<EyeLikeAttributes> = {
  name: "EyeLike",
  domain: "",
  attributes: (node) => ({
    dtype: node.has("dtype") ? dtypeOfCode(node.int("dtype"), "dtype") : null,
    k: node.int("k", 0),
  }),
  infer(inputs, a) {
    const { dtype, shape } = need(inputs, 0).type;
    if (shape !== null && isConcrete(shape)) checkMatrix(shape);
    return [{ dtype: a.dtype ?? dtype, shape }];
  },
  evaluate(inputs, a) {
    const x = need(inputs, 0);
    checkMatrix(x.shape);
    const [rows, cols] = x.shape as [number, number];
    const ones = new Uint8Array(sizeOf(x.shape));
    for (let row = 0; row < rows; row++) {
      const col = row + a.k;
      if (col >= 0 && col < cols) ones[row * cols + col] = 1;
    }
    return [Tensor.from(a.dtype ?? x.dtype, x.shape, ones)];
  },
};

function checkMatrix(shape: readonly number[]): void {
  if (shape.length !== 2) throw new NonzeroError("shape", `expected a matrix, found shape [${shape}]`);
}
