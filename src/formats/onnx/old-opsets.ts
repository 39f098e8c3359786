import { NonzeroError } from "../../tensor/index.js";

/**
 * Operators of the default domain that meant something else in the first opsets (broadcasting by attributes, shapes and dtypes as
 * attributes, training flags), and the version from which on they are read. All others read alike since opset 1.
 * Source: onnx/docs/Changelog.md.
 */
const READ_SINCE: Readonly<Record<string, number>> = {
  Add: 7,
  And: 7,
  AveragePool: 7,
  BatchNormalization: 7,
  Cast: 6,
  Concat: 4,
  Div: 7,
  Dropout: 7,
  Equal: 7,
  Gemm: 7,
  GlobalLpPool: 2,
  Greater: 7,
  GRU: 7,
  Less: 7,
  LpPool: 2,
  LSTM: 7,
  Mul: 7,
  Or: 7,
  Pad: 2,
  Pow: 7,
  PRelu: 7,
  Reshape: 5,
  RNN: 7,
  Split: 2,
  Sub: 7,
  Tile: 6,
  Upsample: 7,
  Xor: 7,
};

/** @throws NonzeroError "unsupported" when opset `version` gives the operator of the default domain a meaning that is not read. */
export function checkOpset(op: string, version: number): void {
  const since = Object.hasOwn(READ_SINCE, op) ? (READ_SINCE[op] as number) : 1;
  if (version >= since) return;
  throw new NonzeroError("unsupported", `${op} is read from opset ${since} on, this is opset ${version}`, {
    field: "opset_import",
  });
}
