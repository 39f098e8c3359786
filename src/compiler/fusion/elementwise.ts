import { type Node, Value } from "../../graph/index.js";
import type { Specialized, Step } from "../specialize.js";
import { StepIndex, stepOf } from "./index-of-steps.js";

/** Bounds that keep a fused loop in registers. */
const MOST_NODES = 24;
const MOST_INPUTS = 8;

/**
 * Fuses chains of elementwise nodes into ai.nonzero Elementwise. A node joins the groups that make its operands where nobody else
 * reads these and they have its result's shape. `fusible` says what the device's generated loops can do.
 */
export function fuseElementwise(spec: Specialized, fusible: (node: Node) => boolean): Specialized {
  const index = new StepIndex(spec);
  const groups = new Map<Step, Step[]>(); // by last member
  for (const step of spec.steps) {
    const [output] = step.node.outputs;
    if (!output || step.captures.size > 0 || !fusible(step.node)) continue;
    const joined = joinedGroups(step, output, groups, index);
    groups.set(step, [...joined.flatMap((last) => groups.get(last)!), step]);
    for (const last of joined) groups.delete(last);
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

/**
 * The groups, by last member, that make operands for the step and for each other alone, as many as one loop holds. Their results have
 * its result's shape.
 */
function joinedGroups(
  step: Step,
  output: Value,
  groups: ReadonlyMap<Step, readonly Step[]>,
  index: StepIndex,
): readonly Step[] {
  const shape = index.shapeOf(output);
  const membersOf = (joined: readonly Step[]): Step[] => [...joined.flatMap((last) => groups.get(last)!), step];
  const makersOf = (members: readonly Step[], known: readonly Step[]): Step[] =>
    [...new Set(inputsOf(members).map((input) => index.producer(input)))].filter(
      (last): last is Step =>
        last !== undefined &&
        groups.has(last) &&
        !known.includes(last) &&
        last.node.outputs.every((made) => made && index.shapeOf(made) === shape),
    );
  /** Those of `joined` whose results nobody else reads. */
  const closed = (joined: readonly Step[]): readonly Step[] => {
    const members = new Set(membersOf(joined));
    const kept = joined.filter((last) => last.node.outputs.every((made) => index.isReadBy(made!, members)));
    return kept.length === joined.length ? joined : closed(kept);
  };
  const holds = (members: readonly Step[]): boolean =>
    members.length <= MOST_NODES && inputsOf(members).length <= MOST_INPUTS;
  let joined: readonly Step[] = [];
  for (;;) {
    let next = closed([...joined, ...makersOf(membersOf(joined), joined)]);
    while (!holds(membersOf(next)) && next.length > joined.length) next = closed(next.slice(0, -1));
    if (next.length <= joined.length) return joined;
    joined = next;
  }
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
