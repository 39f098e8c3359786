import { type Attribute, type Graph, topologicalOrder, Value } from "../../graph/index.js";
import { locate, NonzeroError, type Tensor } from "../../tensor/index.js";
import { foldToDense } from "./fold-to-dense.js";
import { domainOf, functionKey, labelOfProto } from "./names.js";
import { checkOpset } from "./old-opsets.js";
import type { GraphProto, NodeProto, ValueInfoProto } from "./onnx_pb.js";
import { readAttributes } from "./read-attributes.js";
import { deeper, type Frame, type ReadContext, type Sink } from "./read-context.js";
import { inlineCall } from "./read-functions.js";
import { coordinatesOf, firstReaders, sparseConstant } from "./read-sparse.js";
import { typeOf } from "./read-types.js";
import { Scope } from "./scope.js";
import type { Coordinates } from "./sparse-coo.js";

/** Before IR version 4 every initializer had to be an input too, though nobody meant it to be fed. */
const FIRST_IR_WITH_DEFAULTS = 4;

/** A graph with its values by reference; `outer` is the scope around a subgraph. */
export function readGraph(proto: GraphProto, context: ReadContext, frame: Frame, outer: Scope | null): Graph {
  const scope = new Scope(outer);
  const sink: Sink = { nodes: [], constants: new Map(), sparse: new Map() };
  if (frame.references !== null) context.spend(sizeOfGraph(proto));

  let inputs = proto.input.map((info) => {
    const input = new Value(frame.prefix + info.name, typeOf(info, context.freshDim));
    scope.define(info.name, input, true);
    return input;
  });
  readInitializers(proto, context, frame, scope, sink);
  if (context.irVersion < FIRST_IR_WITH_DEFAULTS) inputs = inputs.filter((input) => !sink.constants.has(input));
  for (const node of proto.node) locate({ node: labelOfProto(node) }, () => defineOutputs(node, frame, scope));
  readValueInfo(proto, context, scope, new Set(inputs), sink);
  for (const node of proto.node) readNode(node, context, frame, scope, sink);
  const outputs = proto.output.map((info) => {
    const output = scope.read(info.name);
    if (output !== null) return output;
    throw new NonzeroError("invalid-model", `output '${info.name}' is left out by the call`, { field: info.name });
  });

  const readers = sink.sparse.size > 0 ? firstReaders(sink.nodes) : new Map();
  for (const [value, entries] of sink.sparse) {
    locate({ node: value.name }, () =>
      sink.constants.set(value, sparseConstant(entries, value, readers.get(value), context.growth)),
    );
  }
  const sorted = scope.unsorted ? topologicalOrder(sink.nodes) : sink.nodes;
  const nodes = foldToDense(sorted, sink.constants, inputs, outputs);
  return { name: proto.name, inputs, outputs, nodes, constants: sink.constants };
}

function readInitializers(proto: GraphProto, context: ReadContext, frame: Frame, scope: Scope, sink: Sink): void {
  for (const initializer of proto.initializer) {
    const name = initializer.name;
    locate({ node: name }, () => {
      const tensor = context.tensor(initializer);
      sink.constants.set(constantValue(name, tensor, frame, scope, sink), tensor);
    });
  }
  for (const initializer of proto.sparseInitializer) {
    const name = initializer.values?.name ?? "";
    locate({ node: name }, () => {
      const entries = coordinatesOf(initializer, (tensor) => context.tensor(tensor));
      sink.sparse.set(constantValue(name, entries, frame, scope, sink), entries);
    });
  }
}

/** The value of an initializer: its own, or that of the input whose default it is. */
function constantValue(
  name: string,
  tensor: Pick<Tensor | Coordinates, "dtype" | "shape">,
  frame: Frame,
  scope: Scope,
  sink: Sink,
): Value {
  const { dtype, shape } = tensor;
  const input = scope.own(name);
  if (input === null) {
    const value = new Value(frame.prefix + name, { dtype, shape });
    scope.define(name, value, true);
    return value;
  }
  if (sink.constants.has(input) || sink.sparse.has(input)) {
    throw new NonzeroError("invalid-model", "there is more than one initializer of this name");
  }
  if (input.type !== null && input.type.dtype !== dtype) {
    throw new NonzeroError("invalid-model", `the input is ${input.type.dtype}, its initializer ${dtype}`);
  }
  input.type ??= { dtype, shape };
  return input;
}

