import type { Node } from "../../../graph/index.js";
import { SparseTensor } from "../../../layouts/index.js";
import { broadcastShapes, broadcastStrides, sizeOf } from "../../../tensor/index.js";
import type { Cost, NodeContext } from "../node.js";

/** One axis of the batch after merging axes that both operands walk alike: how far (in matrices) each moves a step. */
export interface BatchAxis {
  readonly size: number;
  readonly a: number;
  readonly b: number;
}

/** Batch axes that a kernel's arguments hold. */
export const MAX_BATCH_AXES = 3;

/** y[i] = alpha · A[i]·B[i], A [M, K] (stored [K, M] when transA), B [K, N] (stored [N, K] when transB). */
export interface BatchMatMulSpec {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transA: boolean;
  readonly transB: boolean;
  readonly alpha: number;
  /** Outermost first, exactly MAX_BATCH_AXES of them (size 1 where there are fewer). */
  readonly batch: readonly BatchAxis[];
  /** Matrices of y, and of B as stored. */
  readonly count: number;
  readonly bCount: number;
  /** The operands changed over, A·b taken as bᵀ·Aᵀ: A is the node's second input. */
  readonly swapped: boolean;
}

/** The multiplication that a MatMul or FusedMatMul of two float32 tensors stands for, or null when it is none that the kernels know. */
export function batchMatMulSpec(node: Node, at: NodeContext): BatchMatMulSpec | null {
  const fused = node.domain === "com.microsoft" && node.op === "FusedMatMul";
  if (!fused && !(node.domain === "" && node.op === "MatMul")) return null;
  const [left, right] = node.inputs;
  if (!left || !right || at.constant(left) instanceof SparseTensor || at.constant(right) instanceof SparseTensor)
    return null;
  const [aType, bType] = [at.type(left), at.type(right)];
  if (aType.dtype !== "float32" || bType.dtype !== "float32") return null;
  let [transA, transB, alpha] = [false, false, 1];
  if (fused) {
    const flag = (name: string): boolean => Number(node.attributes.get(name)?.value ?? 0) !== 0;
    if (flag("transBatchA") || flag("transBatchB")) return null;
    transA = flag("transA") && aType.shape.length > 1;
    transB = flag("transB") && bType.shape.length > 1;
    alpha = Number(node.attributes.get("alpha")?.value ?? 1);
  }
  const a = aType.shape.length === 1 ? [1, ...aType.shape] : aType.shape;
  const b = bType.shape.length === 1 ? [...bType.shape, 1] : bType.shape;
  const [ar, ac] = a.slice(-2) as [number, number];
  const [br, bc] = b.slice(-2) as [number, number];
  const m = transA ? ac : ar;
  const k = transA ? ar : ac;
  const n = transB ? br : bc;
  return normalized({ m, n, k, transA, transB, alpha }, a.slice(0, -2), b.slice(0, -2));
}

type Shape = Pick<BatchMatMulSpec, "m" | "n" | "k" | "transA" | "transB" | "alpha">;

function normalized(shape: Shape, aBatch: readonly number[], bBatch: readonly number[]): BatchMatMulSpec | null {
  let { m, n, transA, transB } = shape;
  let batch = batchAxes(aBatch, bBatch);
  if (batch.length > MAX_BATCH_AXES) return null;
  if (m === 1) transA = false; // A column is a row in memory.
  let count = batch.reduce((product, axis) => product * axis.size, 1);
  // One B for all: the batch is more rows of A.
  if (!transA && batch.length === 1 && batch[0]!.b === 0 && batch[0]!.a === 1) {
    m *= count;
    count = 1;
    batch = [];
  }
  const swapped = n === 1 && m > 1;
  if (swapped) {
    [m, n] = [1, m];
    [transA, transB] = [false, !transA];
    batch = batch.map(({ size, a, b }) => ({ size, a: b, b: a }));
  }
  const padding = new Array<BatchAxis>(MAX_BATCH_AXES - batch.length).fill({ size: 1, a: 0, b: 0 });
  const bCount = sizeOf(swapped ? aBatch : bBatch);
  return { ...shape, m, n, transA, transB, batch: [...padding, ...batch], count, bCount, swapped };
}

/** The broadcast of two batch shapes as few axes as will do. */
function batchAxes(a: readonly number[], b: readonly number[]): BatchAxis[] {
  const shape = broadcastShapes(a, b);
  const [aSteps, bSteps] = [broadcastStrides(a, shape), broadcastStrides(b, shape)];
  const axes: BatchAxis[] = [];
  shape.forEach((size, axis) => {
    if (size === 1) return;
    const next = { size, a: aSteps[axis]!, b: bSteps[axis]! };
    const last = axes.at(-1);
    if (last && last.a === next.a * size && last.b === next.b * size)
      axes[axes.length - 1] = { ...next, size: last.size * size };
    else axes.push(next);
  });
  return axes;
}

export const batchMatMulCost = ({ m, n, k, count, bCount }: BatchMatMulSpec): Cost => ({
  multiplyAdds: count * m * n * k,
  bytes: 4 * (count * m * (k + n) + bCount * k * n),
});
