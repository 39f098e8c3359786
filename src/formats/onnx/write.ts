import { create, toBinary } from "@bufbuild/protobuf";
import type { Model } from "../../graph/index.js";
import { toDenseName } from "../../ops/sparse/index.js";
import { NonzeroError } from "../../tensor/index.js";
import { type ModelProto, ModelProtoSchema, OperatorSetIdProtoSchema } from "./onnx_pb.js";
import { graphProto, type SparseForm } from "./write-graph.js";
import { constantBytes, irVersionFor } from "./write-needs.js";
import { entry, type Place } from "./write-tensor.js";

export interface WriteOptions {
  /**
   * How sparse constants are written. `packed` (the default): their parts as initializers and one ai.nonzero ToDense node each, so
   * that `readModel` gets them back as they are. `dense`: explicit zeros, for any other runtime. `initializer`: ONNX's
   * sparse_initializer, which says where the nonzeros are but not in which layout.
   */
  readonly sparse?: SparseForm | undefined;
}

/** protobuf messages must be smaller than this. */
export const MAX_BYTES = 2 ** 31 - 1;

/**
 * A model as an ONNX file; the same model gives the same bytes. Names, attributes, types, metadata and opsets are kept; the IR version is
 * raised to what the model needs.
 * @throws NonzeroError "unsupported" when the file would be 2 GB or more, which protobuf cannot hold (`writeModelFile` can, with its
 * data in a second file), or when nodes mean different opsets of one domain.
 */
export function writeModel(model: Model, options: WriteOptions = {}): Uint8Array {
  if (constantBytes(model.graph, options.sparse ?? "packed") >= MAX_BYTES) {
    throw new NonzeroError("unsupported", "an ONNX file of 2 GB or more needs external data: use writeModelFile");
  }
  return toBinary(ModelProtoSchema, modelProto(model, options));
}

/** The messages of a model's file; `place` may put tensors elsewhere. */
export function modelProto(model: Model, options: WriteOptions, place?: Place): ModelProto {
  const sparse = options.sparse ?? "packed";
  const opsets = new Map(model.opsets);
  const used = new Set<string>();
  const graph = graphProto(model.graph, { sparse, place, opsets, used }, null);
  if (!used.has(toDenseName.domain)) opsets.delete(toDenseName.domain); // other runtimes may refuse a domain that they do not know
  return create(ModelProtoSchema, {
    irVersion: BigInt(Math.max(model.irVersion, irVersionFor(model.graph, sparse))),
    opsetImport: [...opsets].map(([domain, version]) =>
      create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) }),
    ),
    producerName: model.producer,
    metadataProps: [...model.metadata].map(([key, value]) => entry(key, value)),
    graph,
  });
}
