import type { Dim, ValueType } from "../../graph/index.js";
import { NonzeroError, sizeOf, Tensor } from "../../tensor/index.js";
import type { Attributes } from "../attributes.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operand } from "../operator.js";
import { type Activation, recurrentActivations } from "./recurrent-activations.js";

/** What RNN, LSTM and GRU share: directions, layout, sequence lengths and the walk over time. */

export interface RecurrentAttributes {
  readonly direction: "forward" | "reverse" | "bidirectional";
  readonly directions: 1 | 2;
  readonly hiddenSize: number | null;
  /** 1: batch first. */
  readonly layout: number;
  /** Bound on the inputs of activations; Infinity where none is given. */
  readonly clip: number;
  /** For each direction, the operator's functions f, g, h. */
  readonly activations: readonly (readonly Activation[])[];
}

export function recurrentAttributes(node: Attributes, defaults: readonly string[]): RecurrentAttributes {
  const direction = node.oneOf("direction", ["forward", "reverse", "bidirectional"], "forward");
  const directions = direction === "bidirectional" ? 2 : 1;
  const layout = node.int("layout", 0);
  if (layout !== 0 && layout !== 1) node.fail("layout", `${layout} is neither 0 nor 1`);
  const clip = node.float("clip", 0);
  return {
    direction,
    directions,
    layout,
    hiddenSize: node.optional("hidden_size", "int") ?? null,
    clip: clip > 0 ? clip : Number.POSITIVE_INFINITY,
    activations: recurrentActivations(node, defaults, directions),
  };
}

/** Types of Y and of `states` final states, for X [seq, batch, input] (batch first under layout 1) and R [directions, gates, hidden]. */
export function inferRecurrent(
  inputs: readonly (Operand | null)[],
  a: RecurrentAttributes,
  states: number,
): readonly ValueType[] {
  const [x, r] = [need(inputs, 0).type, need(inputs, 2).type];
  const hidden: Dim | undefined = a.hiddenSize ?? r.shape?.[2];
  if (x.shape !== null && x.shape.length !== 3) throw new NonzeroError("shape", `X takes three axes, not [${x.shape}]`);
  if (x.shape === null || hidden === undefined)
    return Array.from({ length: 1 + states }, () => ({ dtype: x.dtype, shape: null }));
  const [seq, batch] = a.layout === 0 ? [x.shape[0]!, x.shape[1]!] : [x.shape[1]!, x.shape[0]!];
  const y = a.layout === 0 ? [seq, a.directions, batch, hidden] : [batch, seq, a.directions, hidden];
  const state = a.layout === 0 ? [a.directions, batch, hidden] : [batch, a.directions, hidden];
  return [y, ...Array.from({ length: states }, () => state)].map((shape) => ({ dtype: x.dtype, shape }));
}

/** One direction's parameters and what a step works on. Rows of W and R are gates in the operator's order, `hidden` each. */
export interface Cell {
  readonly direction: number;
  readonly hidden: number;
  /** W·x + Wb of every gate at this time. */
  readonly fromInput: Float64Array;
  /** R·h + Rb of every gate. */
  readonly fromHidden: Float64Array;
  readonly r: ArrayLike<number>;
  /** Where this direction's rows start in `r`. */
  readonly rAt: number;
  /** Recurrence bias of this direction, or null. */
  readonly recurrenceBias: Float64Array | null;
  /** [h] or [h, c]; a step replaces their contents. */
  readonly state: readonly Float64Array[];
}

/** y[row] = Σ m[at + row·columns + k] · x[xAt + k] + bias[row]. */
export function affine(
  m: ArrayLike<number>,
  at: number,
  rows: number,
  columns: number,
  x: ArrayLike<number>,
  xAt: number,
  bias: Float64Array | null,
  y: Float64Array,
): void {
  for (let row = 0; row < rows; row++) {
    let sum = bias === null ? 0 : bias[row]!;
    const from = at + row * columns;
    for (let k = 0; k < columns; k++) sum += m[from + k]! * x[xAt + k]!;
    y[row] = sum;
  }
}

/**
 * Runs `step` over time for every direction and batch entry. Inputs are X, W, R, B, sequence_lens, initial_h (and initial_c,
 * at 6, when there are two states). Past a sequence's end Y is 0 and the states stay; a reverse direction starts at the
 * sequence's end. Returns Y and the final states.
 */
