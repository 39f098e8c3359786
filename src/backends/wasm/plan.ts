import {
  type BoundPlan,
  checkOutput,
  deliver,
  denseOf,
  fuse,
  type HostSteps,
  type Plan,
  type PlanStep,
  type Specialized,
  type Step,
} from "../../compiler/index.js";
import { labelOf, subgraphsOf, type Value } from "../../graph/index.js";
import { evaluateNode, operators } from "../../ops/index.js";
import { byteLengthOf, locate, NonzeroError, sizeOf, Tensor, viewOf } from "../../tensor/index.js";
import { isFusible } from "../specs/elementwise/program.js";
import type { Buffer, ConcreteType, Kernel, Lowering } from "./kernel.js";
import { layOut } from "./lay-out.js";
import { type Action, type Segment, writePrograms } from "./program.js";
import type { Arenas, Holding, Session } from "./session.js";

/** A specialized graph made ready. */
interface Lowered {
  readonly spec: Specialized;
  readonly described: readonly PlanStep[];
  /** Whether something reads the input from memory. */
  readonly written: readonly boolean[];
  write(value: Value, tensor: Tensor): void;
  /** A tensor over the device's memory, valid until the next run or growth of the memory. */
  view(value: Value): Tensor;
  /** What was evaluated on the host, or fed to stay there, goes. */
  forget(): void;
  /** Runs all steps. */
  play(): void;
  /** What runs each step by itself. */
  each(): (() => void)[];
  release(): void;
}

/** A plan whose feeds are copied in and results out; activations are in an arena that all such plans of the session use in turn. */
export function wasmPlan(concrete: Specialized, host: HostSteps, session: Session, arenas: Arenas): Plan {
  const { spec, described, written, write, view, forget, play, each, release } = lowered(
    concrete,
    host,
    session,
    arenas,
  );
  const begin = (feeds: readonly Tensor[]): void => {
    forget();
    spec.inputs.forEach((input, i) => {
      if (written[i]) write(input, feeds[i]!);
    });
  };
  return {
    run(feeds, fetches = []) {
      begin(feeds);
      play();
      return spec.outputs.map((output, i) => deliver(output, view(output), fetches[i]));
    },
    profile(feeds) {
      const steps = each();
      begin(feeds);
      return described.map((line, s) => {
        const start = performance.now();
        steps[s]!();
        return { ...line, milliseconds: performance.now() - start };
      });
    },
    describe: () => described,
    release,
  };
}

/** A plan in an arena of its own, where inputs and outputs keep their places. */
export function boundPlan(concrete: Specialized, host: HostSteps, session: Session): BoundPlan {
  const text = [...concrete.inputs, ...concrete.outputs].find((value) => concrete.types.get(value)?.dtype === "string");
  if (text) throw new NonzeroError("unsupported", "text has no place in the device's memory", { field: text.name });
  const { spec, view, play, release } = lowered(concrete, host, session, null);
  return {
    inputs: () => spec.inputs.map(view),
    outputs: () => spec.outputs.map(view),
    run: play,
    release,
  };
}

/** Kernels chosen, memory laid out, programs written. Without `arenas` the plan has an arena of its own, where inputs last as long as outputs. */
function lowered(concrete: Specialized, host: HostSteps, session: Session, arenas: Arenas | null): Lowered {
  const spec = session.stored(fuse(concrete, (node) => isFusible(node, (value) => concrete.types.get(value)?.dtype)));
  const memory = session.hold(arenas);
  try {
    return loweredIn(memory, spec, host, session, arenas === null);
  } catch (error) {
    memory.release();
    throw error;
  }
}

function loweredIn(memory: Holding, spec: Specialized, host: HostSteps, session: Session, bound: boolean): Lowered {
  const { store } = session;
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
    const kernel = locate({ node: labelOf(step.node) }, () => lower(step, spec, session, lowering));
    if (kernel === null) actions.push({ host: step });
    described.push({ op: step.node.op, name: labelOf(step.node), kernel: kernel?.name ?? "evaluation" });
  });

  const isText = (value: Value): boolean => spec.types.get(value)?.dtype === "string";
  const inMemory = (value: Value): boolean => spec.types.has(value) && !isText(value) && !spec.constants.has(value);
  const arena = layOut(spec, actions, bufferOf, inMemory, bound);
  const address = memory.arena(arena.bytes);
  for (const [buffer, offset] of arena.offsets) buffer.address = address + offset;

  const segments = writePrograms(actions, store, memory);
  const hostOnly = new Map<Value, Tensor>();

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
    // A subgraph's plans may make the memory grow, which moves it where it is not shared: views would go stale.
    const moves = !store.device.shared && subgraphsOf(step.node).length > 0;
    const read = (value: Value): Tensor =>
      moves && !spec.constants.has(value) ? deliver(value, view(value), undefined) : view(value);
    const inputs = step.node.inputs.map((input) => (input === null ? null : read(input)));
    const outputs = evaluateNode(step.node, inputs, operators, {
      run: (graph, feeds) => host.runSubgraph(graph, feeds, (value) => read(step.captures.get(value) ?? value)),
    });
    step.node.outputs.forEach((output, i) => {
      if (output !== null) write(output, checkOutput(step, output, outputs[i], spec));
    });
  };

  const run = (parts: readonly Segment[]): void => {
    for (const part of parts) {
      if ("host" in part) evaluate(part.host);
      else store.run(part.program, part.parallel);
    }
  };
  let single: Segment[][] | null = null; // each step's own programs, made when a profile is asked for
  return {
    spec,
    described,
    written: spec.inputs.map((input) => isText(input) || (inMemory(input) && bufferOf(input).address !== null)),
    write,
    view,
    forget: () => hostOnly.clear(),
    play: () => run(segments),
    each() {
      single ??= described.map((_, s) =>
        writePrograms(actions.slice(firstAction[s], firstAction[s + 1]), store, memory),
      );
      return single.map((parts) => () => run(parts));
    },
    release: () => memory.release(),
  };
}

/** The first kernel that takes the node, after it added its launches; null when none does. */
function lower(step: Step, spec: Specialized, { kernels, choices }: Session, to: Lowering): Kernel | null {
  const { node } = step;
  const known = [...node.inputs, ...node.outputs].every((value) => value === null || spec.types.has(value));
  if (!known || step.captures.size > 0) return null;
  for (const kernel of kernels) {
    const match = kernel.match(node, to);
    if (match === null) continue;
    const schedule = choices.pick(kernel.name, match, kernel.schedules(match, to.device), { step, spec });
    kernel.lower(match, schedule, node, to);
    return kernel;
  }
  return null;
}
