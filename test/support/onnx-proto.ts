import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type AttributeProtoSchema,
  type GraphProtoSchema,
  ModelProtoSchema,
  type NodeProtoSchema,
  type TensorProtoSchema,
  AttributeProto_AttributeType as Type,
  type ValueInfoProtoSchema,
} from "../../src/formats/onnx/onnx_pb.js";

type Init<S extends Parameters<typeof create>[0]> = MessageInitShape<S>;

/** A file with this graph, opset 17, IR version 8, unless told otherwise. */
export const modelBytes = (
  graph: Init<typeof GraphProtoSchema>,
  change: Omit<Init<typeof ModelProtoSchema>, "$typeName"> = {},
): Uint8Array =>
  toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, { irVersion: 8n, opsetImport: [{ domain: "", version: 17n }], graph, ...change }),
  );

/** A value of dtype float32 unless told otherwise; a null dimension has neither number nor name. */
export const info = (
  name: string,
  dims: readonly (number | string | null)[],
  elemType = 1,
): Init<typeof ValueInfoProtoSchema> => ({
  name,
  type: { value: { case: "tensorType", value: { elemType, shape: { dim: dims.map(dimension) } } } },
});

const dimension = (dim: number | string | null) => {
  if (dim === null) return {};
  return typeof dim === "string"
    ? { value: { case: "dimParam", value: dim } as const }
    : { value: { case: "dimValue", value: BigInt(dim) } as const };
};

export const node = (
  opType: string,
  input: string[],
  output: string[],
  more: Omit<Init<typeof NodeProtoSchema>, "$typeName"> = {},
): Init<typeof NodeProtoSchema> => ({ opType, input, output, ...more });

export const floats = (name: string, dims: number[], values: number[]): Init<typeof TensorProtoSchema> => ({
  name,
  dims: dims.map(BigInt),
  dataType: 1,
  floatData: values,
});

export const int64s = (name: string, dims: number[], values: number[]): Init<typeof TensorProtoSchema> => ({
  name,
  dims: dims.map(BigInt),
  dataType: 7,
  int64Data: values.map(BigInt),
});

export const intAttribute = (name: string, i: number | bigint): Init<typeof AttributeProtoSchema> => ({
  name,
  type: Type.INT,
  i: BigInt(i),
});

export const graphAttribute = (name: string, g: Init<typeof GraphProtoSchema>): Init<typeof AttributeProtoSchema> => ({
  name,
  type: Type.GRAPH,
  g,
});