export function runRecurrent(
  inputs: readonly (Tensor | null)[],
  a: RecurrentAttributes,
  gates: number,
  states: number,
  step: (cell: Cell) => void,
): Tensor[] {
  const [x, w, r] = [need(inputs, 0), need(inputs, 1), need(inputs, 2)];
  const hidden = a.hiddenSize ?? r.shape[2]!;
  const inputSize = x.shape[2]!;
  const [seq, batch] = a.layout === 0 ? [x.shape[0]!, x.shape[1]!] : [x.shape[1]!, x.shape[0]!];
  const rows = gates * hidden;
  const check = (tensor: Tensor | null | undefined, shape: readonly number[], name: string) => {
    if (tensor != null && (tensor.shape.length !== shape.length || tensor.shape.some((dim, i) => dim !== shape[i])))
      throw new NonzeroError("shape", `expected [${shape}], found [${tensor.shape}]`, { field: name });
  };
  const stateShape = a.layout === 0 ? [a.directions, batch, hidden] : [batch, a.directions, hidden];
  check(w, [a.directions, rows, inputSize], "W");
  check(r, [a.directions, rows, hidden], "R");
  check(inputs[3], [a.directions, 2 * rows], "B");
  check(inputs[4], [batch], "sequence_lens");
  const initial = Array.from({ length: states }, (_, i) => inputs[5 + i]);
  for (const tensor of initial) check(tensor, stateShape, "initial state");

  const [xs, ws, rs, bs] = [x.numbers(), w.numbers(), r.numbers(), inputs[3]?.numbers()];
  const lengths = inputs[4]?.numbers();
  const firsts = initial.map((tensor) => tensor?.numbers());
  const yShape = a.layout === 0 ? [seq, a.directions, batch, hidden] : [batch, seq, a.directions, hidden];
  const y = numbersFor(x.dtype, sizeOf(yShape));
  const finals = firsts.map(() => numbersFor(x.dtype, sizeOf(stateShape)));
  const fromInput = new Float64Array(rows);
  const fromHidden = new Float64Array(rows);
  for (let d = 0; d < a.directions; d++) {
    const reverse = a.direction === "reverse" || d === 1;
    const bias = (at: number) => (bs === undefined ? null : Float64Array.from(bs.subarray(at, at + rows)));
    const inputBias = bias(d * 2 * rows);
    const recurrenceBias = bias((d * 2 + 1) * rows);
    for (let n = 0; n < batch; n++) {
      const length = lengths === undefined ? seq : lengths[n]!;
      if (!(length >= 0 && length <= seq))
        throw new NonzeroError("shape", `a sequence of length ${length} among ${seq} steps`, {
          field: "sequence_lens",
        });
      const stateAt = (a.layout === 0 ? d * batch + n : n * a.directions + d) * hidden;
      const state = firsts.map((first) => {
        const values = new Float64Array(hidden);
        if (first !== undefined) values.set(first.subarray(stateAt, stateAt + hidden));
        return values;
      });
      const rAt = d * rows * hidden;
      const cell: Cell = { direction: d, hidden, fromInput, fromHidden, r: rs, rAt, recurrenceBias, state };
      for (let i = 0; i < length; i++) {
        const t = reverse ? length - 1 - i : i;
        const xAt = (a.layout === 0 ? t * batch + n : n * seq + t) * inputSize;
        affine(ws, d * rows * inputSize, rows, inputSize, xs, xAt, inputBias, fromInput);
        affine(rs, rAt, rows, hidden, state[0]!, 0, recurrenceBias, fromHidden);
        step(cell);
        const yAt = a.layout === 0 ? (t * a.directions + d) * batch + n : (n * seq + t) * a.directions + d;
        y.set(state[0]!, yAt * hidden);
      }
      for (let i = 0; i < states; i++) finals[i]!.set(state[i]!, stateAt);
    }
  }
  return [Tensor.from(x.dtype, yShape, y), ...finals.map((numbers) => Tensor.from(x.dtype, stateShape, numbers))];
}

/** v within [−bound, bound]. */
export const clipped = (v: number, bound: number): number => Math.min(Math.max(v, -bound), bound);
