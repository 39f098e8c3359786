import { type Attribute, type Node, Value } from "../../graph/index.js";
import { locate, NonzeroError } from "../../tensor/index.js";
import { clampedInt } from "./decode.js";
import type { FunctionProto, OperatorSetIdProto } from "./onnx_pb.js";
import { readAttributes } from "./read-attributes.js";
import { deeper, type Frame, type ReadContext, type Sink } from "./read-context.js";
import { domainOf, functionKey, readGraph, readNode } from "./read-graph.js";
import { Scope } from "./scope.js";

/**
 * Puts the nodes of a model-local function in place of a call. Its formal inputs and outputs become the caller's values, its other
 * values and its nodes are named after the call.
 * @throws NonzeroError "invalid-model" for recursion and for calls that do not fit the function.
 */
export function inlineCall(
  fn: FunctionProto,
  call: Node,
  context: ReadContext,
  frame: Frame,
  caller: Scope,
  sink: Sink,
): void {
  const key = functionKey(fn.domain, fn.name, fn.overload);
  if (frame.calls.includes(key)) throw new NonzeroError("invalid-model", `function '${fn.name}' calls itself`);
  if (call.inputs.length > fn.input.length || call.outputs.length > fn.output.length) {
    const takes = `${fn.input.length} inputs and ${fn.output.length} outputs`;
    throw new NonzeroError("invalid-model", `function '${fn.name}' has ${takes}, the call more`);
  }
  const inner = deeper(frame, {
    opsets: opsetsOf(fn.opsetImport),
    references: referencesOf(fn, call, context, frame),
    prefix: `${call.name || call.outputs.find((output) => output !== null)?.name || fn.name}/`,
    calls: [...frame.calls, key],
  });
  context.spend(1 + fn.input.length + fn.output.length);
  const scope = new Scope(null);
  fn.input.forEach((name, i) => {
    scope.define(name, call.inputs[i] ?? null, true);
  });
  const results = new Map<string, Value>();
  fn.output.forEach((name, i) => {
    const value = call.outputs[i];
    if (value && !results.has(name) && !scope.has(name)) results.set(name, value);
  });
  for (const node of fn.node) {
    for (const name of node.output) {
      if (name !== "") scope.define(name, results.get(name) ?? new Value(inner.prefix + name), false);
    }
  }
  for (const node of fn.node) readNode(node, context, inner, scope, sink);
  fn.output.forEach((name, i) => {
    const value = call.outputs[i];
    if (!value) return;
    const result = locate({ field: name }, () => scope.read(name));
    if (result === null) {
      throw new NonzeroError("invalid-model", `the call leaves out input '${name}', which is an output too`);
    }
    if (result !== value) sink.nodes.push(identity(result, value, context, inner));
  });
  if (scope.unsorted) caller.unsorted = true;
}

/** What attribute references in the body stand for: the call's attributes, then the function's defaults. */
function referencesOf(
  fn: FunctionProto,
  call: Node,
  context: ReadContext,
  frame: Frame,
): ReadonlyMap<string, Attribute> {
  const defaults = readAttributes(fn.attributeProto, context, frame, (graph) =>
    readGraph(graph, context, deeper(frame), null),
  );
  return new Map([...defaults, ...call.attributes]);
}

const identity = (from: Value, to: Value, context: ReadContext, frame: Frame): Node => ({
  op: "Identity",
  domain: "",
  version: context.opsets.get("") ?? frame.opsets.get("") ?? 13,
  name: "",
  inputs: [from],
  outputs: [to],
  attributes: new Map(),
});

/** Opset versions by domain. */
export function opsetsOf(imports: readonly OperatorSetIdProto[]): Map<string, number> {
  return new Map(imports.map(({ domain, version }) => [domainOf(domain), clampedInt(version)]));
}
