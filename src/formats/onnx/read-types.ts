import type { Dim, ValueType } from "../../graph/index.js";
import { NonzeroError } from "../../tensor/index.js";
import { dtypeOf } from "./dtypes.js";
import type { TypeProto, ValueInfoProto } from "./onnx_pb.js";

const MAX_RANK = 64;

/** Makes names for dimensions that a file leaves unnamed. */
export type FreshDim = () => string;

/**
 * The type that a value_info, input or output declares; null when it declares none. A dimension without number and name gets a
 * fresh name; so does -1, which some exporters write for "any".
 * @throws NonzeroError "unsupported" for sequences, maps, optionals and sparse types, "invalid-model" for impossible dimensions.
 */
export function typeOf(info: ValueInfoProto, freshDim: FreshDim): ValueType | null {
  const field = info.name;
  const type = info.type?.value;
  if (type === undefined || type.case === undefined) return null;
  if (type.case !== "tensorType") {
    throw new NonzeroError("unsupported", `${WORDS[type.case]} are not supported, only tensors`, { field });
  }
  const { elemType, shape } = type.value;
  const dtype = dtypeOf(elemType, field);
  if (shape === undefined) return { dtype, shape: null };
  if (shape.dim.length > MAX_RANK) {
    throw new NonzeroError("invalid-model", `${shape.dim.length} axes, more than ${MAX_RANK}`, { field });
  }
  const dims = shape.dim.map(({ value }): Dim => {
    if (value.case === "dimParam" && value.value !== "") return value.value;
    if (value.case !== "dimValue" || value.value === -1n) return freshDim();
    if (value.value < 0n || value.value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new NonzeroError("invalid-model", `${value.value} is not a dimension`, { field });
    }
    return Number(value.value);
  });
  return { dtype, shape: dims };
}

const WORDS: Readonly<Record<Exclude<NonNullable<TypeProto["value"]["case"]>, "tensorType">, string>> = {
  sequenceType: "sequences",
  mapType: "maps",
  optionalType: "optional values",
  sparseTensorType: "sparse values",
  opaqueType: "opaque values",
};
