import { type Constant, type Graph, subgraphsOf } from "../../graph/index.js";
import { SparseTensor } from "../../layouts/index.js";
import { byteLengthOf, type DataType, sizeOf, type Tensor } from "../../tensor/index.js";
import type { SparseForm } from "./write-graph.js";

/** The IR version that brought what a file holds (onnx.proto's list of versions): initializers that are no inputs, sparse ones, int4. */
const IR_INITIALIZERS = 4;
const IR_SPARSE = 6;
const IR_INT4 = 10;

/** The lowest IR version that a graph may be written in. */
export function irVersionFor(graph: Graph, sparse: SparseForm): number {
  let version = IR_INITIALIZERS;
  forEachTensor(graph, (tensor) => {
    if (tensor instanceof SparseTensor && sparse === "initializer") version = Math.max(version, IR_SPARSE);
    if (isInt4(tensor.dtype)) version = IR_INT4;
  });
  return version;
}

/** Bytes of the tensors that a graph's file holds. */
export function constantBytes(graph: Graph, sparse: SparseForm): number {
  let bytes = 0;
  forEachTensor(graph, (tensor) => {
    if (tensor instanceof SparseTensor && sparse === "dense") bytes += byteLengthOf(tensor.dtype, sizeOf(tensor.shape));
    else bytes += tensor.byteLength;
  });
  return bytes;
}

const isInt4 = (dtype: DataType): boolean => dtype === "int4" || dtype === "uint4";

/** Constants and tensor attributes, those of subgraphs included. */
function forEachTensor(graph: Graph, visit: (tensor: Constant | Tensor) => void): void {
  for (const constant of graph.constants.values()) visit(constant);
  for (const node of graph.nodes) {
    for (const attribute of node.attributes.values()) if (attribute.kind === "tensor") visit(attribute.value);
    for (const inner of subgraphsOf(node)) forEachTensor(inner, visit);
  }
}
