import { type Node, Value } from "../../graph/index.js";
import type { Specialized, Step } from "../specialize.js";
import { StepIndex, stepOf } from "./index-of-steps.js";

/** Bounds that keep a fused loop in registers. */
const MOST_NODES = 24;
const MOST_INPUTS = 8;

/**
 * Fuses chains of elementwise nodes into ai.nonzero Elementwise. A node joins the group of one of its operands where that operand is
 * read by it alone and has its result's shape and dtype. `fusible` says what the device's generated loops can do.
 */
export function fuseElementwise(spec: Specialized, fusible: (node: Node) => boolean): Specialized {
  const index = new StepIndex(spec);
  const groups = new Map<Step, Step[]>(); // by last member
  for (const step of spec.steps) {
    const [output] = step.node.outputs;
    if (!output || step.captures.size > 0 || !fusible(step.node)) continue;
    const members: Step[] = [];
    for (const input of step.node.inputs) {
      const producer = input === null ? undefined : index.producer(input);
      const group = producer && groups.get(producer);
      if (group === undefined || members.includes(producer!) || index.soleReader(input!) !== step) continue;
      const same =
        index.shapeOf(input!) === index.shapeOf(output) && index.type(input!)?.dtype === index.type(output)?.dtype;
      const merged = [...members, ...group, step];
      if (!same || merged.length > MOST_NODES || inputsOf(merged).length > MOST_INPUTS) continue;
      members.push(...group);
      groups.delete(producer!);
    }
    groups.set(step, [...members, step]);
  }
  const dropped = new Set<Step>();
  const replaced = new Map<Step, Step>();
  const places = new Map(spec.steps.map((step, place) => [step, place]));
  for (const [last, members] of groups) {
    if (members.length === 1) continue;
    const order = members.sort((a, b) => places.get(a)! - places.get(b)!);
    for (const member of order) if (member !== last) dropped.add(member);
    replaced.set(last, stepOf(fusedNode(order, spec)));
  }
  return { ...spec, steps: spec.steps.filter((step) => !dropped.has(step)).map((step) => replaced.get(step) ?? step) };
}

/** What a group reads from outside, each once, in order of first use. */
function inputsOf(members: readonly Step[]): Value[] {
  const made = new Set(members.flatMap(({ node }) => node.outputs));
  const inputs = members
    .flatMap(({ node }) => node.inputs)
    .filter((input): input is Value => input !== null && !made.has(input));
  return [...new Set(inputs)];
}

function fusedNode(members: readonly Step[], spec: Specialized): Node {
  const last = members[members.length - 1]!.node;
  const inputs = inputsOf(members);
  const copies = new Map<Value, Value>();
  const copy = (value: Value): Value => {
    let inner = copies.get(value);
    if (inner === undefined) {
      inner = new Value(value.name, spec.types.get(value) ?? null);
      copies.set(value, inner);
    }
    return inner;
  };
  const body = {
    name: last.name,
    inputs: inputs.map(copy),
    nodes: members.map(({ node }) => ({
      ...node,
      inputs: node.inputs.map((input) => (input === null ? null : copy(input))),
      outputs: node.outputs.map((output) => (output === null ? null : copy(output))),
    })),
    outputs: last.outputs.filter((output): output is Value => output !== null).map(copy),
    constants: new Map(),
  };
  return {
    op: "Elementwise",
    domain: "ai.nonzero",
    version: 1,
    name: last.name,
    inputs,
    outputs: last.outputs,
    attributes: new Map([["body", { kind: "graph", value: body }]]),
  };
}
