import type { Attribute, Graph, Node, Value } from "../../graph/index.js";
import { locate, NonzeroError } from "../../tensor/index.js";
import { clampedInt } from "./decode.js";
import { domainOf, functionKey, labelOfProto } from "./names.js";
import type { FunctionProto, GraphProto, NodeProto, OperatorSetIdProto } from "./onnx_pb.js";
import { readAttributes } from "./read-attributes.js";
import { deeper, type Frame, type ReadContext, type Sink } from "./read-context.js";
import { Scope } from "./scope.js";

/** How the body of a function is read into the graph of its call. */
export interface BodyReader {
  readonly sink: Sink;
  readonly caller: Scope;
  graph(proto: GraphProto, frame: Frame): Graph;
  node(proto: NodeProto, frame: Frame, scope: Scope): void;
  define(proto: NodeProto, frame: Frame, scope: Scope, given: ReadonlyMap<string, Value>): void;
}

/**
 * Puts the nodes of a model-local function in place of a call. Its formal inputs and outputs become the caller's values, its other
 * values and its nodes are named after the call. Types that the function declares for its own values are not kept.
 * @throws NonzeroError "invalid-model" for recursion and for calls that do not fit the function.
 */
export function inlineCall(
  fn: FunctionProto,
  call: Omit<Node, "version">,
  context: ReadContext,
  frame: Frame,
  reader: BodyReader,
): void {
  const key = functionKey(fn.domain, fn.name, fn.overload);
  if (frame.calls.includes(key)) throw new NonzeroError("invalid-model", `function '${fn.name}' calls itself`);
  if (call.inputs.length > fn.input.length || call.outputs.length > fn.output.length) {
    const takes = `${fn.input.length} inputs and ${fn.output.length} outputs`;
    throw new NonzeroError("invalid-model", `function '${fn.name}' has ${takes}, the call more`);
  }
  context.spend(
    1 + fn.input.length + fn.output.length + fn.attributeProto.length + fn.opsetImport.length + fn.node.length,
  );
  const inner = deeper(frame, { calls: [...frame.calls, key] });
  const body: Frame = {
    ...inner,
    opsets: opsetsOf(fn.opsetImport),
    references: referencesOf(fn, call, context, inner, reader),
    prefix: `${call.name || call.outputs.find((output) => output !== null)?.name || fn.name}/`,
  };
  const scope = new Scope(null);
  fn.input.forEach((name, i) => {
    scope.define(name, call.inputs[i] ?? null, true);
  });
  const results = resultsOf(fn, call, scope);
  for (const node of fn.node) locate({ node: labelOfProto(node) }, () => reader.define(node, body, scope, results));
  for (const node of fn.node) reader.node(node, body, scope);
  fn.output.forEach((name, i) => {
    const value = call.outputs[i];
    if (!value) return;
    const result = scope.read(name);
    if (result === null) {
      throw new NonzeroError("invalid-model", `the call leaves out input '${name}', which is an output too`);
    }
    if (result !== value) reader.sink.nodes.push(identity(result, value, context, body));
  });
  if (scope.unsorted) reader.caller.unsorted = true;
}

/** The caller's values that nodes of the body make: outputs that are no inputs, each once. */
function resultsOf(fn: FunctionProto, call: Omit<Node, "version">, scope: Scope): ReadonlyMap<string, Value> {
  const results = new Map<string, Value>();
  fn.output.forEach((name, i) => {
    const value = call.outputs[i];
    if (value && !results.has(name) && !scope.has(name)) results.set(name, value);
  });
  return results;
}

/** What attribute references in the body stand for: the call's attributes, else the function's defaults. */
function referencesOf(
  fn: FunctionProto,
  call: Omit<Node, "version">,
  context: ReadContext,
  frame: Frame,
  reader: BodyReader,
): ReadonlyMap<string, Attribute> {
  const defaults = readAttributes(fn.attributeProto, context, { ...frame, references: new Map() }, (graph) =>
    reader.graph(graph, deeper(frame)),
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
