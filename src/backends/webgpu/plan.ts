import {
  checkOutput,
  deliver,
  denseOf,
  type Fetches,
  fuse,
  type HostSteps,
  type LocatedTensor,
  type Plan,
  type PlanStep,
  type Specialized,
  type Step,
  type TimedStep,
  unpackQuantized,
} from "../../compiler/index.js";
import type { Value } from "../../graph/index.js";
import { evaluateNode, operators } from "../../ops/index.js";
import { locateAsync, NonzeroError, Tensor } from "../../tensor/index.js";
import type { DeviceBuffer } from "./device-buffer.js";
import { boundBuffer, faultOf } from "./feeds.js";
import type { GpuTensor } from "./gpu-tensor.js";
import { isFusible } from "./kernels/elementwise/fusible.js";
import { layOut, type Segment } from "./layout.js";
import { lowerSteps } from "./lower.js";
import { fillRoom, makeRoom, tensorsIn } from "./outputs.js";
import { OwnedGpuTensor } from "./owned-tensor.js";
import { type Recording, record } from "./record.js";
import type { Session } from "./session.js";
import { type Timer, timerOf } from "./timer.js";
import { download, uploadable } from "./transfer.js";

/** A part of a run: what the GPU does in one go, or a step on the host. */
type Part = Recording | { readonly host: Step };

/**
 * Lowers a specialized graph: kernels chosen, memory laid out, pipelines and bind groups made. The making goes on after this returns;
 * runs wait for it, and fail as it fails. `fed` are the inputs that come in GPUBuffers.
 */
