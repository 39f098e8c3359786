import type { Operator } from "../operator.js";
import {
  affine,
  clipped,
  inferRecurrent,
  type RecurrentAttributes,
  recurrentAttributes,
  runRecurrent,
} from "./recurrent.js";

export interface GruAttributes extends RecurrentAttributes {
  /** The reset gate multiplies R·h + Rb (as cuDNN and PyTorch do) and not h. */
  readonly linearBeforeReset: boolean;
}

/** ONNX GRU with gates in the order z (update), r (reset), h (hidden): h = (1 − z) ⊙ g(…) + z ⊙ h. Outputs Y, Y_h. */
export const gru: Operator<GruAttributes> = {
  name: "GRU",
  domain: "",
  attributes: (node) => ({
    ...recurrentAttributes(node, ["Sigmoid", "Tanh"]),
    linearBeforeReset: node.flag("linear_before_reset"),
  }),
  infer: (inputs, a) => inferRecurrent(inputs, a, 1),
  evaluate: (inputs, a) => {
    let reset = new Float64Array(0);
    let gated = new Float64Array(0);
    let hiddenPart = new Float64Array(0);
    return runRecurrent(inputs, a, 3, 1, (cell) => {
      const { direction, hidden, fromInput, fromHidden, state } = cell;
      const [f, g] = a.activations[direction] as [(x: number) => number, (x: number) => number];
      const h = state[0]!;
      if (reset.length !== hidden) {
        reset = new Float64Array(hidden);
        gated = new Float64Array(hidden);
        hiddenPart = new Float64Array(hidden);
      }
      for (let j = 0; j < hidden; j++) {
        reset[j] = f(clipped(fromInput[hidden + j]! + fromHidden[hidden + j]!, a.clip));
        gated[j] = reset[j]! * h[j]!;
      }
      if (a.linearBeforeReset) {
        for (let j = 0; j < hidden; j++) hiddenPart[j] = reset[j]! * fromHidden[2 * hidden + j]!;
      } else {
        const bias = cell.recurrenceBias?.subarray(2 * hidden) ?? null;
        affine(cell.r, cell.rAt + 2 * hidden * hidden, hidden, hidden, gated, 0, bias, hiddenPart);
      }
      for (let j = 0; j < hidden; j++) {
        const update = f(clipped(fromInput[j]! + fromHidden[j]!, a.clip));
        const candidate = g(clipped(fromInput[2 * hidden + j]! + hiddenPart[j]!, a.clip));
        h[j] = (1 - update) * candidate + update * h[j]!;
      }
    });
  },
};
