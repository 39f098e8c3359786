import type { Model } from "../../graph/index.js";
import { locate, NonzeroError, type Tensor } from "../../tensor/index.js";
import { clampedInt, decode } from "./decode.js";
import { type ExternalData, readOnce } from "./external-data.js";
import { functionKey } from "./names.js";
import {
  type FunctionProto,
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  TensorProtoSchema,
} from "./onnx_pb.js";
import { ReadContext } from "./read-context.js";
import { opsetsOf } from "./read-functions.js";
import { readGraph } from "./read-graph.js";
import { tensorOf } from "./read-tensor.js";

export interface ReadOptions {
  /** Named in errors. */
  readonly file?: string | undefined;
  /** Where tensors that the model keeps in other files are read from. */
  readonly externalData?: ExternalData | undefined;
  /** True when `bytes` is the reader's to change: tensors are then shifted into alignment within it instead of copied. */
  readonly ownsBytes?: boolean | undefined;
}

/**
 * Reads an ONNX file (IR versions 3 to 14, any opset in which its operators mean what they mean today). Model-local functions are inlined; doc strings, training
 * information and annotations of quantization are left out. Tensors are views of `bytes` where
 * their alignment allows it, so `bytes` must not change afterwards (pass `ownsBytes` when it need not stay as it is, to save memory).
 * @throws NonzeroError "invalid-model", "unsupported" or "not-found" (external data), with the file and, where known, node and field.
 */
export function readModel(bytes: Uint8Array, options: ReadOptions = {}): Model {
  return locate({ file: options.file }, () => {
    const proto = decode(ModelProtoSchema, bytes, "ONNX model");
    if (proto.graph === undefined) throw new NonzeroError("invalid-model", "the graph is missing", { field: "graph" });
    const opsets = opsetsOf(proto.opsetImport);
    const irVersion = clampedInt(proto.irVersion);
    const context = new ReadContext({
      opsets,
      irVersion,
      functions: functionsOf(proto),
      source: { ...options, externalData: options.externalData && readOnce(options.externalData) },
      dimNames: dimNamesOf(proto),
    });
    const graph = readGraph(proto.graph, context, { opsets, references: null, prefix: "", calls: [], depth: 0 }, null);
    return {
      graph,
      opsets,
      irVersion,
      producer: [proto.producerName, proto.producerVersion].filter((part) => part !== "").join(" "),
      metadata: new Map(proto.metadataProps.map(({ key, value }) => [key, value])),
    };
  });
}

/** Reads a TensorProto file (`.pb`). @throws NonzeroError as `readModel` does. */
export function readTensor(bytes: Uint8Array, options: ReadOptions = {}): Tensor {
  return locate({ file: options.file }, () => tensorOf(decode(TensorProtoSchema, bytes, "ONNX tensor"), options));
}

function functionsOf(proto: ModelProto): Map<string, FunctionProto> {
  const functions = new Map<string, FunctionProto>();
  for (const fn of proto.functions) {
    const key = functionKey(fn.domain, fn.name, fn.overload);
    if (functions.has(key)) {
      throw new NonzeroError("invalid-model", `function '${fn.name}' is defined more than once`, {
        field: "functions",
      });
    }
    functions.set(key, fn);
  }
  return functions;
}

/** Names of dimensions in the main graph, in functions and in their subgraphs. */
function dimNamesOf(proto: ModelProto): Set<string> {
  const names = new Set<string>();
  const addNodes = (nodes: readonly NodeProto[]): void => {
    for (const node of nodes) for (const attribute of node.attribute) if (attribute.g !== undefined) add(attribute.g);
  };
  const add = (graph: GraphProto): void => {
    for (const info of [...graph.input, ...graph.output, ...graph.valueInfo]) {
      if (info.type?.value.case !== "tensorType") continue;
      for (const { value } of info.type.value.value.shape?.dim ?? [])
        if (value.case === "dimParam") names.add(value.value);
    }
    addNodes(graph.node);
  };
  if (proto.graph !== undefined) add(proto.graph);
  for (const fn of proto.functions) addNodes(fn.node);
  return names;
}
