import type { Node, Value } from "../../graph/index.js";
import type { Cost, NodeContext } from "../specs/node.js";
import { Func, i32, type Local } from "./asm/index.js";

export type { ConcreteType, Cost } from "../specs/node.js";

/** What the host can do. */
export interface DeviceInfo {
  /** Relaxed SIMD: fused multiply-add. */
  readonly relaxed: boolean;
  /** The memory is shared: threads are possible. */
  readonly shared: boolean;
  /** Threads that run a launch's chunks, the calling one included. */
  readonly threads: number;
}

/** A region of the device's memory: at a fixed address (constants), or placed by the planner (activations, scratch). */
export interface Buffer {
  readonly bytes: number;
  /** Set for constants when made, for the rest when the plan is laid out. A multiple of 64. */
  address: number | null;
}

/** An argument of a launch: a number, a buffer's address, or an address inside a buffer. */
export type Argument = number | Buffer | { readonly buffer: Buffer; readonly offset: number };

/**
 * Code that is compiled once per process and shared by every plan whose kernels have the same key. `build` makes a function
 * (arguments: i32, chunk: i32, thread: i32) with no result: `arguments` points at the launch's arguments, an i32 each.
 */
export interface KernelCode {
  /** Everything that `build` depends on besides the device: `spmm/n:m:2:4/f32/12/bias,relu`. */
  readonly key: string;
  build(device: DeviceInfo): Func;
}

/** What a kernel may ask about the node at hand. */
export interface MatchContext extends NodeContext {
  readonly device: DeviceInfo;
}

/** Where a kernel puts its launches. They run in order; each ends on all threads before the next begins. */
export interface Lowering extends MatchContext {
  /** Where a value lives: row-major and dense, elements as in `Tensor.data`. */
  buffer(value: Value): Buffer;
  /** Memory for the time between its first and last use as an argument. */
  scratch(bytes: number): Buffer;
  /**
   * A constant in the form that a kernel wants it, made once per session and key and shared by all plans.
   * `fill` writes it; the bytes start zeroed, at an address that is a multiple of 64.
   */
  prepared(value: Value, key: string, bytes: number, fill: (target: Uint8Array) => void): Buffer;
  /** Something derived from an activation, made once per plan for all the nodes that want it (x packed in panels, say). */
  derived(value: Value, key: string, make: () => Buffer): Buffer;
  /** Runs `code` for chunk = 0 … chunks - 1, in any order, on any threads. */
  launch(code: KernelCode, args: readonly Argument[], chunks: number): void;
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

/** The bits of a float32, for passing it as an argument. Read it back with `f32.load(args, 4 * index)`. */
export const floatArgument = (value: number): number => new Int32Array(Float32Array.of(value).buffer)[0] as number;

/** What tells one call of a kernel from another. */
export interface Call {
  readonly chunk: Local<"i32">;
  /** Which of the device's threads runs it, 0 to threads - 1: for scratch that a thread uses again and again. */
  readonly thread: Local<"i32">;
}

/**
 * Starts a kernel's function: calls `body` with the function, the call, and the first `count` arguments loaded into i32 locals, and
 * the pointer to the arguments.
 */
export function kernelFunction(
  count: number,
  body: (f: Func, call: Call, args: Local<"i32">[], pointer: Local<"i32">) => void,
): Func {
  const f = new Func(["i32", "i32", "i32"]);
  const [pointer, chunk, thread] = f.params as [Local<"i32">, Local<"i32">, Local<"i32">];
  const args = Array.from({ length: count }, (_, i) => f.local("i32", i32.load(pointer, 4 * i)));
  body(f, { chunk, thread }, args, pointer);
  return f;
}
