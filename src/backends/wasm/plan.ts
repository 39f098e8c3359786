import {
  checkOutput,
  deliver,
  denseOf,
  fuse,
  type HostSteps,
  type Plan,
  type PlanStep,
  placeInArena,
  type Specialized,
  type Step,
} from "../../compiler/index.js";
import { labelOf, type Value } from "../../graph/index.js";
import { evaluateNode, operators } from "../../ops/index.js";
import { byteLengthOf, locate, sizeOf, Tensor, viewOf } from "../../tensor/index.js";
import { isFusible } from "../specs/elementwise/program.js";
import { PROGRAM_HEADER, STEP, STEP_BYTES } from "./driver.js";
import type { Argument, Buffer, ConcreteType, Kernel, KernelCode, Lowering } from "./kernel.js";
import type { Arenas, Holding, Session } from "./session.js";
import type { Store } from "./store.js";

interface Launch {
  readonly code: KernelCode;
  readonly args: readonly Argument[];
  readonly chunks: number;
}

/** What happens in a plan, in order: a kernel's launches, or an evaluation on the host. */
type Action = { readonly launch: Launch } | { readonly host: Step };

/** A run of launches that the driver does without coming back. */
type Segment = { readonly program: number; readonly parallel: boolean } | { readonly host: Step };

/** Lowers a specialized graph: kernels chosen, memory laid out, programs written. */
export function wasmPlan(concrete: Specialized, host: HostSteps, session: Session, arenas: Arenas): Plan {
  const spec = fuse(concrete, (node) => isFusible(node, (value) => concrete.types.get(value)?.dtype));
  const { store, kernels } = session;
  const memory = session.hold(arenas);
  const buffers = new Map<Value, Buffer>();
  const actions: Action[] = [];
  const derived = new Map<string, Buffer>();
  const described: PlanStep[] = [];
  const ids = new Map<Value, number>();
  const idOf = (value: Value): number => {
    if (!ids.has(value)) ids.set(value, ids.size);
    return ids.get(value)!;
  };

  const typeOf = (value: Value): ConcreteType => spec.types.get(value)!;
  const bufferOf = (value: Value): Buffer => {
    let buffer = buffers.get(value);
    if (buffer === undefined) {
      const constant = spec.constants.get(value);
      if (constant !== undefined) buffer = memory.upload(denseOf(constant, session.unpacked));
      else {
        const { dtype, shape } = typeOf(value);
        buffer = { bytes: byteLengthOf(dtype, sizeOf(shape)), address: null };
      }
      buffers.set(value, buffer);
    }
    return buffer;
  };

  const lowering: Lowering = {
    device: store.device,
    type: typeOf,
    constant: (value) => spec.constants.get(value),
    buffer: bufferOf,
    scratch: (bytes) => ({ bytes, address: null }),
    prepared: (value, key, bytes, fill) => memory.prepare(spec.constants.get(value)!, key, bytes, fill),
    derived(value, key, make) {
      const name = `${idOf(value)}/${key}`;
      let buffer = derived.get(name);
      if (buffer === undefined) {
        buffer = make();
        derived.set(name, buffer);
      }
      return buffer;
    },
    launch(code, args, chunks) {
      if (chunks > 0) actions.push({ launch: { code, args, chunks } });
    },
    alias: (output, input) => buffers.set(output, bufferOf(input)),
  };

  const firstAction: number[] = []; // of each step
  spec.steps.forEach((step) => {
    firstAction.push(actions.length);
    const kernel = locate({ node: labelOf(step.node) }, () => lower(step, spec, kernels, lowering));
    if (kernel === null) actions.push({ host: step });
    described.push({ op: step.node.op, name: labelOf(step.node), kernel: kernel?.name ?? "evaluation" });
  });

  const isText = (value: Value): boolean => spec.types.get(value)?.dtype === "string";
  const inMemory = (value: Value): boolean => spec.types.has(value) && !isText(value) && !spec.constants.has(value);
  const arena = layOut(spec, actions, bufferOf, inMemory);
  const address = memory.arena(arena.bytes);
  for (const [buffer, offset] of arena.offsets) buffer.address = address + offset;

  const segments = writePrograms(actions, store, memory);
  const hostOnly = new Map<Value, Tensor>();

  /** A tensor over the device's memory, valid until the next run or growth of the memory. */
  const view = (value: Value): Tensor => {
    const kept = hostOnly.get(value);
    if (kept !== undefined) return kept;
    const constant = spec.constants.get(value);
    if (constant !== undefined) return denseOf(constant, session.unpacked);
    const { dtype, shape } = typeOf(value);
    return new Tensor(dtype, shape, viewOf(dtype as "float32", store.buffer, bufferOf(value).address!, sizeOf(shape)));
  };
  const write = (value: Value, tensor: Tensor): void => {
    if (inMemory(value)) new Uint8Array(store.buffer, bufferOf(value).address!, tensor.byteLength).set(tensor.bytes());
    else hostOnly.set(value, tensor);
  };
  const evaluate = (step: Step): void => {
    const inputs = step.node.inputs.map((input) => (input === null ? null : view(input)));
    const outputs = evaluateNode(step.node, inputs, operators, {
      run: (graph, feeds) => host.runSubgraph(graph, feeds, (value) => view(step.captures.get(value) ?? value)),
    });
    step.node.outputs.forEach((output, i) => {
      if (output !== null) write(output, checkOutput(step, output, outputs[i], spec));
    });
  };

  const play = (parts: readonly Segment[]): void => {
    for (const part of parts) {
      if ("host" in part) evaluate(part.host);
      else store.run(part.program, part.parallel);
    }
  };
  const written = spec.inputs.map((input) => inMemory(input) && bufferOf(input).address !== null);
  const begin = (feeds: readonly Tensor[]): void => {
    hostOnly.clear();
    spec.inputs.forEach((input, i) => {
      if (written[i] || isText(input)) write(input, feeds[i]!);
    });
  };
  let single: Segment[][] | null = null; // each step's own programs, made when a profile is asked for
  return {
    run(feeds, fetches = []) {
      begin(feeds);
      play(segments);
      return spec.outputs.map((output, i) => deliver(output, view(output), fetches[i]));
    },
    profile(feeds) {
      single ??= described.map((_, s) =>
        writePrograms(actions.slice(firstAction[s], firstAction[s + 1]), store, memory),
      );
      begin(feeds);
      return described.map((line, s) => {
        const start = performance.now();
        play(single![s]!);
        return { ...line, milliseconds: performance.now() - start };
      });
    },
    describe: () => described,
    release: () => memory.release(),
  };
}

