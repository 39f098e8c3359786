import { denseOf, type PlanStep, type Specialized, type Step } from "../../compiler/index.js";
import { labelOf, type Value } from "../../graph/index.js";
import { byteLengthOf, locate, NonzeroError, sizeOf } from "../../tensor/index.js";
import { type DeviceBuffer, paddedBytes } from "./device-buffer.js";
import {
  type Binding,
  type ConcreteType,
  type Kernel,
  type Lowering,
  largestBuffer,
  type ShaderCode,
  type Workgroups,
} from "./kernel.js";
import type { Holding, Session } from "./session.js";

/** A dispatch: buffers in order of the code's bindings, numbers in order of its uniforms. */
export interface Launch {
  readonly code: ShaderCode;
  readonly bindings: readonly { readonly buffer: DeviceBuffer; readonly offset: number; readonly bytes: number }[];
  readonly uniforms: readonly number[];
  readonly workgroups: readonly [number, number, number];
}

/** What happens in a plan, in order: a kernel's launch, or an evaluation on the host. */
export type Action = { readonly launch: Launch } | { readonly host: Step };

/** A specialized graph as actions on buffers that are not laid out yet. */
export interface Lowered {
  readonly actions: readonly Action[];
  /** Number of the first action of each step. */
  readonly firstAction: readonly number[];
  readonly steps: readonly PlanStep[];
  bufferOf(value: Value): DeviceBuffer;
}

/** Chooses a kernel for every step and collects its launches; steps without one run on the host. */
export function lowerSteps(spec: Specialized, session: Session, memory: Holding): Lowered {
  const buffers = new Map<Value, DeviceBuffer>();
  const derived = new Map<string, DeviceBuffer>();
  const ids = new Map<Value, number>();
  const actions: Action[] = [];
  const idOf = (value: Value): number => {
    if (!ids.has(value)) ids.set(value, ids.size);
    return ids.get(value)!;
  };
  const typeOf = (value: Value): ConcreteType => spec.types.get(value)!;
  const bufferOf = (value: Value): DeviceBuffer => {
    let buffer = buffers.get(value);
    if (buffer === undefined) {
      const constant = spec.constants.get(value);
      if (constant !== undefined)
        buffer = locate({ field: value.name }, () => memory.upload(denseOf(constant, session.unpacked)));
      else buffer = { bytes: bytesOf(typeOf(value)), gpu: null };
      buffers.set(value, buffer);
    }
    return buffer;
  };
  const lowering: Lowering = {
    device: session.gpu.info,
    type: typeOf,
    constant: (value) => spec.constants.get(value),
    buffer: bufferOf,
    scratch: (bytes) => ({ bytes, gpu: null }) as DeviceBuffer,
    prepared: (value, key, bytes, fill) => memory.prepare(spec.constants.get(value)!, key, bytes, fill),
    derived(value, key, make) {
      const name = `${idOf(value)}/${key}`;
      const buffer = derived.get(name) ?? (make() as DeviceBuffer);
      derived.set(name, buffer);
      return buffer;
    },
    launch(code, bindings, uniforms, workgroups) {
      const nameOf = (buffer: DeviceBuffer) => [...buffers].find(([, held]) => held === buffer)?.[0].name;
      const launch = launchOf(code, bindings, uniforms, workgroups, session, nameOf);
      if (!launch.workgroups.includes(0)) actions.push({ launch });
    },
    alias: (output, input) => buffers.set(output, bufferOf(input)),
  };

  const firstAction: number[] = [];
  const steps = spec.steps.map((step): PlanStep => {
    firstAction.push(actions.length);
    const name = labelOf(step.node);
    const kernel = locate({ node: name }, () => kernelFor(step, spec, session, lowering));
    if (kernel === null) actions.push({ host: step });
    return { op: step.node.op, name, kernel: kernel?.name ?? "evaluation" };
  });
  return { actions, firstAction, steps, bufferOf };
}

const bytesOf = ({ dtype, shape }: ConcreteType): number => byteLengthOf(dtype, sizeOf(shape));

/** The first kernel that takes the node, after it added its launches; null when none does. */
function kernelFor(step: Step, spec: Specialized, { kernels, choices }: Session, to: Lowering): Kernel | null {
  const { node } = step;
  const values = [...node.inputs, ...node.outputs].filter((value) => value !== null);
  if (step.captures.size > 0 || !values.every((value) => spec.types.has(value))) return null;
  if (values.some((value) => spec.types.get(value)!.dtype === "string")) return null;
  for (const kernel of kernels) {
    const match = kernel.match(node, to);
    if (match === null) continue;
    const schedule = choices.pick(kernel.name, match, kernel.schedules(match, to.device), { step, spec });
    kernel.lower(match, schedule, node, to);
    return kernel;
  }
  return null;
}

/** @throws NonzeroError "device" for what the GPU's limits don't allow. */
function launchOf<B extends string, U extends string>(
  code: ShaderCode<B, U>,
  bindings: Readonly<Record<B, Binding>>,
  uniforms: Readonly<Record<U, number>>,
  workgroups: Workgroups,
  session: Session,
  nameOf: (buffer: DeviceBuffer) => string | undefined,
): Launch {
  const { info } = session.gpu;
  const { maxBufferSize, maxStorageBuffersPerShaderStage, maxComputeWorkgroupsPerDimension } = info.limits;
  const refuse = (reason: string, field?: string): never => {
    throw new NonzeroError("device", `the kernel '${code.key}' ${reason}`, { field });
  };
  const bound = code.bindings.map(({ name }) => {
    const binding: Binding = bindings[name];
    const part = "offset" in binding ? binding : { buffer: binding, offset: 0, bytes: binding.bytes };
    const [buffer, bytes] = [part.buffer as DeviceBuffer, paddedBytes(part.bytes)];
    const most = largestBuffer(info);
    if (bytes > most) refuse(`binds ${bytes} bytes; the GPU's limit is ${most}`, nameOf(buffer) ?? name);
    if (buffer.bytes > maxBufferSize)
      refuse(`needs ${buffer.bytes} bytes; the GPU's limit is ${maxBufferSize}`, nameOf(buffer) ?? name);
    return { buffer, offset: part.offset, bytes };
  });
  if (bound.length > maxStorageBuffersPerShaderStage)
    refuse(`binds ${bound.length} buffers; the GPU's limit is ${maxStorageBuffersPerShaderStage}`);
  bound.forEach(({ buffer }, i) => {
    const clash =
      code.bindings[i]!.access === "read_write" && bound.some((other, k) => k !== i && other.buffer === buffer);
    if (clash)
      throw new Error(`the kernel '${code.key}' binds the buffer that it writes as '${code.bindings[i]!.name}' twice`);
  });
  const [x, y = 1, z = 1] = workgroups;
  if (Math.max(x, y, z) > maxComputeWorkgroupsPerDimension) refuse(`needs ${x} × ${y} × ${z} workgroups`);
  return { code, bindings: bound, uniforms: code.uniforms.map(({ name }) => uniforms[name]), workgroups: [x, y, z] };
}

/** The launch's uniform struct. */
export function uniformBytes({ code, uniforms }: Launch): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(4 * uniforms.length));
  code.uniforms.forEach(({ name, type }, i) => {
    const value = uniforms[i];
    if (value === undefined) throw new Error(`the kernel '${code.key}' was given no '${name}'`);
    if (type === "f32") view.setFloat32(4 * i, value, true);
    else view.setUint32(4 * i, value, true);
  });
  return new Uint8Array(view.buffer);
}
