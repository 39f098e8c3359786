import { createHash } from "node:crypto";
import type { Attribute, Constant, Graph, Model, Value } from "../../src/graph/index.js";
import { SparseTensor } from "../../src/layouts/index.js";
import type { Tensor } from "../../src/tensor/index.js";

/** A model as plain data: values by name, tensors by hash. Two models are the same when this is. */
export const describeModel = (model: Model) => ({
  graph: describeGraph(model.graph),
  opsets: [...model.opsets],
  irVersion: model.irVersion,
  producer: model.producer,
  metadata: [...model.metadata],
});

export type DescribedModel = ReturnType<typeof describeModel>;

const describeGraph = (graph: Graph): unknown => ({
  name: graph.name,
  inputs: graph.inputs.map(describeValue),
  outputs: graph.outputs.map(describeValue),
  constants: [...graph.constants].map(([value, constant]) => [describeValue(value), describeConstant(constant)]),
  nodes: graph.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map(describeValue),
    outputs: node.outputs.map(describeValue),
    attributes: [...node.attributes].map(([name, attribute]) => [name, describeAttribute(attribute)]),
  })),
});

const describeValue = (value: Value | null): unknown =>
  value && `${value.name}: ${value.type ? `${value.type.dtype}[${value.type.shape?.join() ?? "*"}]` : "?"}`;

function describeAttribute(attribute: Attribute): unknown {
  if (attribute.kind === "graph") return describeGraph(attribute.value);
  return attribute.kind === "tensor" ? describeTensor(attribute.value) : attribute;
}

function describeConstant(constant: Constant): unknown {
  if (!(constant instanceof SparseTensor)) return describeTensor(constant);
  const { stored, shape, perm } = constant;
  const parts = Object.entries(stored.parts).map(([name, part]) => [name, describeTensor(part)]);
  return { shape, perm, ...stored, parts };
}

function describeTensor({ dtype, shape, data }: Tensor): unknown {
  const hash = createHash("sha1");
  if (Array.isArray(data)) hash.update(JSON.stringify(data));
  else hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return `${dtype}[${shape}] ${hash.digest("hex")}`;
}
