import type { Dim } from "../../graph/index.js";
import { broadcastShapes, broadcastStrides, forEachIndex, NonzeroError, Tensor } from "../../tensor/index.js";
import type { Operator } from "../operator.js";
import { type Activation, activateNumber, epilogueOf, type ResidualPosition } from "./activation.js";

export interface LinearAttributes {
  /** The weight is [outputs, inputs] rather than [inputs, outputs]. */
  readonly transB: boolean;
  readonly activation: Activation;
  readonly residual: ResidualPosition;
}

/**
 * ai.nonzero Linear: y = act(x·W + bias) + residual, or act(x·W + bias + residual) with `residual_position` "before".
 *
 * Inputs: x [..., K]; W [K, N], or [N, K] with transB = 1; bias [N], optional; residual, optional, broadcastable to y.
 * Output: y [..., N]. What compilers call matmul + bias + activation + residual fused; `torch.nn.functional.linear` with an epilogue.
 */
export const linear: Operator<LinearAttributes> = {
  name: "Linear",
  domain: "ai.nonzero",
  attributes: (node) => ({ transB: node.flag("transB"), ...epilogueOf(node) }),
  infer([x, w], { transB }) {
    const { shape, dtype } = x!.type;
    const weight = w!.type.shape;
    if (shape === null || weight === null) return [{ dtype, shape: null }];
    const [k, n] = (transB ? [weight[1], weight[0]] : weight) as [Dim, Dim];
    const inner = shape[shape.length - 1];
    if (
      weight.length !== 2 ||
      inner === undefined ||
      (typeof inner === "number" && typeof k === "number" && inner !== k)
    ) {
      throw new NonzeroError("shape", `[${shape}] times a weight of ${k} inputs`);
    }
    return [{ dtype, shape: [...shape.slice(0, -1), n] }];
  },
  evaluate([x, w, bias, residual], { transB, activation, residual: position }) {
    const [rows, cols] = w!.shape as [number, number];
    const [K, N] = transB ? [cols, rows] : [rows, cols];
    const [xs, ws, bs] = [x!.numbers(), w!.numbers(), bias?.numbers()];
    const tokens = K === 0 ? x!.shape.slice(0, -1).reduce((a, b) => a * b, 1) : x!.size / K;
    const shape = [...x!.shape.slice(0, -1), N];
    const added = residual ? broadcastTo(residual, shape) : null;
    const y = new Float64Array(tokens * N);
    for (let t = 0; t < tokens; t++) {
      for (let n = 0; n < N; n++) {
        let sum = bs ? (bs[n] as number) : 0;
        for (let k = 0; k < K; k++) sum += (xs[t * K + k] as number) * (ws[transB ? n * K + k : k * N + n] as number);
        y[t * N + n] = finish(sum, added?.[t * N + n], activation, position);
      }
    }
    return [Tensor.from(x!.dtype, shape, y)];
  },
};

/** A fused operator's epilogue for one sum. */
export function finish(
  sum: number,
  residual: number | undefined,
  activation: Activation,
  position: ResidualPosition,
): number {
  if (residual === undefined) return activateNumber(activation, sum);
  return position === "before"
    ? activateNumber(activation, sum + residual)
    : activateNumber(activation, sum) + residual;
}

/** The elements of `tensor` broadcast to `shape`. */
export function broadcastTo(tensor: Tensor, shape: readonly number[]): Float64Array {
  if (broadcastShapes(tensor.shape, shape).join() !== shape.join()) {
    throw new NonzeroError("shape", `a residual of shape [${tensor.shape}] does not fit [${shape}]`);
  }
  const values = tensor.numbers();
  const out = new Float64Array(shape.reduce((a, b) => a * b, 1));
  forEachIndex(shape, [broadcastStrides(tensor.shape, shape)], ([from], to) => {
    out[to] = values[from as number] as number;
  });
  return out;
}
