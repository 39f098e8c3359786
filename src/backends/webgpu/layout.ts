import type { Specialized, Step } from "../../compiler/index.js";
import type { Value } from "../../graph/index.js";
import type { DeviceBuffer } from "./device-buffer.js";
import type { Launch, Lowered } from "./lower.js";
import { assignSlots } from "./slots.js";

/** A run of launches that the GPU does in one go, and what the host needs of it afterwards; or a step that the host evaluates. */
export type Segment =
  | { readonly launches: readonly Launch[]; readonly downloads: readonly DeviceBuffer[] }
  | { readonly host: Step };

/** What is in the caller's own memory on the device. */
export interface Located {
  /** Inputs that come there. */
  readonly fed: ReadonlySet<Value>;
  /** Whether an output, by its position, stays there. */
  stays(output: number): boolean;
}

/** Where everything is, and when. */
export interface Layout {
  /** The actions from `begin` to before `end` as segments. */
  cut(begin: number, end: number): Segment[];
  /** Made on the host, by a feed or an evaluation, and read by launches: to be uploaded when made. */
  readonly uploads: ReadonlySet<DeviceBuffer>;
  /** Fed on the device, and read on the host. */
  readonly fetched: ReadonlySet<DeviceBuffer>;
  /** Outputs that stay, by position, where launches write them: each run brings their memory. */
  readonly lent: ReadonlyMap<number, DeviceBuffer>;
  /** What each run brings the memory of: feeds on the device, and `lent`. */
  readonly outside: ReadonlySet<DeviceBuffer>;
  /** Bytes that a step on the host reads from the device and writes to it. */
  moved(step: Step): number;
  /** The slot of each buffer that lives in the arena. */
  readonly slots: ReadonlyMap<DeviceBuffer, number>;
  /** Bytes of each slot, the largest first. */
  readonly bytes: readonly number[];
}

/** Decides what is uploaded and downloaded when, and places activations. */
export function layOut(spec: Specialized, { actions, bufferOf }: Lowered, located: Located): Layout {
  const onDevice = (value: Value | null): value is Value =>
    value !== null && (spec.types.get(value)?.dtype ?? "string") !== "string" && !spec.constants.has(value);
  const buffersOf = (values: readonly (Value | null)[]): DeviceBuffer[] => values.filter(onDevice).map(bufferOf);
  const readBy = ({ node, captures }: Step): DeviceBuffer[] => buffersOf([...node.inputs, ...captures.values()]);

  const written = new Map<DeviceBuffer, number>(); // by launches: number of the last action that does
  const bound = new Set<DeviceBuffer>();
  actions.forEach((action, at) => {
    if (!("launch" in action)) return;
    action.launch.bindings.forEach(({ buffer }, i) => {
      bound.add(buffer);
      if (action.launch.code.bindings[i]!.access === "read_write") written.set(buffer, at);
    });
  });
  const read = [
    ...actions.flatMap((action) => ("host" in action ? readBy(action.host) : [])),
    ...buffersOf(spec.outputs.filter((_, i) => !located.stays(i))),
  ];
  const wanted = new Set(read.filter((buffer) => written.has(buffer)));
  const fed = new Set(buffersOf([...located.fed]));
  const fetched = new Set(read.filter((buffer) => fed.has(buffer)));
  const lent = new Map<number, DeviceBuffer>();
  spec.outputs.forEach((output, i) => {
    if (!located.stays(i) || !onDevice(output)) return;
    const buffer = bufferOf(output);
    if (written.has(buffer) && ![...lent.values()].includes(buffer)) lent.set(i, buffer);
  });
  const outside = new Set([...fed, ...lent.values()]);
  const madeOnHost = actions.flatMap((action) => ("host" in action ? action.host.node.outputs : []));
  const uploads = new Set(
    buffersOf([...spec.inputs, ...madeOnHost]).filter((buffer) => bound.has(buffer) && !fed.has(buffer)),
  );

  const cut = (begin: number, end: number): Segment[] => {
    const segments: Segment[] = [];
    for (let at = begin; at < end; ) {
      const action = actions[at]!;
      if ("host" in action) {
        segments.push(action);
        at++;
        continue;
      }
      const from = at;
      const launches: Launch[] = [];
      for (; at < end; at++) {
        const next = actions[at]!;
        if (!("launch" in next)) break;
        launches.push(next.launch);
      }
      const downloads = [...wanted].filter((buffer) => written.get(buffer)! >= from && written.get(buffer)! < at);
      segments.push({ launches, downloads });
    }
    return segments;
  };

  const lifetimes = new Map<DeviceBuffer, { first: number; last: number }>();
  const touch = (buffer: DeviceBuffer, at: number): void => {
    if (buffer.gpu !== null || !bound.has(buffer) || outside.has(buffer)) return;
    const lifetime = lifetimes.get(buffer);
    if (lifetime === undefined) lifetimes.set(buffer, { first: at, last: at });
    else lifetime.last = Math.max(lifetime.last, at);
  };
  for (const buffer of buffersOf(spec.inputs)) touch(buffer, 0);
  actions.forEach((action, at) => {
    if ("host" in action) for (const buffer of buffersOf(action.host.node.outputs)) touch(buffer, at);
    else for (const { buffer } of action.launch.bindings) touch(buffer, at);
  });
  // A download comes after the last launch of its segment.
  let end = 0;
  for (const segment of cut(0, actions.length)) {
    end += "host" in segment ? 1 : segment.launches.length;
    if (!("host" in segment)) for (const buffer of segment.downloads) touch(buffer, end - 1);
  }

  const list = [...lifetimes];
  const { slots, bytes } = assignSlots(list.map(([buffer, lifetime]) => ({ bytes: buffer.bytes, ...lifetime })));
  const bySize = bytes.map((_, slot) => slot).sort((a, b) => bytes[b]! - bytes[a]!);
  const rank = new Map(bySize.map((slot, i) => [slot, i]));
  const sum = (buffers: readonly DeviceBuffer[], among: ReadonlySet<DeviceBuffer>): number =>
    [...new Set(buffers)].reduce((total, buffer) => total + (among.has(buffer) ? buffer.bytes : 0), 0);
  return {
    cut,
    uploads,
    fetched,
    lent,
    outside,
    moved: (step) => sum(readBy(step), new Set([...wanted, ...fetched])) + sum(buffersOf(step.node.outputs), uploads),
    slots: new Map(list.map(([buffer], i) => [buffer, rank.get(slots[i]!)!])),
    bytes: bySize.map((slot) => bytes[slot]!),
  };
}
