import { placeInArena, type Specialized } from "../../compiler/index.js";
import type { Value } from "../../graph/index.js";
import type { Buffer } from "./kernel.js";
import type { Action, Launch } from "./program.js";

/** Offsets in the arena of all buffers that have no address yet. `bound`: inputs are there before a run and after it. */
export function layOut(
  spec: Specialized,
  actions: readonly Action[],
  bufferOf: (value: Value) => Buffer,
  inMemory: (value: Value) => boolean,
  bound: boolean,
): { offsets: Map<Buffer, number>; bytes: number } {
  const spans = new Map<Buffer, { first: number; last: number }>();
  const touch = (buffer: Buffer, at: number): void => {
    if (buffer.address !== null) return;
    const span = spans.get(buffer);
    if (span === undefined) spans.set(buffer, { first: at, last: at });
    else span.last = at;
  };
  const touchValue = (value: Value | null, at: number): void => {
    if (value !== null && inMemory(value)) touch(bufferOf(value), at);
  };
  const used = new Set<Buffer>();
  for (const action of actions) {
    if ("launch" in action) for (const buffer of buffersOf(action.launch)) used.add(buffer);
    else
      for (const value of [...action.host.node.inputs, ...action.host.captures.values()])
        if (value !== null && inMemory(value)) used.add(bufferOf(value));
  }
  for (const output of spec.outputs) if (inMemory(output)) used.add(bufferOf(output));
  for (const input of spec.inputs) {
    if (inMemory(input) && (bound || used.has(bufferOf(input)))) touch(bufferOf(input), 0);
  }
  actions.forEach((action, at) => {
    if ("launch" in action) for (const buffer of buffersOf(action.launch)) touch(buffer, at);
    else
      for (const value of [...action.host.node.inputs, ...action.host.captures.values(), ...action.host.node.outputs])
        touchValue(value, at);
  });
  for (const lasting of bound ? [...spec.outputs, ...spec.inputs] : spec.outputs) touchValue(lasting, actions.length);
  const list = [...spans].map(([buffer, { first, last }]) => ({ buffer, bytes: buffer.bytes, first, last }));
  const { offsets, bytes } = placeInArena(list);
  return { offsets: new Map(list.map(({ buffer }, i) => [buffer, offsets[i]!])), bytes };
}

function buffersOf({ args }: Launch): Buffer[] {
  const buffers: Buffer[] = [];
  for (const arg of args) if (typeof arg !== "number") buffers.push("buffer" in arg ? arg.buffer : arg);
  return buffers;
}