/** Types that the file declares for what nodes compute. Inputs and constants have theirs already. */
function readValueInfo(
  proto: GraphProto,
  context: ReadContext,
  scope: Scope,
  inputs: ReadonlySet<Value>,
  sink: Sink,
): void {
  const declare = (info: ValueInfoProto): void => {
    const type = typeOf(info, context.freshDim);
    const value = scope.own(info.name);
    if (value === null || type === null || inputs.has(value) || sink.constants.has(value)) return;
    if (!sink.sparse.has(value)) value.type = type;
  };
  proto.valueInfo.forEach(declare);
  proto.output.forEach(declare);
}

/** Reads one node and adds it to the sink, or the nodes of the function that it calls. The scope knows its outputs already. */
function readNode(proto: NodeProto, context: ReadContext, frame: Frame, scope: Scope, sink: Sink): void {
  locate({ node: labelOfProto(proto) }, () => {
    if (frame.references !== null) context.spend(1 + proto.input.length + proto.output.length + proto.attribute.length);
    if (proto.opType === "") throw new NonzeroError("invalid-model", "the operator is missing", { field: "op_type" });
    const inputs = proto.input.map((name) => (name === "" ? null : scope.read(name)));
    const outputs = proto.output.map((name) => (name === "" ? null : scope.own(name)));
    const attributes = attributesOf(proto, context, frame, scope, sink, outputs);
    for (const name of proto.output) scope.make(name);
    if (attributes === null) return;
    const domain = domainOf(proto.domain);
    const node = {
      op: proto.opType,
      domain,
      name: proto.name === "" ? "" : frame.prefix + proto.name,
      inputs,
      outputs,
      attributes,
    };
    const fn = context.functions.get(functionKey(domain, proto.opType, proto.overload));
    if (fn === undefined) {
      sink.nodes.push({ ...node, version: versionOf(domain, proto.opType, context, frame) });
      return;
    }
    inlineCall(fn, node, context, frame, {
      sink,
      caller: scope,
      graph: (graph, inner) => readGraph(graph, context, inner, null),
      node: (body, inner, names) => readNode(body, context, inner, names, sink),
      define: defineOutputs,
    });
  });
}

/** The node's attributes; null when it is a Constant with a `sparse_value`, which becomes a constant of the graph. */
function attributesOf(
  proto: NodeProto,
  context: ReadContext,
  frame: Frame,
  scope: Scope,
  sink: Sink,
  outputs: readonly (Value | null)[],
): ReadonlyMap<string, Attribute> | null {
  const sparse = proto.attribute.find(({ name }) => name === "sparse_value")?.sparseTensor;
  const output = outputs[0];
  if (sparse !== undefined && proto.opType === "Constant" && output) {
    const entries = locate({ field: "sparse_value" }, () => coordinatesOf(sparse, (tensor) => context.tensor(tensor)));
    if (frame.references !== null) context.spend(entries.offsets.length);
    output.type = { dtype: entries.dtype, shape: entries.shape };
    sink.sparse.set(output, entries);
    return null;
  }
  return readAttributes(proto.attribute, context, frame, (graph) => readGraph(graph, context, deeper(frame), scope));
}

/** Gives each output of a node its value: one of `given`, or a new one. */
function defineOutputs(proto: NodeProto, frame: Frame, scope: Scope, given?: ReadonlyMap<string, Value>): void {
  for (const name of proto.output) {
    if (name !== "") scope.define(name, given?.get(name) ?? new Value(frame.prefix + name), false);
  }
}

/**
 * The opset version that a node means. A function imports its own opsets; where the model imports the domain too, a valid file
 * uses only operators that are the same in both, so the model's version stands for both.
 */
function versionOf(domain: string, op: string, context: ReadContext, frame: Frame): number {
  const version = context.opsets.get(domain) ?? frame.opsets.get(domain);
  if (version === undefined) {
    throw new NonzeroError("invalid-model", `the model imports no opset of domain '${domain}'`, {
      field: "opset_import",
    });
  }
  if (domain === "") checkOpset(op, version);
  return version;
}

const sizeOfGraph = (proto: GraphProto): number =>
  1 +
  proto.input.length +
  proto.output.length +
  proto.valueInfo.length +
  proto.initializer.length +
  proto.sparseInitializer.reduce((sum, { values }) => sum + 1 + Number(values?.dims[0] ?? 0), 0);
