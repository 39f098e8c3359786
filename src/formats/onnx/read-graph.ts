import { type Graph, type Node, topologicalOrder, Value } from "../../graph/index.js";
import { locate, NonzeroError, type Tensor } from "../../tensor/index.js";
import { checkOpset } from "./old-opsets.js";
import type { GraphProto, NodeProto, ValueInfoProto } from "./onnx_pb.js";
import { readAttributes } from "./read-attributes.js";
import { deeper, type Frame, type ReadContext, type Sink } from "./read-context.js";
import { inlineCall } from "./read-functions.js";
import { typeOf } from "./read-types.js";
import { Scope } from "./scope.js";

/** Before IR version 4 every initializer had to be an input too, though nobody meant it to be fed. */
const FIRST_IR_WITH_DEFAULTS = 4;

/** A graph with its values by reference; `outer` is the scope around a subgraph. */
export function readGraph(proto: GraphProto, context: ReadContext, frame: Frame, outer: Scope | null): Graph {
  const scope = new Scope(outer);
  const sink: Sink = { nodes: [], constants: new Map() };
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
    if (output === null)
      throw new NonzeroError("invalid-model", `output '${info.name}' is never made`, { field: info.name });
    return output;
  });
  return {
    name: proto.name,
    inputs,
    outputs,
    nodes: scope.unsorted ? topologicalOrder(sink.nodes) : sink.nodes,
    constants: sink.constants,
  };
}

function readInitializers(proto: GraphProto, context: ReadContext, frame: Frame, scope: Scope, sink: Sink): void {
  for (const initializer of proto.initializer) {
    const name = initializer.name;
    locate({ node: name }, () => {
      const tensor = context.tensor(initializer);
      const input = scope.own(name);
      if (input === null) {
        const value = new Value(frame.prefix + name, { dtype: tensor.dtype, shape: tensor.shape });
        scope.define(name, value, true);
        sink.constants.set(value, tensor);
      } else {
        if (sink.constants.has(input)) {
          throw new NonzeroError("invalid-model", "there is more than one initializer of this name");
        }
        checkDefault(input, tensor);
        sink.constants.set(input, tensor);
      }
    });
  }
}

function checkDefault(input: Value, tensor: Tensor): void {
  if (input.type !== null && input.type.dtype !== tensor.dtype) {
    throw new NonzeroError("invalid-model", `the input is ${input.type.dtype}, its initializer ${tensor.dtype}`);
  }
  input.type ??= { dtype: tensor.dtype, shape: tensor.shape };
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
    if (value !== null && type !== null && !inputs.has(value) && !sink.constants.has(value)) value.type = type;
  };
  proto.valueInfo.forEach(declare);
  proto.output.forEach(declare);
}

/** Reads one node and adds it to the sink, or the nodes of the function that it calls. The scope knows its outputs already. */
export function readNode(proto: NodeProto, context: ReadContext, frame: Frame, scope: Scope, sink: Sink): void {
  locate({ node: labelOfProto(proto) }, () => {
    if (frame.references !== null) context.spend(1 + proto.input.length + proto.output.length + proto.attribute.length);
    if (proto.opType === "") throw new NonzeroError("invalid-model", "the operator is missing", { field: "op_type" });
    const inputs = proto.input.map((name) => (name === "" ? null : scope.read(name)));
    const attributes = readAttributes(proto.attribute, context, frame, (graph) =>
      readGraph(graph, context, deeper(frame), scope),
    );
    const outputs = proto.output.map((name) => (name === "" ? null : scope.own(name)));
    for (const name of proto.output) scope.make(name);
    const domain = domainOf(proto.domain);
    const fn = context.functions.get(functionKey(domain, proto.opType, proto.overload));
    const node: Node = {
      op: proto.opType,
      domain,
      version: fn === undefined ? versionOf(domain, proto.opType, context, frame) : 0,
      name: proto.name === "" ? "" : frame.prefix + proto.name,
      inputs,
      outputs,
      attributes,
    };
    if (fn === undefined) sink.nodes.push(node);
    else inlineCall(fn, node, context, frame, scope, sink);
  });
}

/** Gives each output of a node its value. */
export function defineOutputs(proto: NodeProto, frame: Frame, scope: Scope): void {
  for (const name of proto.output) if (name !== "") scope.define(name, new Value(frame.prefix + name), false);
}

/** The default domain has two names. */
export const domainOf = (domain: string): string => (domain === "ai.onnx" ? "" : domain);

export const functionKey = (domain: string, name: string, overload: string): string =>
  JSON.stringify([domainOf(domain), name, overload]);

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

/** How a node of a file is named in messages. */
export const labelOfProto = (proto: NodeProto): string =>
  proto.name || `${proto.opType} → ${proto.output.find((name) => name !== "") ?? "?"}`;

const sizeOfGraph = (proto: GraphProto): number =>
  1 + proto.input.length + proto.output.length + proto.initializer.length + proto.valueInfo.length;
