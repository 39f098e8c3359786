import type { Node, Value } from "../../graph/index.js";
import type { Cost, NodeContext } from "../specs/node.js";

export type { ConcreteType, Cost } from "../specs/node.js";

/** What the adapter can do, as far as kernels care. */
export interface DeviceInfo {
  /** 16-bit floats in shaders (`shader-f16`). Without it kernels read float16 from u32 words with `unpack2x16float`. */
  readonly f16: boolean;
  /** Sizes that a subgroup can have, powers of two; null without subgroup operations. */
  readonly subgroups: { readonly min: number; readonly max: number } | null;
  /** GPU timestamps for profiles. */
  readonly timestamps: boolean;
  readonly limits: DeviceLimits;
}

/** WebGPU's limits by its own names; bytes where they are sizes. */
export interface DeviceLimits {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
  readonly maxStorageBuffersPerShaderStage: number;
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxComputeInvocationsPerWorkgroup: number;
  readonly maxComputeWorkgroupsPerDimension: number;
  /** Bytes of uniforms that a launch can have without a buffer for them; 0 where the host has no `immediate_address_space`. */
  readonly maxImmediateSize: number;
}

/** Bytes of the largest buffer that can be made and bound as a whole. */
export const largestBuffer = ({ limits }: DeviceInfo): number =>
  Math.floor(Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize) / 16) * 16;

/**
 * Elements in the device's memory, as in `Tensor.data`: packed, row-major, little-endian. bool, int8 and uint8 lie four to a
 * 32-bit word, float16 two to a word, int64 is two words, low before high. Buffers begin at multiples of 256 bytes and are
 * readable and writable up to the next multiple of 16 bytes; what lies between `bytes` and there is undefined. So a kernel may bind
 * any of them as arrays of 4-, 8- or 16-byte elements, and may write whole vec4s over the end.
 */
export interface Buffer {
  readonly bytes: number;
}

/** A buffer, or a part of one: `offset` a multiple of 256 bytes. */
export type Binding = Buffer | { readonly buffer: Buffer; readonly offset: number; readonly bytes: number };

/** Workgroups along x, y and z; each at most `maxComputeWorkgroupsPerDimension` (65535). */
export type Workgroups = readonly [x: number, y?: number, z?: number];

/**
 * A compute shader; made with `shader` in wgsl/. Pipelines are made once per device and key, asynchronously. B and U are the names
 * of its bindings and uniforms, in the order of their `@binding` numbers and of the uniform struct's members.
 */
export interface ShaderCode<B extends string = string, U extends string = string> {
  /** Everything that the text depends on besides the device: `spmm/n:m:2:4/f32/8x4/bias,relu`. */
  readonly key: string;
  readonly bindings: readonly { readonly name: B; readonly access: "read" | "read_write" }[];
  /** Members of the uniform struct, 4 bytes each; `uniformsIn` says where it is. */
  readonly uniforms: readonly { readonly name: U; readonly type: "u32" | "i32" | "f32" }[];
  /** The text; its entry point is `main`. */
  build(device: DeviceInfo): string;
}

/** Where a shader's uniform struct is: nowhere, in the pass's immediates, or in a buffer bound after the storage buffers. */
export function uniformsIn(count: number, { limits }: DeviceInfo): "none" | "immediates" | "buffer" {
  if (count === 0) return "none";
  return 4 * count <= limits.maxImmediateSize ? "immediates" : "buffer";
}

/** What a kernel may ask about the node at hand. */
export interface MatchContext extends NodeContext {
  readonly device: DeviceInfo;
}

/** Where a kernel puts its launches. They run in order; each sees all that those before it wrote. */
export interface Lowering extends MatchContext {
  /** Where a value lives: row-major and dense, elements as in `Tensor.data`. */
  buffer(value: Value): Buffer;
  /** Memory for the time between its first and last use in a launch. */
  scratch(bytes: number): Buffer;
  /**
   * A constant in the form that a kernel wants it, uploaded once per session and key and shared by all plans. `fill` writes it;
   * the bytes start zeroed. A form larger than `largestBuffer` is refused when it is bound: make several, with a key each, as
   * kernels/parts.ts does.
   */
  prepared(value: Value, key: string, bytes: number, fill: (target: Uint8Array) => void): Buffer;
  /** Something derived from an activation, made once per plan for all the nodes that want it. */
  derived(value: Value, key: string, make: () => Buffer): Buffer;
  /**
   * Runs `code`. One buffer may not be bound both to be read and to be written in the same launch, nor twice to be written
   * (WebGPU forbids it); different buffers never share memory while both live. Nothing happens for zero workgroups.
   */
  launch<B extends string, U extends string>(
    code: ShaderCode<B, U>,
    bindings: Readonly<Record<B, Binding>>,
    uniforms: Readonly<Record<U, number>>,
    workgroups: Workgroups,
  ): void;
  /** Lets `output` share `input`'s memory: for nodes that only rename or reshape. */
  alias(output: Value, input: Value): void;
}

/**
 * Code for one operator, layout and dtype. One file a kernel (or family); `kernels/index.ts` lists them, first match wins.
 * Spec is pure data, so that it can be printed, cached and tuned; a schedule is the numbers that shape the code.
 */
export interface Kernel<Spec = unknown, Schedule = unknown> {
  readonly name: string;
  /** What to generate for this node, or null when this kernel is not for it. */
  match(node: Node, at: MatchContext): Spec | null;
  /** Candidate schedules, the default first. */
  schedules(spec: Spec, device: DeviceInfo): readonly [Schedule, ...Schedule[]];
  /** Adds the launches that compute the node. */
  lower(spec: Spec, schedule: Schedule, node: Node, to: Lowering): void;
  cost(spec: Spec): Cost;
}

/** Erases a kernel's type parameters for the list of all kernels. */
export const anyKernel = <Spec, Schedule>(kernel: Kernel<Spec, Schedule>): Kernel => kernel as unknown as Kernel;