/** The first kernel that takes the node, after it added its launches; null when none does. */
function lower(step: Step, spec: Specialized, kernels: readonly Kernel[], to: Lowering): Kernel | null {
  const { node } = step;
  const known = [...node.inputs, ...node.outputs].every((value) => value === null || spec.types.has(value));
  if (!known || step.captures.size > 0) return null;
  for (const kernel of kernels) {
    const match = kernel.match(node, to);
    if (match === null) continue;
    const [schedule] = kernel.schedules(match, to.device);
    kernel.lower(match, schedule, node, to);
    return kernel;
  }
  return null;
}

/** Offsets in the arena of all buffers that have no address yet. */
function layOut(
  spec: Specialized,
  actions: readonly Action[],
  bufferOf: (value: Value) => Buffer,
  inMemory: (value: Value) => boolean,
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
  for (const input of spec.inputs) if (inMemory(input) && used.has(bufferOf(input))) touch(bufferOf(input), 0);
  actions.forEach((action, at) => {
    if ("launch" in action) for (const buffer of buffersOf(action.launch)) touch(buffer, at);
    else
      for (const value of [...action.host.node.inputs, ...action.host.captures.values(), ...action.host.node.outputs])
        touchValue(value, at);
  });
  for (const output of spec.outputs) touchValue(output, actions.length);
  const list = [...spans].map(([buffer, { first, last }]) => ({ buffer, bytes: buffer.bytes, first, last }));
  const { offsets, bytes } = placeInArena(list);
  return { offsets: new Map(list.map(({ buffer }, i) => [buffer, offsets[i]!])), bytes };
}

function buffersOf({ args }: Launch): Buffer[] {
  const buffers: Buffer[] = [];
  for (const arg of args) if (typeof arg !== "number") buffers.push("buffer" in arg ? arg.buffer : arg);
  return buffers;
}

/** Writes each run of launches into memory as the driver reads it. */
function writePrograms(actions: readonly Action[], store: Store, memory: Holding): Segment[] {
  const segments: Segment[] = [];
  for (let i = 0; i < actions.length; ) {
    const action = actions[i]!;
    if ("host" in action) {
      segments.push(action);
      i++;
      continue;
    }
    const launches: Launch[] = [];
    for (; i < actions.length; i++) {
      const next = actions[i]!;
      if (!("launch" in next)) break;
      launches.push(next.launch);
    }
    const kernels = launches.map(({ code }) => store.kernel(code));
    const argsAt = PROGRAM_HEADER + STEP_BYTES * launches.length;
    const bytes = argsAt + launches.reduce((sum, { args }) => sum + 4 * args.length, 0);
    const program = memory.allocate(bytes);
    const words = new Int32Array(store.buffer, program, bytes / 4);
    words.fill(0);
    words[16] = launches.length;
    let arg = argsAt / 4;
    launches.forEach(({ args, chunks }, s) => {
      const at = (PROGRAM_HEADER + STEP_BYTES * s) / 4;
      words[at + STEP.kernel / 4] = kernels[s]!;
      words[at + STEP.args / 4] = program + 4 * arg;
      words[at + STEP.chunks / 4] = chunks;
      for (const value of args) words[arg++] = addressOf(value);
    });
    segments.push({ program, parallel: launches.some(({ chunks }) => chunks > 1) });
  }
  return segments;
}

function addressOf(arg: Argument): number {
  if (typeof arg === "number") return arg;
  const [buffer, offset] = "buffer" in arg ? [arg.buffer, arg.offset] : [arg, 0];
  if (buffer.address === null) throw new Error("a launch's buffer was never placed");
  return buffer.address + offset;
}
