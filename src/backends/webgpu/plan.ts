import {
  checkOutput,
  denseOf,
  fuse,
  type HostSteps,
  type Plan,
  type PlanStep,
  type Specialized,
  type Step,
  type TimedStep,
} from "../../compiler/index.js";
import type { Value } from "../../graph/index.js";
import { evaluateNode, operators } from "../../ops/index.js";
import { NonzeroError, type NumericArray, Tensor } from "../../tensor/index.js";
import { isFusible } from "../specs/elementwise/program.js";
import type { DeviceBuffer } from "./device-buffer.js";
import { layOut, type Segment } from "./layout.js";
import { lowerSteps } from "./lower.js";
import { type Recording, record } from "./record.js";
import type { Session } from "./session.js";

/** A part of a run: what the GPU does in one go, or a step on the host. */
type Part = Recording | { readonly host: Step };

/**
 * Lowers a specialized graph: kernels chosen, memory laid out, pipelines and bind groups made. The making goes on after this returns;
 * runs wait for it, and fail as it fails.
 */
export function webgpuPlan(concrete: Specialized, host: HostSteps, session: Session): Plan<Promise<Tensor[]>> {
  const { gpu } = session;
  const spec = fuse(concrete, (node) => isFusible(node, (value) => concrete.types.get(value)?.dtype));
  const memory = session.hold();
  const { result, taken } = gpu.watch("placing a plan's memory", () => {
    const lowered = lowerSteps(spec, session, memory);
    const layout = layOut(spec, lowered);
    const arena = memory.arena(layout.bytes);
    for (const [buffer, slot] of layout.slots) buffer.gpu = arena[slot]!;
    return { lowered, layout };
  });
  const { lowered, layout } = result;
  const { bufferOf } = lowered;
  const prepare = async (segments: readonly Segment[]): Promise<Part[]> => {
    const codes = segments.flatMap((part) => ("host" in part ? [] : part.launches.map(({ code }) => code)));
    await Promise.all([taken, session.compile(codes)]);
    return Promise.all(
      segments.map((segment) =>
        "host" in segment ? segment : record(segment.launches, segment.downloads, session, memory),
      ),
    );
  };
  const parts = prepare(layout.cut(0, lowered.actions.length));
  parts.catch(() => {}); // runs say so
  const described = spec.steps.map((step, s) => withTransfer(lowered.steps[s]!, step, layout.moved));

  /** Bytes on the host of what the device holds too. */
  const onHost = new Map<DeviceBuffer, Uint8Array>();
  /** Strings, and results whose shape only the run tells. */
  const hostOnly = new Map<Value, Tensor>();
  const isHostOnly = (value: Value): boolean => (spec.types.get(value)?.dtype ?? "string") === "string";
  const view = (value: Value): Tensor => {
    const constant = spec.constants.get(value);
    if (constant !== undefined) return denseOf(constant, session.unpacked);
    if (isHostOnly(value)) return hostOnly.get(value)!;
    const { dtype, shape } = spec.types.get(value)!;
    const bytes = shape.includes(0) ? new Uint8Array() : onHost.get(bufferOf(value))!; // nothing is launched to make nothing
    return Tensor.fromBytes(dtype as "float32", shape, bytes);
  };
  const write = (value: Value, tensor: Tensor): void => {
    if (isHostOnly(value)) {
      hostOnly.set(value, tensor);
      return;
    }
    const buffer = bufferOf(value);
    onHost.set(buffer, tensor.bytes());
    if (layout.uploads.has(buffer)) gpu.device.queue.writeBuffer(buffer.gpu!, 0, uploadable(tensor.bytes()));
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
  const play = async (part: Part): Promise<void> => {
    gpu.check();
    if ("host" in part) {
      evaluate(part.host);
      return;
    }
    const { taken } = gpu.watch("running a plan", () => part.submit());
    const [, downloaded] = await Promise.all([taken, part.read?.()]).catch(async (cause) => {
      throw await gpu.explain(cause);
    });
    for (const [buffer, bytes] of downloaded ?? []) onHost.set(buffer, bytes);
  };
  const begin = (feeds: readonly Tensor[]): void => {
    released.check();
    gpu.check();
    hostOnly.clear();
    onHost.clear();
    spec.inputs.forEach((input, i) => {
      if (!spec.constants.has(input)) write(input, feeds[i]!);
    });
  };
  const released = releaseOnce(() => memory.release());
  let single: Promise<Part[][]> | null = null; // each step's own parts, made when a profile is asked for
  return {
    run: (feeds) =>
      session.inTurn(async () => {
        const ready = await parts;
        begin(feeds);
        for (const part of ready) await play(part);
        return spec.outputs.map((output) => copyOf(view(output)));
      }),
    profile: (feeds) =>
      session.inTurn(async () => {
        const { firstAction, actions } = lowered;
        single ??= Promise.all(
          described.map((_, s) => prepare(layout.cut(firstAction[s]!, firstAction[s + 1] ?? actions.length))),
        );
        const ready = await single;
        begin(feeds);
        const times: TimedStep[] = [];
        for (const [s, line] of described.entries()) {
          const start = performance.now();
          for (const part of ready[s]!) await play(part);
          await gpu.device.queue.onSubmittedWorkDone();
          times.push({ ...line, milliseconds: performance.now() - start });
        }
        return times;
      }),
    describe: () => described,
    release: () => void session.inTurn(async () => released.release()),
  };
}

/** Something to be released once, and not used afterwards. */
function releaseOnce(body: () => void): { check(): void; release(): void } {
  let done = false;
  return {
    check() {
      if (done) throw new NonzeroError("device", "the plan was released");
    },
    release() {
      if (!done) body();
      done = true;
    },
  };
}

/** A step's description; where the host evaluates it, with what that moves. */
function withTransfer(line: PlanStep, step: Step, moved: (step: Step) => number): PlanStep {
  return line.kernel === "evaluation" ? { ...line, transferBytes: moved(step) } : line;
}

/** Bytes as `writeBuffer` takes them: a multiple of 4 of them, not shared. */
function uploadable(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (bytes.byteLength % 4 === 0 && bytes.buffer instanceof ArrayBuffer) return bytes as Uint8Array<ArrayBuffer>;
  const padded = new Uint8Array(Math.ceil(bytes.byteLength / 4) * 4);
  padded.set(bytes);
  return padded;
}

function copyOf(tensor: Tensor): Tensor {
  return new Tensor(tensor.dtype, tensor.shape, (tensor.data as NumericArray).slice());
}
