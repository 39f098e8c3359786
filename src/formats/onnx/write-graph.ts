import { create } from "@bufbuild/protobuf";
import {
  type Attribute,
  type Constant,
  type Dim,
  type Graph,
  labelOf,
  type Node,
  type Value,
  type ValueType,
} from "../../graph/index.js";
import { parseLayout, type SparseTensor } from "../../layouts/index.js";
import { toDenseName } from "../../ops/sparse/index.js";
import { locate, NonzeroError, Tensor } from "../../tensor/index.js";
import { onnxTypeOf } from "./dtypes.js";
import {
  type AttributeProto,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type SparseTensorProto,
  SparseTensorProtoSchema,
  type TensorShapeProto_Dimension,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  AttributeProto_AttributeType as Type,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "./onnx_pb.js";
import { toCoordinates } from "./sparse-coo.js";
import { Names } from "./write-names.js";
import { int64Of, type Place, tensorProto } from "./write-tensor.js";

type PlainAttribute = Exclude<Attribute, { kind: "graph" }>;

/** How sparse constants are written: their parts and a ToDense node, with explicit zeros, or as ONNX's sparse_initializer. */
export type SparseForm = "packed" | "dense" | "initializer";

export interface GraphWriter {
  readonly sparse: SparseForm;
  readonly place?: Place | undefined;
  /** Opset versions by domain that the model imports; grows with what the nodes need. */
  readonly opsets: Map<string, number>;
  /** Domains that nodes are of. */
  readonly used: Set<string>;
}

const UTF8 = new TextEncoder();

/** A graph as the file has it. Values are named by `Names`; constants stay in the graph that holds them. */
export function graphProto(graph: Graph, writer: GraphWriter, outer: Names | null): GraphProto {
  const names = new Names(graph, outer);
  const proto = create(GraphProtoSchema, {
    name: graph.name || "graph",
    input: graph.inputs.map((value) => valueInfo(names.of(value), value.type)),
    output: graph.outputs.map((value) => valueInfo(names.of(value), value.type)),
  });
  for (const [value, constant] of graph.constants) {
    locate({ node: value.name }, () => addConstant(proto, value, constant, writer, names));
  }
  const declared = new Set<Value>([...graph.inputs, ...graph.outputs]);
  for (const node of graph.nodes) {
    proto.node.push(locate({ node: labelOf(node) }, () => nodeProto(node, writer, names)));
    for (const output of node.outputs) {
      if (output !== null && output.type !== null && !declared.has(output))
        proto.valueInfo.push(valueInfo(names.of(output), output.type));
    }
  }
  return proto;
}

function addConstant(proto: GraphProto, value: Value, constant: Constant, writer: GraphWriter, names: Names): void {
  const name = names.of(value);
  if (constant instanceof Tensor || writer.sparse === "dense") {
    proto.initializer.push(tensorProto(constant, name, writer.place));
  } else if (writer.sparse === "initializer") {
    proto.sparseInitializer.push(sparseProto(constant, name));
  } else {
    const parts = partsOf(constant).map(([part, tensor]) =>
      tensorProto(tensor, names.fresh(`${name}.${part}`), writer.place),
    );
    proto.initializer.push(...parts);
    proto.node.push(
      toDenseNode(
        constant,
        name,
        parts.map((part) => part.name),
      ),
    );
    proto.valueInfo.push(valueInfo(name, constant));
    need(writer, toDenseName.domain, 1);
  }
}

function partsOf({ stored }: SparseTensor): [string, Tensor][] {
  return parseLayout(stored.layout).parts.flatMap((name): [string, Tensor][] => {
    const part = stored.parts[name];
    return part === undefined ? [] : [[name, part]];
  });
}

function toDenseNode({ stored, shape, perm, dtype }: SparseTensor, output: string, input: string[]): NodeProto {
  const attributes: [string, PlainAttribute][] = [
    ["layout", { kind: "string", value: stored.layout }],
    ["shape", { kind: "ints", value: shape }],
    ["perm", { kind: "ints", value: perm }],
    ["dtype", { kind: "int", value: onnxTypeOf(dtype) }],
  ];
  return create(NodeProtoSchema, {
    opType: toDenseName.op,
    domain: toDenseName.domain,
    name: `${output}.to_dense`,
    input,
    output: [output],
    attribute: attributes.map(([name, attribute]) => plainAttribute(name, attribute)),
  });
}

function sparseProto(tensor: SparseTensor, name: string): SparseTensorProto {
  const { shape, offsets, values } = toCoordinates(tensor);
  const indices = new Tensor("int64", [offsets.length], BigInt64Array.from(offsets as unknown as number[], BigInt));
  return create(SparseTensorProtoSchema, {
    values: tensorProto(values, name),
    indices: tensorProto(indices, ""),
    dims: shape.map(BigInt),
  });
}

function nodeProto(node: Node, writer: GraphWriter, names: Names): NodeProto {
  need(writer, node.domain, node.version);
  const nameOf = (value: Value | null): string => (value === null ? "" : names.of(value));
  return create(NodeProtoSchema, {
    opType: node.op,
    domain: node.domain,
    name: node.name,
    input: node.inputs.map(nameOf),
    output: node.outputs.map(nameOf),
    attribute: [...node.attributes].map(([name, attribute]) => {
      if (attribute.kind !== "graph") return plainAttribute(name, attribute);
      const g = graphProto(attribute.value, writer, names);
      return create(AttributeProtoSchema, { name, type: Type.GRAPH, g });
    }),
  });
}

/** @throws NonzeroError "unsupported" when two nodes mean different opsets of a domain, of which a file imports one. */
function need(writer: GraphWriter, domain: string, version: number): void {
  writer.used.add(domain);
  const have = writer.opsets.get(domain);
  if (have === undefined) writer.opsets.set(domain, version);
  else if (have !== version) {
    throw new NonzeroError("unsupported", `it means opset ${version} of '${domain}', the model imports ${have}`);
  }
}

function plainAttribute(name: string, attribute: PlainAttribute): AttributeProto {
  const proto = create(AttributeProtoSchema, { name });
  switch (attribute.kind) {
    case "float":
      return Object.assign(proto, { type: Type.FLOAT, f: attribute.value });
    case "int":
      return Object.assign(proto, { type: Type.INT, i: int64Of(attribute.value, name) });
    case "string":
      return Object.assign(proto, { type: Type.STRING, s: UTF8.encode(attribute.value) });
    case "tensor":
      return Object.assign(proto, { type: Type.TENSOR, t: tensorProto(attribute.value, "") });
    case "floats":
      return Object.assign(proto, { type: Type.FLOATS, floats: [...attribute.value] });
    case "ints":
      return Object.assign(proto, { type: Type.INTS, ints: attribute.value.map((value) => int64Of(value, name)) });
    case "strings":
      return Object.assign(proto, { type: Type.STRINGS, strings: attribute.value.map((text) => UTF8.encode(text)) });
  }
}

function valueInfo(name: string, type: ValueType | null): ValueInfoProto {
  const proto = create(ValueInfoProtoSchema, { name });
  if (type === null) return proto;
  const tensor = create(TypeProto_TensorSchema, { elemType: onnxTypeOf(type.dtype) });
  if (type.shape !== null) {
    const dim = type.shape.map((size) => dimension(size, name));
    tensor.shape = create(TensorShapeProtoSchema, { dim });
  }
  proto.type = create(TypeProtoSchema, { value: { case: "tensorType", value: tensor } });
  return proto;
}

const dimension = (dim: Dim, field: string): TensorShapeProto_Dimension =>
  create(TensorShapeProto_DimensionSchema, {
    value:
      typeof dim === "string" ? { case: "dimParam", value: dim } : { case: "dimValue", value: int64Of(dim, field) },
  });