export function webgpuPlan(
  concrete: Specialized,
  host: HostSteps,
  session: Session,
  fed: ReadonlySet<Value>,
): Plan<Promise<Tensor[]>> {
  const { gpu } = session;
  const fused = fuse(unpackQuantized(concrete), (node) => isFusible(node, (value) => concrete.types.get(value)?.dtype));
  const spec = session.stored(fused);
  const memory = session.hold();
  const released = releaseOnce(() => memory.release());
  /** What is only handed on to the part of the graph that follows. */
  const passed = (output: Value): boolean => spec.rest !== null && fed.has(output);
  const keeps = (output: number): boolean => spec.rest === null && session.keeps[output] === true;
  const stays = (output: number): boolean => keeps(output) || passed(spec.outputs[output]!);
  const place = () => {
    const lowered = lowerSteps(spec, session, memory);
    const layout = layOut(spec, lowered, { fed, stays });
    const arena = memory.arena(layout.bytes);
    for (const [buffer, slot] of layout.slots) buffer.gpu = arena[slot]!;
    return { lowered, layout };
  };
  const { result, taken } = released.onError(() => gpu.watch("placing a plan's memory", place));
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
  parts.catch(() => released.release()); // runs say why
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
  const play = async (part: Part, timer: Timer | null = null): Promise<void> => {
    gpu.check();
    if ("host" in part) {
      evaluate(part.host);
      return;
    }
    const { taken } = gpu.watch("running a plan", () => part.submit(timer));
    const [, downloaded] = await Promise.all([taken, part.read?.()]).catch(async (cause) => {
      throw await gpu.explain(cause);
    });
    for (const [buffer, bytes] of downloaded ?? []) onHost.set(buffer, bytes);
  };
  const source = { spec, layout, bufferOf, view };
  const kept = spec.outputs.map((_, i) => i).filter(keeps);
  const aliased = new Set(kept.map((i) => spec.outputs[i]!).filter((output) => !spec.constants.has(output)));
  const whyCopied = (input: Value): string | null => {
    if (layout.fetched.has(bufferOf(input))) return "is read on the host";
    return [...aliased].some((output) => bufferOf(output) === bufferOf(input)) ? "is an output as well" : null;
  };
  const begin = async (feeds: readonly LocatedTensor[], temporary: GPUBuffer[]): Promise<void> => {
    released.check();
    gpu.check();
    hostOnly.clear();
    onHost.clear();
    for (const [i, input] of spec.inputs.entries()) {
      const feed = feeds[i]!;
      if (spec.constants.has(input)) continue;
      if (feed instanceof Tensor) write(input, feed);
      else await bind(input, feed as GpuTensor, temporary);
    }
  };
  const bind = (input: Value, feed: GpuTensor, temporary: GPUBuffer[]): Promise<void> =>
    locateAsync({ field: input.name }, async () => {
      const buffer = bufferOf(input);
      buffer.gpu = await boundBuffer(session, feed, whyCopied(input), temporary);
      if (layout.fetched.has(buffer)) onHost.set(buffer, (await download(gpu, feed)).bytes());
    });
  /** The input whose buffer was destroyed in the meantime, if that is what went wrong. */
  const blame = async (cause: unknown, feeds: readonly LocatedTensor[]): Promise<unknown> => {
    if (!(cause instanceof NonzeroError) || cause.code !== "device") return cause;
    for (const [i, input] of spec.inputs.entries()) {
      if (!fed.has(input)) continue;
      const fault = await locateAsync({ field: input.name }, () => faultOf(gpu, (feeds[i] as GpuTensor).gpuBuffer));
      if (fault !== null) return new NonzeroError("invalid-argument", fault, { field: input.name }, { cause });
    }
    return cause;
  };
  /**
   * `body`, and what it gives, with feeds where launches find them, and new memory for the outputs that stay, which is given back after an
   * error.
   */
  const within = <T>(
    feeds: readonly LocatedTensor[],
    body: (room: ReadonlyMap<number, GPUBuffer>) => Promise<() => T>,
  ) =>
    session.inTurn(async (): Promise<T> => {
      await parts;
      const temporary: GPUBuffer[] = [];
      const room = new Map<number, GPUBuffer>();
      let made: Promise<void> | null = null;
      try {
        await begin(feeds, temporary);
        if (kept.length > 0)
          made = gpu.watch("making room for outputs", () => makeRoom(kept, source, session, room)).taken;
        made?.catch(() => {}); // said below
        const finish = await body(room);
        await made;
        return finish();
      } catch (cause) {
        for (const buffer of room.values()) buffer.destroy();
        await made; // without room, everything else failed too
        throw await blame(cause, feeds);
      } finally {
        for (const buffer of temporary) buffer.destroy();
        for (const buffer of layout.outside) buffer.gpu = null;
      }
    });
  const runLocated = (feeds: readonly LocatedTensor[], fetches: Fetches = []): Promise<LocatedTensor[]> =>
    within(feeds, async (room) => {
      for (const part of await parts) await play(part);
      if (room.size > layout.lent.size) await gpu.watch("filling outputs", () => fillRoom(room, source, gpu)).taken;
      return () => {
        const host = spec.outputs.map((output, i) => {
          if (passed(output)) return feeds[spec.inputs.indexOf(output)]!;
          return room.has(i) ? null : deliver(output, view(output), fetches[i]);
        });
        const owned = tensorsIn(room, spec, session);
        return host.map((output, i) => output ?? owned.get(i)!);
      };
    });
  let single: Promise<Part[][]> | null = null; // each step's own parts, made when a profile is asked for
  return {
    run: async (feeds, fetches = []) => {
      const outputs = await runLocated(feeds, fetches);
      return Promise.all(
        outputs.map(async (output, i) => {
          if (!(output instanceof OwnedGpuTensor)) return output as Tensor;
          const tensor = await output.download().finally(() => output.dispose());
          return fetches[i] === undefined ? tensor : deliver(spec.outputs[i]!, tensor, fetches[i]);
        }),
      );
    },
    runLocated,
    profile: (feeds) =>
      within(feeds, async (room) => {
        const { firstAction, actions } = lowered;
        single ??= Promise.all(
          described.map((_, s) => prepare(layout.cut(firstAction[s]!, firstAction[s + 1] ?? actions.length))),
        );
        const ready = await single;
        const times: TimedStep[] = [];
        const timer = timerOf(gpu);
        try {
          for (const [s, line] of described.entries()) {
            const start = performance.now();
            let onGpu: number | null = null;
            for (const part of ready[s]!) {
              await play(part, timer);
              if (timer !== null && !("host" in part)) onGpu = (onGpu ?? 0) + (await timer.milliseconds());
            }
            if (timer === null) await gpu.device.queue.onSubmittedWorkDone();
            times.push({ ...line, milliseconds: onGpu ?? performance.now() - start });
          }
        } finally {
          timer?.release();
        }
        return () => {
          for (const buffer of room.values()) buffer.destroy(); // nobody gets the outputs
          return times;
        };
      }),
    describe: () => described,
    release: () =>
      void session.inTurn(async () => {
        await parts.catch(() => {}); // what is still being made would be left over
        released.release();
      }),
  };
}

/** Something to be released once, and not used afterwards. */
function releaseOnce(body: () => void) {
  let done = false;
  const release = (): void => {
    if (!done) body();
    done = true;
  };
  return {
    check(): void {
      if (done) throw new NonzeroError("device", "the plan was released");
    },
    release,
    onError<T>(risky: () => T): T {
      try {
        return risky();
      } catch (error) {
        release();
        throw error;
      }
    },
  };
}

/** A step's description; where the host evaluates it, with what that moves. */
function withTransfer(line: PlanStep, step: Step, moved: (step: Step) => number): PlanStep {
  return line.kernel === "evaluation" ? { ...line, transferBytes: moved(step) } : line;
}
