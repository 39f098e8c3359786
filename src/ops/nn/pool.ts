import type { Dim } from "../../graph/index.js";
import { NonzeroError, sizeOf, type Tensor } from "../../tensor/index.js";
import type { Attributes } from "../attributes.js";
import { type Taps, tapsOf } from "./taps.js";
import { resolveWindow, type Window, type WindowAttributes, windowAttributes, windowDims } from "./window.js";

/** Attributes of MaxPool, AveragePool and LpPool that shape the window; kernel_shape is always there. */
export interface PoolAttributes extends WindowAttributes {
  readonly kernelShape: readonly number[];
}

export function poolAttributes(node: Attributes): PoolAttributes {
  const a = windowAttributes(node);
  if (a.kernelShape === null) node.fail("kernel_shape", `the attribute is missing, ${node.node.op} needs it`);
  return a as PoolAttributes;
}

/** Shape of a pooling's output for x [N, C, spatial…]. */
export function poolDims(x: readonly Dim[] | null, a: PoolAttributes): Dim[] | null {
  if (x === null) return null;
  checkRank(x);
  return [x[0]!, x[1]!, ...windowDims(a, x.slice(2), a.kernelShape)];
}

/** @throws NonzeroError "shape" unless x has a batch, channels and a spatial axis. */
export function checkRank(x: readonly Dim[]): void {
  if (x.length < 3) throw new NonzeroError("shape", `expected [N, C, spatial…], found [${x}]`);
}

/** What a pooling loops over: N·C planes, and where the taps of each window lie. */
export interface PoolPlan {
  readonly window: Window;
  readonly taps: Taps;
  readonly planes: number;
  readonly inputSize: number;
  readonly outputSize: number;
  readonly shape: readonly number[];
}

export function planPool(x: Tensor, a: PoolAttributes): PoolPlan {
  checkRank(x.shape);
  const window = resolveWindow(a, x.shape.slice(2), a.kernelShape);
  return {
    window,
    taps: tapsOf(window),
    planes: x.shape[0]! * x.shape[1]!,
    inputSize: sizeOf(window.input),
    outputSize: sizeOf(window.output),
    shape: [x.shape[0]!, x.shape[1]!, ...window.output],
  };
}

/** For x [N, C, spatial…]: planes N·C, elements of a plane, and the shape [N, C, 1…] of a global pooling's output. */
export function globalPlan(x: Tensor): { planes: number; size: number; shape: number[] } {
  checkRank(x.shape);
  return {
    planes: x.shape[0]! * x.shape[1]!,
    size: sizeOf(x.shape.slice(2)),
    shape: x.shape.map((dim, axis) => (axis < 2 ? dim : 1)),
  };
}

/** Shape of a global pooling's output. */
export function globalDims(x: readonly Dim[] | null): Dim[] | null {
  if (x === null) return null;
  checkRank(x);
  return x.map((dim, axis) => (axis < 2 ? dim : 1));
}
